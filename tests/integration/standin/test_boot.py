"""How the pair starts, refuses and stops: entry point, environment, headless init, signals."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.standin.probe import arrives, headers, send
from tests.integration.standin.stack import Stack, docker, fetch, fetch_json
from tests.waiting import wait

pytestmark = pytest.mark.engine


@contextmanager
def extra(stack: Stack, kind: str, name: str, **overrides: str) -> Iterator[str]:
    """A second web or worker beside the stack's own."""
    role = f"{kind}-{name}"
    getattr(stack, kind)(role, **overrides)
    try:
        yield role
    finally:
        stack.remove(role)


def health(stack: Stack, role: str) -> tuple[int, str, str]:
    path = "/api/health" if role.startswith("worker") else "/api/public/health"
    status, got, body = fetch("GET", stack.url(role) + path)
    return status, got.get("content-type", ""), body.decode()


MIGRATION_REFUSALS = [
    (
        {"DATABASE_URL": "-"},
        "Error: Required database environment variables are not set. Provide a postgres url for DATABASE_URL.",
    ),
    ({"CLICKHOUSE_URL": "-"}, "Error: CLICKHOUSE_URL is not configured. Migrating from V2?"),
    ({"CLICKHOUSE_MIGRATION_URL": "-"}, "Error: CLICKHOUSE_MIGRATION_URL is not configured."),
    ({"CLICKHOUSE_PASSWORD": "-"}, "Error: CLICKHOUSE_PASSWORD is not set."),
    ({"CLICKHOUSE_PASSWORD": "wrong"}, "code: 516"),
    ({"CLICKHOUSE_DB": "absent"}, "81"),
    ({"DATABASE_URL": "postgresql://langfuse:wrong@postgres:5432/langfuse"}, "P1000"),
    ({"DATABASE_URL": "postgresql://langfuse:pgsecret@postgres:5433/langfuse"}, "P1001"),
    ({"CLICKHOUSE_MIGRATION_URL": "clickhouse://clickhouse:9999"}, "Applying clickhouse migrations failed."),
]


@pytest.mark.parametrize(("overrides", "text"), MIGRATION_REFUSALS, ids=lambda v: str(v)[:40])
def test_migration_refuses(stack: Stack, overrides: dict[str, str], text: str) -> None:
    status, output = stack.migrate(**overrides)
    assert status == 1
    assert text in output


def test_migration_does_nothing_twice_and_ignores_application_settings(stack: Stack) -> None:
    status, output = stack.migrate(SALT="-", NEXTAUTH_SECRET="-")
    assert status == 0
    assert "No pending migrations to apply." in output


def test_bookkeeping_is_the_applications(stack: Stack) -> None:
    assert stack.sql("SELECT count(*), max(migration_name) FROM _prisma_migrations") == (
        "434|20260821121500_backfill_evaluator_v2"
    )
    query = "SELECT name FROM background_migrations WHERE finished_at IS NULL"
    assert stack.sql(query) == "20260701_v4_step_5_drop_pid_tid_sorting_tables"
    newest = "SELECT version, dirty FROM schema_migrations ORDER BY sequence DESC LIMIT 1"
    assert stack.clickhouse_sql(newest) == "46\t0"
    assert stack.sql("SELECT count(*) FROM models") == "175"


def test_dirty_clickhouse_stops_the_migration(stack: Stack) -> None:
    try:
        stack.clickhouse_sql("INSERT INTO schema_migrations VALUES (46, 1, 9000000000000000000)")
        status, output = stack.migrate()
        assert status == 1
        assert "error: Dirty database version 46. Fix and force version." in output
    finally:
        stack.clickhouse_sql("DELETE FROM schema_migrations WHERE dirty = 1")


def test_failed_prisma_row_stops_the_migration(stack: Stack) -> None:
    where = "migration_name = '20260821121500_backfill_evaluator_v2'"
    try:
        stack.sql(f"UPDATE _prisma_migrations SET finished_at = NULL WHERE {where}")
        status, output = stack.migrate()
        assert (status, "P3009" in output) == (1, True)
    finally:
        stack.sql(f"UPDATE _prisma_migrations SET finished_at = now() WHERE {where}")


def test_clustered_schema_needs_a_cluster_and_leaves_dirty(stack: Stack) -> None:
    stack.clickhouse_sql("CREATE DATABASE IF NOT EXISTS clustered")
    status, output = stack.migrate(CLICKHOUSE_CLUSTER_ENABLED="-", CLICKHOUSE_DB="clustered")
    assert (status, "Applying clickhouse migrations failed." in output) == (1, True)


WEB_REFUSALS = [
    (
        {"SALT": "-"},
        "❌ Invalid environment variables: { SALT: [ 'A strong Salt is required to encrypt API keys securely.",
    ),
    ({"TELEMETRY_ENABLED": "True"}, "TELEMETRY_ENABLED"),
    ({"ENCRYPTION_KEY": "abc"}, "ENCRYPTION_KEY must be 256 bits, 64 string characters in hex format"),
    ({"LANGFUSE_S3_EVENT_UPLOAD_BUCKET": ""}, "Langfuse requires a bucket name for S3 Event Uploads."),
    ({"OTEL_TRACE_SAMPLING_RATIO": "0"}, "OTEL_TRACE_SAMPLING_RATIO"),
    (
        {"LANGFUSE_INIT_USER_EMAIL": "new@example.com", "LANGFUSE_INIT_USER_PASSWORD": "short"},
        "Password needs to be at least 8 characters long.",
    ),
    (
        {
            "DATABASE_URL": "postgresql://langfuse:pgsecret@postgres:5433/langfuse",
            "LANGFUSE_AUTO_POSTGRES_MIGRATION_DISABLED": "true",
        },
        "Failed to prepare server",
    ),
]


@pytest.mark.parametrize(("overrides", "text"), WEB_REFUSALS, ids=lambda v: str(v)[:40])
def test_web_stays_up_and_answers_500_for_ever(stack: Stack, overrides: dict[str, str], text: str) -> None:
    with extra(stack, "web", "bad", **overrides) as role:
        wait(lambda: "Failed to prepare server" in stack.logs(role))
        for path in ("/api/public/health", "/anything"):
            status, got, body = fetch("GET", stack.url(role) + path)
            assert (status, got["content-type"], body) == (500, "text/plain", b"Internal Server Error")
        logs = stack.logs(role)
        assert text in logs
        assert "✓ Ready in 0ms" in logs
        assert stack.status(role)[0] == "running"
        # By the signal itself: a drain would end with 0, and whoever ignores it with 137.
        docker("stop", "-t", "60", stack.container(role))
        assert stack.status(role) == ("exited", 143)


WORKER_REFUSALS = [
    ({"CLICKHOUSE_URL": "nonsense"}, '"CLICKHOUSE_URL"'),
    ({"REDIS_TLS_ENABLED": "yes"}, 'expected one of \\"true\\"|\\"false\\"'),
    ({"LANGFUSE_S3_EVENT_UPLOAD_BUCKET": "-"}, "Langfuse requires a bucket name for S3 Event Uploads."),
    ({"LANGFUSE_MIGRATION_V4_WRITE_MODE": "legacy"}, "Invalid V4 config"),
    ({"REDIS_SOCKET_TIMEOUT_MS": "500"}, "REDIS_SOCKET_TIMEOUT_MS"),
]


@pytest.mark.parametrize(("overrides", "text"), WORKER_REFUSALS, ids=lambda v: str(v)[:40])
def test_worker_exits(stack: Stack, overrides: dict[str, str], text: str) -> None:
    with extra(stack, "worker", "bad", **overrides) as role:
        wait(lambda: stack.status(role)[0] == "exited")
        assert stack.status(role)[1] == 1
        assert text in stack.logs(role)


def test_worker_variables_do_not_stop_web_nor_webs_the_worker(stack: Stack) -> None:
    with extra(stack, "web", "other", LANGFUSE_INGESTION_CLICKHOUSE_MAX_ATTEMPTS="none") as role:
        wait(lambda: health(stack, role)[0] == 200)
    with extra(stack, "worker", "other", AUTH_DISABLE_SIGNUP="True", SALT="-", NEXTAUTH_URL="-") as role:
        wait(lambda: health(stack, role)[0] == 200)


@pytest.mark.parametrize("kind", ["web", "worker"])
def test_without_hostname_only_the_own_address_answers(stack: Stack, kind: str) -> None:
    with extra(stack, kind, "bind", HOSTNAME="-") as role:
        wait(lambda: health(stack, role)[0] == 200)
        port = {"web": 3000, "worker": 3030}[kind]
        wget = ("exec", stack.container(role), "wget", "-q", "-T", "20", "-O", "/dev/null", f"http://127.0.0.1:{port}/")
        with pytest.raises(RuntimeError, match="Connection refused"):
            docker(*wget)
    with extra(stack, kind, "bind", HOSTNAME="") as role:
        wait(lambda: health(stack, role)[0] == 200)
        docker("exec", stack.container(role), "wget", "-q", "-T", "20", "-O", "/dev/null", f"http://127.0.0.1:{port}/")


def test_busybox_wget_names_the_status(stack: Stack) -> None:
    with pytest.raises(RuntimeError, match=r"server returned error: HTTP/1\.1 404"):
        docker(
            "exec", stack.container("worker"), "wget", "-q", "-T", "20", "-O", "/dev/null", "http://127.0.0.1:3030/no"
        )


@pytest.mark.parametrize("kind", ["web", "worker"])
def test_killing_pid_1_ends_the_container(stack: Stack, kind: str) -> None:
    with extra(stack, kind, "kill") as role:
        wait(lambda: health(stack, role)[0] == 200)
        docker("exec", stack.container(role), "sh", "-c", "kill -KILL -1", check=False)
        wait(lambda: stack.status(role) == ("exited", 137))


def test_web_drains(stack: Stack) -> None:
    with extra(stack, "web", "drain", STANDIN_DRAIN_SECONDS="20") as role:
        wait(lambda: health(stack, role)[0] == 200)
        url = stack.url(role)
        docker("kill", "-s", "TERM", stack.container(role))
        wait(lambda: fetch("GET", f"{url}/api/public/ready")[0] == 500, 15)
        text = b'{"status":"SIGTERM / SIGINT received, shutting down","version":"4.16.0"}'
        assert fetch("GET", f"{url}/api/public/ready")[2] == text
        assert health(stack, role)[0] == 200
        wait(lambda: stack.status(role) == ("exited", 0))


def test_worker_flushes_and_never_ends(stack: Stack) -> None:
    docker("kill", "-s", "TERM", stack.container("worker"))
    wait(lambda: "Shutdown complete, exiting process..." in stack.logs("worker"))
    assert fetch("GET", f"{stack.url('worker')}/api/health", timeout=2)[0] == 0
    trace, status, body = send(stack.url("web"))
    assert status == 200, body
    time.sleep(2)
    assert stack.status("worker")[0] == "running"
    docker("kill", "-s", "KILL", stack.container("worker"))
    docker("start", stack.container("worker"))
    assert arrives(stack.url("web"), trace)


def test_worker_before_the_migrations_never_seeds(stack: Stack) -> None:
    empty = "postgresql://langfuse:pgsecret@postgres:5432/postgres"
    with extra(stack, "worker", "early", DATABASE_URL=empty) as role:
        wait(lambda: health(stack, role)[0] == 200)
        wait(lambda: "Error upserting default model prices after" in stack.logs(role))
        wait(lambda: "Error running background migrations" in stack.logs(role))


def test_without_redis_both_start_and_nothing_is_ingested(stack: Stack) -> None:
    with extra(stack, "web", "noredis", REDIS_HOST="-") as role:
        wait(lambda: health(stack, role)[0] == 200)
        assert send(stack.url(role))[1] == 500
    with extra(stack, "worker", "noredis", REDIS_HOST="-") as role:
        wait(lambda: health(stack, role)[0] == 500)
        wait(lambda: "Failed to initialize redis connection" in stack.logs(role))


def test_dual_mode_writes_both_generations(stack: Stack) -> None:
    dual = {"LANGFUSE_MIGRATION_V4_WRITE_MODE": "dual", "REDIS_KEY_PREFIX": "dual"}
    with extra(stack, "web", "dual", **dual) as web, extra(stack, "worker", "dual", **dual) as worker:
        wait(lambda: health(stack, web)[0] == 200 and health(stack, worker)[0] == 200)
        url = stack.url(web)
        trace, _, _ = send(url)
        assert arrives(url, trace)
        wait(lambda: fetch_json("GET", f"{url}/api/public/traces/{trace}", None, headers())[0] == 200)
        found = fetch_json("GET", f"{url}/api/public/traces/{trace}", None, headers())[1]
        assert (found["id"], found["projectId"], len(found["observations"])) == (trace, "proj1", 1)
        assert fetch_json("GET", f"{url}/api/public/traces?limit=1", None, headers())[0] == 200
        missing = fetch_json("GET", f"{url}/api/public/traces/none", None, headers())
        assert missing == (
            404,
            {"message": "Trace none not found within authorized project", "error": "LangfuseNotFoundError"},
        )


def test_init_keeps_what_exists_and_forces_the_owner(stack: Stack) -> None:
    stack.sql("UPDATE organization_memberships SET role = 'VIEWER'")
    other = {
        "LANGFUSE_INIT_ORG_NAME": "Renamed",
        "LANGFUSE_INIT_PROJECT_SECRET_KEY": "sk-lf-changed",
        "LANGFUSE_INIT_USER_PASSWORD": "anotherpassword",
    }
    with extra(stack, "web", "init", **other) as role:
        wait(lambda: health(stack, role)[0] == 200)
        status, body = fetch_json("GET", f"{stack.url(role)}/api/public/projects", None, headers())
        assert (status, body["data"][0]["organization"]["name"]) == (200, "Org")
        status, _ = fetch_json("GET", f"{stack.url(role)}/api/public/projects", None, headers(secret="sk-lf-changed"))
        assert status == 401
    assert stack.sql("SELECT DISTINCT role FROM organization_memberships") == "OWNER"


def test_init_half_pairs_only_warn(stack: Stack) -> None:
    half = {"LANGFUSE_INIT_PROJECT_SECRET_KEY": "-", "LANGFUSE_INIT_USER_PASSWORD": "-"}
    with extra(stack, "web", "half", **half) as role:
        wait(lambda: health(stack, role)[0] == 200)
        assert "warn [Langfuse Init] Partial API key configuration" in stack.logs(role)
    with extra(stack, "web", "half", LANGFUSE_INIT_ORG_ID="-") as role:
        wait(lambda: health(stack, role)[0] == 200)
        assert "[Langfuse Init] LANGFUSE_INIT_ORG_ID is not set but" in stack.logs(role)


def test_changed_salt_heals_with_the_right_pair_only(stack: Stack) -> None:
    with extra(stack, "web", "salt", SALT="another") as role:
        wait(lambda: health(stack, role)[0] == 200)
        url = f"{stack.url(role)}/api/public/projects"
        assert fetch_json("GET", url, None, headers(public="pk-lf-wrong"))[0] == 401
        stack.redis("FLUSHALL")
        assert fetch_json("GET", url, None, headers())[0] == 200
    stack.redis("FLUSHALL")
    assert fetch_json("GET", f"{stack.url('web')}/api/public/projects", None, headers())[0] == 200


def test_logs_are_json_when_asked_and_never_hold_secrets(stack: Stack) -> None:
    with extra(stack, "web", "json", LANGFUSE_LOG_FORMAT="json", LANGFUSE_INIT_ORG_ID="-") as role:
        wait(lambda: health(stack, role)[0] == 200)
        assert '"level": "warn"' in stack.logs(role)
    for role in ("web", "worker"):
        for secret in ("pgsecret", "chsecret", "redissecret", "s3secret", "sk-lf-2222", "adminpassword"):
            assert secret not in stack.logs(role)
        assert "Langfuse contract stand-in 4.16.0 (not Langfuse itself)" in stack.logs(role)
