# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""langfuse_health on a project that works, and on one that is broken in every way the rules know."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import queue

from tests.integration.modules.stack import SECRETS, Stack, docker
from tests.waiting import wait

Result = dict[str, Any]
pytestmark = pytest.mark.engine


@pytest.fixture
def look(run: Any, stack: Stack) -> Any:
    """Run the module with everything it can be told, and changes; no secret of the project may come out."""

    def call(check: bool = False, **changes: Any) -> Result:
        result: Result = run("langfuse_health", check=check, **stack.options(**changes))
        text = str(result)
        leaked = [name for name, value in SECRETS.items() if value in text]
        assert not leaked, leaked
        return result

    return call


def codes(result: Result) -> list[str]:
    return [cause["code"] for cause in result["causes"]]


def statuses(result: Result) -> dict[str, str]:
    return {hop["name"]: hop["status"] for hop in result["hops"]}


def assert_broken(result: Result, hop: str, code: str) -> None:
    """The first broken hop and the first cause; the message holds cause and cure; the hop says it too."""
    assert (result["failed"], result["first_broken"], result["code"]) == (True, hop, code), "\n".join(result["table"])
    cause = result["causes"][0]
    assert cause["cause"] in result["msg"]
    assert cause["cure"] in result["msg"]
    broken = next(row for row in result["hops"] if row["name"] == hop)
    assert broken["cause"]
    assert "…" not in cause["cause"] + cause["cure"]


@contextlib.contextmanager
def stopped(stack: Stack, service: str, look: Any) -> Iterator[None]:
    """Stop a service; start it again and wait until all is well (SeaweedFS needs a while before it takes writes)."""
    stack.compose("stop", "-t", "1", service)
    try:
        yield
    finally:
        stack.compose("start", service)
        stack.start()
        wait(lambda: bool(look(trace_timeout=5, fail=False)["healthy"]), 180)


@contextlib.contextmanager
def web_with(stack: Stack, **environment: str | None) -> Iterator[None]:
    """Web recreated with another environment; a value of None removes the variable."""
    before = dict(stack.environment)
    merged = {**before, **environment}
    stack.environment = {name: value for name, value in merged.items() if value is not None}
    try:
        stack.compose("up", "-d", "--no-deps", "langfuse-web")
        wait(lambda: stack.settled("langfuse-web", f"{stack.url}/api/public/health"))
        yield
    finally:
        stack.environment = before
        stack.start()


def test_all_is_well(look: Any) -> None:
    result = look()
    assert (result.get("failed"), result["healthy"], result["changed"], result["causes"]) == (None, True, False, [])
    assert {name for name, status in statuses(result).items() if status != "ok"} == {"consumers", "ports"}
    assert result["application"] == {"version": "4.16.0"}
    assert result["trace"]["differences"] == []
    assert "containers" not in result


def test_diagnose_reads_the_containers_and_finds_nothing(look: Any) -> None:
    result = look(level="diagnose")
    assert (result["healthy"], codes(result)) == (True, [])
    web = next(row for row in result["containers"] if row["role"] == "web")
    assert (web["state"], web["env"]["REDIS_KEY_PREFIX"], "SALT" in web["env_names"], "SALT" in web["env"]) == (
        "running",
        "langfuse:",
        True,
        False,
    )


def test_check_mode_writes_nothing(look: Any, stack: Stack) -> None:
    before = stack.clickhouse("SELECT count() FROM events_full")
    result = look(check=True)
    assert {hop for hop, status in statuses(result).items() if status == "skipped"} == {
        "s3_write",
        "trace",
        "media",
        "consumers",
        "ports",
    }
    assert stack.clickhouse("SELECT count() FROM events_full") == before


@pytest.mark.parametrize(
    ("changes", "hop", "code"),
    [
        ({"postgres_password": "canaryWrong"}, "database", "database_password"),
        ({"postgres": {"host": "postgres", "database": "nope", "user": "langfuse"}}, "database", "database_missing"),
        ({"postgres": {"host": "postgres", "port": 1, "database": "langfuse", "user": "langfuse"}}, "database", "database_unreachable"),
        ({"clickhouse_password": "canaryWrong"}, "clickhouse", "clickhouse_password"),
        ({"clickhouse": {"url": "http://clickhouse:8123", "user": "langfuse", "database": "nope"}}, "clickhouse", "clickhouse_database_missing"),
        ({"redis_password": "canaryWrong"}, "queue", "redis_password"),
        ({"s3_secret_key": "canaryWrong"}, "s3_write", "s3_wrong_keys"),
        ({"s3_access_key": "nobody"}, "s3_write", "s3_wrong_keys"),
        ({"s3": {"endpoint": "http://seaweedfs:8333", "buckets": {"events": "lf-nope"}}}, "s3_write", "s3_bucket_missing"),
        ({"public_key": "pk-lf-other"}, "key", "key_wrong_public"),
        ({"public_key": "pk-lf-none", "secret_key": "sk-lf-canary-none"}, "key", "key_missing"),
        ({"secret_key": "sk-lf-canary-wrong"}, "key", "key_wrong_secret"),
        ({"project_id": "other"}, "key", "key_wrong_project"),
        ({"user_password": "canaryWrong"}, "sign_in", "sign_in_failed"),
        ({"user_email": "nobody@example.com"}, "sign_in", "sign_in_failed"),
        ({"url": "http://langfuse.invalid"}, "name", "name_unresolved"),
    ],
)  # fmt: skip
def test_what_was_given_is_wrong(look: Any, changes: Result, hop: str, code: str) -> None:
    assert_broken(look(**changes), hop, code)


def test_a_walk_ends_with_its_time(look: Any) -> None:
    result = look(timeout=0.3)
    assert result["failed"]
    assert "too_slow" in codes(result)
    assert "no time left" in [hop["detail"] for hop in result["hops"]]


def test_fail_is_a_choice(look: Any) -> None:
    assert "failed" not in look(user_password="canaryWrong", level="diagnose")
    assert "failed" not in look(user_password="canaryWrong", fail=False)
    assert look(user_password="canaryWrong", level="diagnose", fail=True)["failed"]


@pytest.mark.parametrize(
    "service", ["valkey", "postgres", "clickhouse", "seaweedfs", "langfuse-worker", "langfuse-web"]
)
def test_a_stopped_container(look: Any, stack: Stack, service: str) -> None:
    expected = {
        "valkey": ("key", "redis_down", {"redis": None}),
        "postgres": ("database", "database_unreachable", {"postgres": None}),
        "clickhouse": ("clickhouse", "clickhouse_down", {"clickhouse": None}),
        "seaweedfs": ("s3_write", "s3_down", {}),
        "langfuse-worker": ("worker", "worker_down", {"worker_url": None}),
        "langfuse-web": ("port", "web_down", {}),
    }
    hop, code, untold = expected[service]
    with stopped(stack, service, look):
        began = time.monotonic()
        assert_broken(look(trace_timeout=5), hop, code)
        assert time.monotonic() - began < 60, "it must not hang"
        if untold:
            assert look(trace_timeout=5, **untold)["code"] == code, "also without being told where it is"


def test_web_that_still_starts_is_waited_for(look: Any, stack: Stack) -> None:
    def begins() -> bool:
        stack.compose("up", "-d", "--no-deps", "--force-recreate", "-t", "1", "langfuse-web")
        return look(skip=["media", "sign_in", "refusals"])["first_broken"] in ("port", "web")

    # It may be up before somebody looks.
    wait(begins)
    result = look(wait=60)
    assert result["healthy"], "\n".join(result["table"])


def test_web_that_ended_is_not_waited_for(look: Any, stack: Stack) -> None:
    with stopped(stack, "langfuse-web", look):
        began = time.monotonic()
        assert_broken(look(wait=100), "port", "web_down")
        assert time.monotonic() - began < 90


def test_a_second_worker_that_ended(look: Any, stack: Stack) -> None:
    image = docker("inspect", "--format", "{{.Config.Image}}", f"{stack.project}-langfuse-worker-1").strip()
    labels = {"project": stack.project, "service": "langfuse-worker", "oneoff": "False"}
    words = [word for name, value in labels.items() for word in ("--label", f"com.docker.compose.{name}={value}")]
    name = f"{stack.project}-langfuse-worker-9"
    docker("run", "--detach", "--name", name, *words, "--entrypoint", "false", image)
    try:
        wait(lambda: docker("inspect", "--format", "{{.State.Status}}", name).strip() == "exited")
        result = look()
    finally:
        docker("rm", "--force", name)
    assert_broken(result, "containers", "container_unsound")
    assert f"{name} is exited (exit code 1)" in result["msg"]
    assert look()["healthy"]


def test_a_paused_worker(look: Any, stack: Stack) -> None:
    stack.compose("pause", "langfuse-worker")
    try:
        assert_broken(look(trace_timeout=3), "worker", "worker_down")
        result = look(trace_timeout=3, worker_url=None, runtime=None)
        assert result["code"] == "worker_not_consuming" or "redis" not in result
    finally:
        stack.compose("unpause", "langfuse-worker")
        stack.start()


def test_redis_that_may_forget(look: Any, stack: Stack) -> None:
    stack.redis("config", "set", "maxmemory-policy", "allkeys-lru")
    result = look()
    stack.redis("config", "set", "maxmemory-policy", "noeviction")
    assert (result["healthy"], codes(result)) == (True, ["redis_evicting"])
    assert "allkeys-lru" in result["causes"][0]["cause"]


def test_redis_that_has_forgotten(look: Any, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule that comes late is no loss: a worker answers before it has registered them."""
    stack.redis("flushall")
    result = look()
    monkeypatch.setattr(queue, "_REGISTERING", 60)
    late = threading.Timer(1, stack.redis, ("zadd", "langfuse::event-propagation-queue:repeat", "1", "late"))
    late.start()
    registering = look(timeout=300)
    late.join()
    stack.compose("restart", "-t", "1", "langfuse-web", "langfuse-worker")
    stack.start()
    assert (result["healthy"], codes(result)) == (True, ["redis_emptied"])
    assert (registering["healthy"], codes(registering)) == (True, [])
    assert codes(look(timeout=300)) == []


def test_redis_user_without_the_rights(look: Any, stack: Stack) -> None:
    stack.redis("acl", "setuser", "limited", "on", f">{SECRETS['redis']}", "~other:*", "+@all")
    result = look(redis={"host": "valkey", "prefix": "langfuse:", "username": "limited"})
    stack.redis("acl", "deluser", "limited")
    assert_broken(result, "queue", "redis_acl")


def test_schemas_left_dirty(look: Any, stack: Stack) -> None:
    stack.sql(
        "UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = (SELECT max(migration_name) FROM _prisma_migrations)"
    )
    result = look()
    stack.sql("UPDATE _prisma_migrations SET finished_at = now() WHERE finished_at IS NULL")
    assert_broken(result, "database", "dirty_schema_postgres")
    stack.clickhouse("INSERT INTO schema_migrations VALUES (46, 1, 9999999999999999999)")
    result = look()
    stack.clickhouse("ALTER TABLE schema_migrations DELETE WHERE dirty = 1 SETTINGS mutations_sync = 1")
    assert_broken(result, "clickhouse", "dirty_schema_clickhouse")
    assert "version 46" in result["msg"]
    assert "force 45" in result["msg"]


def test_clickhouse_that_loses_rows(look: Any, stack: Stack) -> None:
    def restart(raw_value: str) -> None:
        stack.write_profile(raw_value)
        stack.compose("restart", "-t", "1", "clickhouse")
        wait(lambda: "1" in stack.clickhouse("SELECT 1"))

    restart("0")
    try:
        assert_broken(look(trace_timeout=4), "clickhouse", "clickhouse_lost_rows")
        assert_broken(look(trace_timeout=20, clickhouse=None), "trace", "clickhouse_lost_rows")
    finally:
        restart("1")
    assert look()["healthy"]


@pytest.mark.parametrize(
    ("environment", "code", "named"),
    [
        ({"SALT": None}, "web_stuck_500", "SALT"),
        ({"LANGFUSE_MIGRATION_V4_ALLOW_PREVIEW_OPT_IN": "True"}, "web_stuck_500", "LANGFUSE_MIGRATION_V4_ALLOW_PREVIEW_OPT_IN"),
        ({"LANGFUSE_INIT_USER_EMAIL": "b@example.com", "LANGFUSE_INIT_USER_PASSWORD": "short"}, "init_failed", "LANGFUSE_INIT_USER_PASSWORD"),
        ({"DATABASE_URL": None}, "web_down", "exit code 1"),
        ({"LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT": "http://localhost:1"}, "media_endpoint_unreachable", "http://localhost:1"),
        ({"LANGFUSE_S3_MEDIA_UPLOAD_SECRET_ACCESS_KEY": "canaryOther"}, "s3_wrong_keys", "langfuse_s3_secret_key"),
        ({"LANGFUSE_S3_EVENT_UPLOAD_SECRET_ACCESS_KEY": "canaryOther"}, "s3_wrong_keys", "langfuse_s3_secret_key"),
        ({"LANGFUSE_S3_EVENT_UPLOAD_BUCKET": "lf-nowhere", "LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT": "http://nowhere:1"}, "s3_upload_failed", "langfuse_s3_"),
        ({"CLICKHOUSE_PASSWORD": "canaryOther"}, "clickhouse_password", "langfuse_clickhouse_password"),
    ],
)  # fmt: skip
def test_web_with_a_wrong_environment(look: Any, stack: Stack, environment: Result, code: str, named: str) -> None:
    with web_with(stack, **environment):
        result = look(trace_timeout=5)
        assert result["code"] == code, "\n".join(result["table"])
        assert named in result["msg"]
        assert all(value not in str(result) for value in environment.values() if value and value.startswith("canary"))


def test_the_worker_with_a_wrong_environment(look: Any, stack: Stack) -> None:
    for environment, code in (
        ({"REDIS_TLS_ENABLED": "True"}, "worker_invalid_env"),
        ({"REDIS_KEY_PREFIX": "x:"}, "settings_differ"),
    ):
        stack.worker_only = environment
        stack.compose("up", "-d", "--no-deps", "langfuse-worker")
        wait(lambda: stack.settled("langfuse-worker", None))
        result = look(trace_timeout=3)
        stack.worker_only = {}
        assert result["code"] == code, "\n".join(result["table"])
        assert next(iter(environment)) in result["msg"]
    stack.start()


def test_what_is_latent(look: Any, stack: Stack) -> None:
    with web_with(stack, HOSTNAME=None):
        assert codes(look()) == [], "verify does not look at what works"
        assert codes(look(level="diagnose")) == ["hostname_unset"]
    with web_with(stack, LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT="http://seaweedfs:8333"):
        assert codes(look()) == ["media_origin_blocked"]


def test_a_key_that_was_used_too_early(look: Any, stack: Stack) -> None:
    pair = {"public_key": "pk-lf-early", "secret_key": "sk-lf-canary-early"}
    assert look(**pair)["code"] == "key_missing"
    inner = hashlib.sha256(b"canarySalt1").hexdigest()
    fast = hashlib.sha256((pair["secret_key"] + inner).encode()).hexdigest()
    stack.sql(
        "INSERT INTO api_keys (id, note, public_key, hashed_secret_key, fast_hashed_secret_key, display_secret_key, scope, project_id)"
        f" SELECT 'early', '', 'pk-lf-early', 'x', '{fast}', 'sk-lf-...arly', scope, project_id FROM api_keys LIMIT 1"
    )
    result = look(**pair)
    stack.sql("DELETE FROM api_keys WHERE id = 'early'")
    assert_broken(result, "key", "negative_key_cache")


def test_ports_that_must_be_closed(look: Any, closed_port: str) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        closed = {"host": "127.0.0.1", "port": int(closed_port.split(":")[1]), "service": "clickhouse"}
        opened = {"host": "127.0.0.1", "port": listening.getsockname()[1], "service": "postgres"}
        assert statuses(look(closed_ports=[closed]))["ports"] == "ok"
        result = look(closed_ports=[closed, opened])
    assert_broken(result, "ports", "port_open")
    assert f"postgres at 127.0.0.1:{opened['port']}" in result["msg"]
    assert "clickhouse at" not in result["msg"]


def test_a_missing_library_is_a_reason_to_skip(look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("psycopg", "redis", "botocore"):
        monkeypatch.setitem(sys.modules, name, None)
    result = look()
    assert result["healthy"], result["table"]
    details = {hop["name"]: hop["detail"] for hop in result["hops"] if hop["status"] == "skipped"}
    assert {"database", "queue", "s3_write"} <= set(details)
    assert [details[hop].split()[-1] for hop in ("database", "queue", "s3_write")] == ["psycopg", "redis", "botocore"]


def test_the_project_is_the_one_asked_for(look: Any, stack: Stack) -> None:
    assert docker("ps", "-q", "--filter", f"label=com.docker.compose.project={stack.project}")
    result = look(
        level="diagnose",
        runtime={"project": "no-such-project"},
        postgres=None,
        redis=None,
        clickhouse=None,
        s3=None,
        worker_url=None,
    )
    assert "containers" not in result
