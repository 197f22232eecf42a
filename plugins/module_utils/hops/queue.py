# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redis and the worker: does the queue answer, keep what it is given, and is it emptied?"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import (
    FAILED,
    OK,
    SKIPPED,
    WARNING,
    Context,
    Finding,
    Missing,
    library,
    missing_finding,
    seen,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.redis_servers import node_address

QUEUES = ("otel-ingestion-queue", "ingestion-queue", "trace-upsert", "trace-delete")
# Queues whose schedules both processes register at their start and never again.
SCHEDULED = (
    "event-propagation-queue",
    "data-retention-queue",
    "blobstorage-integration-queue",
    "dead-letter-retry-queue",
)
# Seconds that they may come late: a worker answers before it has registered them.
_REGISTERING = 5.0
NEGATIVE = "api-key-non-existent"
Keys = Callable[[str, str], str]


def queue_key(prefix: str, queue: str, part: str, cluster: bool = False) -> str:
    """BullMQ's key: its own prefix is ``bull`` without a configured one, else the configured one plus a colon.

    In a cluster all keys of a queue have one hash tag, so that they lie on one node.
    """
    if cluster:
        return f"{{{prefix}:{queue}}}:{queue}:{part}" if prefix else f"{{{queue}}}:{queue}:{part}"
    return f"{prefix or 'bull'}:{queue}:{part}"


def _keys(ctx: Context) -> Keys:
    """The keys of this application: (queue, part) -> key."""
    options = ctx.params["redis"]
    return functools.partial(_key, options["prefix"], options["mode"] == "cluster")


def _key(prefix: str, cluster: bool, queue: str, part: str) -> str:
    return queue_key(prefix, queue, part, cluster)


def error_kind(name: str, text: str) -> str:
    """What an exception of the redis client means: unreachable, password, acl, disk, loading, other."""
    if "NOPERM" in text or name == "NoPermissionError":
        return "acl"
    if (
        name in ("AuthenticationError", "AuthenticationWrongNumberOfArgsError")
        or "WRONGPASS" in text
        or "NOAUTH" in text
    ):
        return "password"
    if "MISCONF" in text or "No space left" in text:
        return "disk"
    if "LOADING" in text:
        return "loading"
    if name in ("ConnectionError", "TimeoutError", "gaierror", "OSError", "ConnectionRefusedError"):
        return "unreachable"
    return "other"


def stuck(first: dict[str, int], second: dict[str, int]) -> bool:
    """Two looks at a queue: jobs wait, none is worked on, none has gone."""
    return 0 < first["waiting"] <= second["waiting"] and not first["active"] and not second["active"]


def queue(ctx: Context) -> Finding:
    options = ctx.params["redis"]
    if not options:
        return Finding(SKIPPED, "no redis options given")
    where = ",".join(options["nodes"]) or f"{options['host']}:{options['port']}"
    record: dict[str, Any] = {"error": None, "where": where, "user": options["username"] or "default"}
    try:
        redis = library("redis")
        client = _connect(ctx)
    except Missing as missing:
        return missing_finding(missing)
    ctx.evidence["redis"] = record
    try:
        client.ping()
        _read(ctx, client, options["prefix"], record)
    except (redis.RedisError, OSError) as error:
        text = " ".join(str(error).split())
        record.update(error=error_kind(type(error).__name__, text), text=text[:300])
        return Finding(FAILED, f"{where}: {text[:160]}")
    finally:
        client.close()
    return _judge(record)


def _connect(ctx: Context) -> Any:
    """A client of the server, of the master that sentinels name, or of a cluster."""
    options, redis = ctx.params["redis"], library("redis")
    backoff, retry = library("redis.backoff"), library("redis.retry")
    common: dict[str, Any] = {
        "ssl": options["tls"],
        "socket_connect_timeout": min(3.0, ctx.patience),
        "socket_timeout": ctx.patience,
        "decode_responses": True,
    }
    if options["tls"]:
        common["ssl_ca_certs"] = ctx.params["ca_path"]
        common["ssl_cert_reqs"] = "required" if ctx.params["validate_certs"] else "none"
    login = {"username": options["username"], "password": ctx.params["redis_password"] or None}
    nodes = [node_address(node) for node in options["nodes"]]
    if options["mode"] == "cluster":
        start = [library("redis.cluster").ClusterNode(*node) for node in nodes]
        return redis.RedisCluster(startup_nodes=start, **common, **login)
    common["retry"] = retry.Retry(backoff.NoBackoff(), 0)
    if options["mode"] == "sentinel":
        own = {"username": options["sentinel_username"], "password": ctx.params["redis_sentinel_password"] or None}
        sentinel = library("redis.sentinel").Sentinel(nodes, sentinel_kwargs={**common, **own}, **common, **login)
        return sentinel.master_for(options["sentinel_master"])
    return redis.Redis(host=options["host"], port=options["port"], **common, **login)


def look_again(ctx: Context) -> None:
    """How many traces wait now that one did not arrive: nobody takes them, or they were taken and lost."""
    if not ctx.evidence.get("redis", {}).get("queues"):
        return
    client = _connect(ctx)
    try:
        depth = _depths(client, _keys(ctx))[QUEUES[0]]
        ctx.evidence["redis"]["waiting_after_trace"] = depth["waiting"]
    except (library("redis").RedisError, OSError):
        return
    finally:
        client.close()


def _judge(record: dict[str, Any]) -> Finding:
    queues = record["queues"]
    waiting = sum(row["waiting"] for row in queues.values())
    if record["stuck"]:
        return Finding(FAILED, f"{waiting} jobs wait in {', '.join(record['stuck'])} and nobody takes them")
    if record["policy"] not in ("noeviction", ""):
        return Finding(WARNING, f"maxmemory-policy is {record['policy']}, jobs may vanish")
    if not record["schedules"]:
        return Finding(WARNING, "no schedules: Redis was emptied after web and worker started")
    failed = sum(row["failed"] for row in queues.values())
    if failed:
        return Finding(WARNING, f"{failed} jobs failed for good; {waiting} waiting")
    return Finding(OK, f"{record['product']} {record['version']}, {waiting} waiting")


def _read(ctx: Context, client: Any, prefix: str, record: dict[str, Any]) -> None:
    info = client.info()
    record.update(
        version=str(info.get("valkey_version") or info.get("redis_version", "")),
        product="Valkey" if info.get("valkey_version") else "Redis",
        policy=str(info.get("maxmemory_policy", "")),
        maxmemory=int(info.get("maxmemory", 0)),
        evicted=int(info.get("evicted_keys", 0)),
    )
    # The two kinds of keys of the application: BullMQ's, and the cache's, which take the prefix without a separator.
    client.get(f"{prefix}langfuse:verify")
    keys = _keys(ctx)
    first = _depths(client, keys)
    record["schedules"] = _schedules(client, keys, min(_REGISTERING, ctx.left / 4))
    # The trace of this very walk may be under way.
    own = {QUEUES[0]: 1} if ctx.evidence.get("trace") else {}
    waiting = [name for name, row in first.items() if row["waiting"] > own.get(name, 0) and not row["active"]]
    record["stuck"] = []
    if waiting:
        time.sleep(min(1.5, ctx.left / 4))
        second = _depths(client, keys)
        record["stuck"] = [name for name in waiting if stuck(first[name], second[name])]
    record["queues"] = first
    project = ctx.params["project_id"] or next(iter(ctx.evidence.get("key", {}).get("projects", [])), "")
    if project:
        # The worker's own count of requests to API paths of v3, by project.
        counted = client.get(f"{prefix}langfuse:v4:legacy-api-usage:v1:{project}")
        record["legacy_usage"] = re.findall(r'"entrypoint"\s*:\s*"([^"]+)"', str(counted or ""))[:5]
    fast_hash = ctx.evidence.get("private", {}).get("fast_hash")
    if fast_hash:
        record["negative_key"] = NEGATIVE in str(client.get(f"{prefix}api-key:{fast_hash}") or "")


def _schedules(client: Any, keys: Keys, patience: float) -> list[str]:
    """The scheduled queues that have a schedule; none only when none came within ``patience`` seconds."""
    until = time.monotonic() + patience
    while True:
        found = [name for name in SCHEDULED if client.exists(keys(name, "repeat"))]
        if found or time.monotonic() > until:
            return found
        time.sleep(0.2)


def _depths(client: Any, keys: Keys) -> dict[str, dict[str, int]]:
    pipe = client.pipeline(transaction=False)
    for name in QUEUES:
        pipe.llen(keys(name, "wait"))
        pipe.llen(keys(name, "active"))
        pipe.zcard(keys(name, "delayed"))
        pipe.zcard(keys(name, "failed"))
    flat = pipe.execute()
    parts = ("waiting", "active", "delayed", "failed")
    return {name: dict(zip(parts, map(int, flat[4 * i : 4 * i + 4]))) for i, name in enumerate(QUEUES)}


def worker(ctx: Context) -> Finding:
    """The worker's own health: PostgreSQL and Redis as it sees them, and whether its queues are consumed."""
    url = ctx.params["worker_url"]
    if not url:
        return Finding(SKIPPED, "no worker_url given")
    client = ctx.client(url)
    try:
        answer = client.request("GET", "/api/health?failIfQueueConsumptionStuck=true", timeout=ctx.patience)
    except http_client.Unreachable as error:
        ctx.evidence["worker"] = seen(error)
        return Finding(FAILED, f"{error.where} gives no answer: {error.detail}")
    finally:
        client.close()
    body = answer.json() or {}
    ctx.evidence["worker"] = {
        "kind": None,
        "status": answer.status,
        "text": answer.text(200),
        "consumption": body.get("queueConsumption") if isinstance(body, dict) else None,
    }
    if answer.status != 200:
        return Finding(FAILED, f"/api/health answered {answer.status}: {answer.text(120)}")
    consumption = ctx.evidence["worker"]["consumption"] or {}
    count = consumption.get("registeredWorkerCount")
    return Finding(OK, f"healthy, {count} queues registered" if count is not None else "healthy")
