"""What the pair does when a store is wrong, down, emptied or killed."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.integration.standin.probe import arrives, headers, readable, send
from tests.integration.standin.stack import PUBLIC_KEY, Stack, docker, fetch, fetch_json
from tests.integration.standin.test_boot import extra, health
from tests.waiting import wait

pytestmark = pytest.mark.engine


@contextmanager
def down(stack: Stack, role: str) -> Iterator[None]:
    docker("stop", "-t", "5", stack.container(role))
    try:
        yield
    finally:
        docker("start", stack.container(role))
        if role == "postgres":
            wait(
                lambda: (
                    "accepting" in docker("exec", stack.container(role), "pg_isready", "-h", "127.0.0.1", check=False)
                )
            )
        if role == "clickhouse":
            wait(lambda: fetch("GET", f"{stack.url(role)}/ping")[0] == 200)


def admin(method: str, url: str, body: object = None) -> tuple[int, object]:
    return fetch_json(method, url, body, {"Authorization": "Bearer adminkey-1234567890"})


def test_wrong_storage_keys(stack: Stack) -> None:
    wrong = {"LANGFUSE_S3_EVENT_UPLOAD_SECRET_ACCESS_KEY": "wrong"}
    with extra(stack, "web", "s3", **wrong) as role:
        wait(lambda: health(stack, role)[0] == 200)
        _, status, body = send(stack.url(role))
        assert (status, body) == (500, {"message": "Internal Server Error", "error": "Failed to upload JSON to S3"})
        score = {"traceId": "t", "name": "s", "value": 1}
        assert fetch_json("POST", f"{stack.url(role)}/api/public/scores", score, headers())[0] == 500
        assert "S3 request failed; emitting diagnostics" in stack.logs(role)


def test_media_has_its_own_keys(stack: Stack) -> None:
    with extra(stack, "web", "media", LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT="https://media.example:8443") as role:
        wait(lambda: health(stack, role)[0] == 200)
        media = {
            "traceId": "t",
            "contentType": "image/png",
            "contentLength": 3,
            "field": "input",
            "sha256Hash": "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
        }
        status, body = fetch_json("POST", f"{stack.url(role)}/api/public/media", media, headers())
        assert status == 201
        assert body["mediaId"] == "ungWv48Bz-pBQUDeXa4iI7"
        assert body["uploadUrl"].startswith(
            "https://media.example:8443/langfuse/media/proj1/ungWv48Bz-pBQUDeXa4iI7.png?"
        )


def test_clickhouse_down_reads_fail_and_health_does_not(stack: Stack) -> None:
    with down(stack, "clickhouse"):
        status, body = fetch_json("GET", f"{stack.url('web')}/api/public/v2/observations", None, headers())
        assert (status, body["message"]) == (500, "Internal Server Error")
        assert body["error"].startswith(("connect E", "getaddrinfo"))
        assert health(stack, "web")[0] == health(stack, "worker")[0] == 200


def test_three_attempts_drop_and_replay_brings_back(stack: Stack) -> None:
    """Default attempts: rows accepted while ClickHouse was away for 6 s are gone; their objects are not."""
    with down(stack, "clickhouse"):
        trace, status, body = send(stack.url("web"))
        assert status == 200
        wait(lambda: "Max attempts reached, dropped 1 events_full record(s)" in stack.logs("worker"))
    time.sleep(2)
    assert not readable(stack.url("web"), trace)
    key = body["data"]["payload"]["data"]["fileKey"]
    replay = f"{stack.url('web')}/api/admin/ingestion-replay"
    assert admin("POST", replay, {"keys": [key]}) == (
        200,
        {"queued": 0, "skipped": 1, "errors": ["Unsupported replay type: otel"]},
    )
    assert admin("POST", replay, {"keys": [key.removeprefix("events/")]})[1] == {
        "queued": 1,
        "skipped": 0,
        "errors": [],
    }
    wait(lambda: "NoSuchKey" in stack.logs("worker"))
    assert not readable(stack.url("web"), trace)


def test_replay_works_with_an_empty_prefix(stack: Stack) -> None:
    plain = {"LANGFUSE_S3_EVENT_UPLOAD_PREFIX": "", "REDIS_KEY_PREFIX": "replay"}
    with extra(stack, "web", "plain", **plain) as web, extra(stack, "worker", "plain", **plain) as worker:
        wait(lambda: health(stack, web)[0] == 200 and health(stack, worker)[0] == 200)
        trace, _, body = send(stack.url(web))
        assert arrives(stack.url(web), trace)
        stack.clickhouse_sql(f"DELETE FROM events_core WHERE trace_id = '{trace}'")
        stack.clickhouse_sql(f"DELETE FROM events_full WHERE trace_id = '{trace}'")
        assert not readable(stack.url(web), trace)
        keys = [body["data"]["payload"]["data"]["fileKey"]]
        assert keys[0].startswith("otel/proj1/")
        assert admin("POST", f"{stack.url(web)}/api/admin/ingestion-replay", {"keys": keys})[0] == 200
        assert arrives(stack.url(web), trace)


def test_six_hundred_attempts_keep_every_row(stack: Stack) -> None:
    many = {"LANGFUSE_INGESTION_CLICKHOUSE_MAX_ATTEMPTS": "600", "REDIS_KEY_PREFIX": "many"}
    with extra(stack, "web", "many", **many) as web, extra(stack, "worker", "many", **many) as worker:
        wait(lambda: health(stack, web)[0] == 200 and health(stack, worker)[0] == 200)
        with down(stack, "clickhouse"):
            traces = [send(stack.url(web)) for _ in range(20)]
            time.sleep(6)
        assert all(status == 200 for _, status, _ in traces)
        assert all(arrives(stack.url(web), trace) for trace, _, _ in traces)


def test_postgres_down(stack: Stack) -> None:
    url = stack.url("web")
    send(url)
    with down(stack, "postgres"):
        assert health(stack, "web")[0] == 200
        assert fetch("GET", f"{url}/api/public/health?failIfDatabaseUnavailable=true")[0] == 503
        wait(lambda: health(stack, "worker")[::2] == (500, '{"status":"error"}'))
        trace, status, _ = send(url)
        assert status == 200
        assert fetch_json("GET", f"{url}/api/public/projects", None, headers()) == (
            500,
            {"message": "Internal server error"},
        )
        assert fetch("GET", f"{url}/api/public/projects", None, headers(secret="new"))[2] == b"Internal Server Error"
    assert arrives(url, trace)
    wait(lambda: health(stack, "worker")[0] == 200)


def test_redis_down_hangs_callers_while_health_is_green(stack: Stack) -> None:
    url, answers = stack.url("web"), []
    caller = threading.Thread(target=lambda: answers.append(send(url, timeout=90)))
    with down(stack, "redis"):
        caller.start()
        time.sleep(6)
        assert answers == []
        assert health(stack, "web")[0] == 200
        assert health(stack, "worker")[0] == 500
    caller.join(120)
    trace, status, body = answers[0]
    # It hung until the cache answered; by then the queue's own client is back, or still refuses at once.
    assert status == 200 or (status == 500 and "enableOfflineQueue" in str(body))
    if status == 200:
        assert arrives(url, trace)


def test_emptied_redis_has_no_schedules_until_a_restart(stack: Stack) -> None:
    stack.redis("FLUSHALL")
    trace, _, _ = send(stack.url("web"))
    assert arrives(stack.url("web"), trace)
    assert stack.redis("--scan", "--pattern", "*:repeat*") == ""
    stuck = fetch_json("GET", f"{stack.url('worker')}/api/health?failIfEventPropagationStuck=true")[1]
    assert (stuck["eventPropagation"]["stuck"], stuck["eventPropagation"]["lastRunStartedAt"]) == (False, None)
    docker("restart", "-t", "1", stack.container("worker"))
    wait(lambda: health(stack, "worker")[0] == 200)
    wait(lambda: "event-propagation-queue:repeat" in stack.redis("--scan", "--pattern", "*:repeat*"))


def test_eviction_policy_is_named(stack: Stack) -> None:
    stack.redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with extra(stack, "worker", "evict") as role:
            wait(lambda: 'IMPORTANT! Eviction policy is allkeys-lru. It should be "noeviction"' in stack.logs(role))
    finally:
        stack.redis("CONFIG", "SET", "maxmemory-policy", "noeviction")


RIGHTS = ("+@all", "-@admin", "-@dangerous", "+info")


@pytest.mark.parametrize(("prefix", "denied"), [("langfuse:", False), ("langfuse", True)])
def test_key_prefix_under_an_acl(stack: Stack, prefix: str, denied: bool) -> None:
    """Without the colon ingestion and health look fine, and every cache key is refused."""
    stack.redis("ACL", "SETUSER", "app", "on", ">apppass", "~langfuse:*", "&*", *RIGHTS)
    stack.redis("ACL", "LOG", "RESET")
    who = {"REDIS_USERNAME": "app", "REDIS_AUTH": "apppass", "REDIS_KEY_PREFIX": prefix}
    with extra(stack, "web", "acl", **who) as web, extra(stack, "worker", "acl", **who) as worker:
        wait(lambda: health(stack, web)[0] == 200 and health(stack, worker)[0] == 200)
        trace, status, _ = send(stack.url(web))
        assert status == 200
        assert arrives(stack.url(web), trace)
        assert ("api-key:" in stack.redis("ACL", "LOG")) == denied
        assert ("NOPERM" in stack.logs(web)) == denied
        assert bool(stack.redis("--scan", "--pattern", f"{prefix}:otel-ingestion-queue:*"))
        assert bool(stack.redis("--scan", "--pattern", f"{prefix}api-key:*")) != denied


def test_wrong_key_is_cached_as_missing_and_can_be_invalidated(stack: Stack) -> None:
    """Every use renews the answer, and creating the key does not clear it."""
    url, secret = f"{stack.url('web')}/api/public/projects", f"sk-lf-{uuid.uuid4()}"
    salted = hashlib.sha256((secret + hashlib.sha256(b"salt").hexdigest()).encode()).hexdigest()
    key = f"api-key:{salted}"
    started = time.monotonic()
    assert fetch_json("GET", url, None, headers(secret=secret))[0] == 401
    assert time.monotonic() - started > 0.05
    assert stack.redis("GET", key) == '"api-key-non-existent"'
    stack.redis("EXPIRE", key, "100")
    stack.sql(f"UPDATE api_keys SET fast_hashed_secret_key = '{salted}' WHERE public_key = '{PUBLIC_KEY}'")
    try:
        assert fetch_json("GET", url, None, headers(secret=secret))[0] == 401
        assert int(stack.redis("TTL", key)) > 200
        assert admin("POST", f"{stack.url('web')}/api/admin/api-keys", {"action": "invalidate-all"})[0] == 200
        assert stack.redis("--scan", "--pattern", "api-key:*") == ""
        assert fetch_json("GET", url, None, headers(secret=secret))[0] == 200
    finally:
        stack.redis("DEL", key)
        stack.sql("UPDATE api_keys SET fast_hashed_secret_key = NULL")


def test_worker_killed_while_jobs_wait(stack: Stack) -> None:
    docker("kill", stack.container("worker"))
    traces = [send(stack.url("web")) for _ in range(10)]
    assert all(status == 200 for _, status, _ in traces)
    status, counts = admin("GET", f"{stack.url('web')}/api/admin/bullmq")
    assert isinstance(counts, list)
    waiting = {c["queueName"]: c["jobCount"]["waiting"] for c in counts if "jobCount" in c}
    assert (status, waiting["otel-ingestion-queue"]) == (200, 10)
    docker("start", stack.container("worker"))
    assert all(arrives(stack.url("web"), trace) for trace, _, _ in traces)


def test_twenty_traces_a_second(stack: Stack) -> None:
    url = stack.url("web")

    def one(number: int) -> str:
        time.sleep(number / 40)
        trace, status, _ = send(url)
        assert status == 200
        return trace

    with ThreadPoolExecutor(40) as pool:
        traces = list(pool.map(one, range(200)))
    assert all(arrives(url, trace) for trace in traces)
    for role in ("web", "worker"):
        used = docker("stats", "--no-stream", "--format", "{{.MemUsage}}", stack.container(role)).split("MiB")[0]
        assert float(used) < 150


def test_new_clickhouse_without_the_setting_loses_traces() -> None:
    """ClickHouse 26.8 and later read DateTime64 numbers as seconds: accepted, green, gone."""
    trap = Stack(raw_datetime=False)
    try:
        trap.up()
        trace, status, _ = send(trap.url("web"))
        assert status == 200
        score = {"traceId": trace, "name": "s", "value": 1, "dataType": "NUMERIC"}
        assert fetch_json("POST", f"{trap.url('web')}/api/public/scores", score, headers())[0] == 200
        wait(lambda: "Max attempts reached, dropped 1 events_full record(s)" in trap.logs("worker"))
        assert "Numeric value is out of range for DateTime64" in trap.logs("worker")
        assert health(trap, "web")[0] == health(trap, "worker")[0] == 200
        assert not readable(trap.url("web"), trace)
        query = urllib.parse.urlencode({"traceId": trace})
        found: list[dict[str, str]] = []

        def stored() -> bool:
            found[:] = fetch_json("GET", f"{trap.url('web')}/api/public/v3/scores?{query}", None, headers())[1]["data"]
            return bool(found)

        wait(stored)
        assert found[0]["timestamp"] == "9999-12-31T23:59:59.000Z", json.dumps(found)
    finally:
        trap.down()
