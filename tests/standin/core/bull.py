"""BullMQ's keys and state changes, in Lua as BullMQ does them, so that an ACL acts where it acts on the application.

Keys are `<prefix>:<queue>:<suffix>` with prefix `REDIS_KEY_PREFIX` or `bull`; cache keys are prefix + key.
"""

import json
from dataclasses import dataclass
from typing import Any

from .redis import Redis
from .resp import Reply
from .text import now_ms

QUEUES = [
    "trace-upsert",
    "trace-delete",
    "project-delete",
    "evaluation-execution-queue",
    "secondary-evaluation-execution-queue",
    "llm-as-a-judge-execution-queue",
    "code-eval-execution-queue",
    "dataset-run-item-upsert-queue",
    "batch-export-queue",
    "otel-ingestion-queue",
    "secondary-otel-ingestion-queue",
    "ingestion-queue",
    "secondary-ingestion-queue",
    "cloud-usage-metering-queue",
    "cloud-spend-alert-queue",
    "cloud-free-tier-usage-threshold-queue",
    "experiment-create-queue",
    "posthog-integration-queue",
    "posthog-integration-processing-queue",
    "mixpanel-integration-queue",
    "mixpanel-integration-processing-queue",
    "blobstorage-integration-queue",
    "blobstorage-integration-processing-queue",
    "core-data-s3-export-queue",
    "metering-data-postgres-export-queue",
    "data-retention-queue",
    "data-retention-processing-queue",
    "batch-action-queue",
    "create-eval-queue",
    "score-delete",
    "dataset-delete-queue",
    "dead-letter-retry-queue",
    "webhook-queue",
    "entity-change-queue",
    "event-propagation-queue",
    "notification-queue",
    "monitor-queue",
    "in-app-agent-run-queue",
    "v4-legacy-api-usage-queue",
]
CLOUD_ONLY = frozenset(
    [
        "cloud-usage-metering-queue",
        "cloud-spend-alert-queue",
        "cloud-free-tier-usage-threshold-queue",
        "core-data-s3-export-queue",
        "metering-data-postgres-export-queue",
    ]
)
STATES = ("active", "completed", "delayed", "failed", "paused", "prioritized", "waiting", "waiting-children")

# KEYS: id wait meta marker events delayed; ARGV: base name data opts timestamp delay [custom id]
_ADD = """
local id = ARGV[7]
redis.call("HSET", KEYS[3], "opts.maxLenEvents", 10000, "version", "bullmq:5.76.3")
if id == "" then id = tostring(redis.call("INCR", KEYS[1]))
elseif redis.call("EXISTS", ARGV[1] .. id) == 1 then return id end
redis.call("HMSET", ARGV[1] .. id, "name", ARGV[2], "data", ARGV[3], "opts", ARGV[4],
  "timestamp", ARGV[5], "delay", ARGV[6], "priority", 0)
redis.call("XADD", KEYS[5], "MAXLEN", "~", 10000, "*", "event", "added", "jobId", id, "name", ARGV[2])
if tonumber(ARGV[6]) > 0 then
  local at = tonumber(ARGV[5]) + tonumber(ARGV[6])
  redis.call("ZADD", KEYS[6], string.format("%.0f", at * 4096), id)
  redis.call("ZADD", KEYS[4], at, "1")
  redis.call("XADD", KEYS[5], "MAXLEN", "~", 10000, "*", "event", "delayed", "jobId", id, "delay", at)
else
  redis.call("LPUSH", KEYS[2], id)
  redis.call("ZADD", KEYS[4], 0, "0")
  redis.call("XADD", KEYS[5], "MAXLEN", "~", 10000, "*", "event", "waiting", "jobId", id)
end
return id
"""

# KEYS: wait active delayed marker events limiter; ARGV: base now token lock-ms limiter-ms
_TAKE = """
local last = string.format("%.0f", (tonumber(ARGV[2]) + 1) * 4096 - 1)
local due = redis.call("ZRANGEBYSCORE", KEYS[3], 0, last, "LIMIT", 0, 1000)
for _, id in ipairs(due) do
  redis.call("ZREM", KEYS[3], id)
  redis.call("HSET", ARGV[1] .. id, "delay", 0)
  redis.call("LPUSH", KEYS[1], id)
  redis.call("XADD", KEYS[5], "MAXLEN", "~", 10000, "*", "event", "waiting", "jobId", id, "prev", "delayed")
end
local held = redis.call("PTTL", KEYS[6])
if held > 0 then return {false, tonumber(ARGV[2]) + held} end
local id = redis.call("RPOPLPUSH", KEYS[1], KEYS[2])
if not id then
  local soon = redis.call("ZRANGE", KEYS[3], 0, 0, "WITHSCORES")
  return {false, soon[2] and math.floor(tonumber(soon[2]) / 4096) or 0}
end
if tonumber(ARGV[5]) > 0 then redis.call("SET", KEYS[6], 1, "PX", ARGV[5]) end
redis.call("SET", ARGV[1] .. id .. ":lock", ARGV[3], "PX", ARGV[4])
redis.call("HSET", ARGV[1] .. id, "processedOn", ARGV[2])
redis.call("HINCRBY", ARGV[1] .. id, "ats", 1)
redis.call("XADD", KEYS[5], "MAXLEN", "~", 10000, "*", "event", "active", "jobId", id, "prev", "waiting")
if redis.call("LLEN", KEYS[1]) > 0 then redis.call("ZADD", KEYS[4], 0, "0") end
return {id, redis.call("HGETALL", ARGV[1] .. id)}
"""

# KEYS: active events; ARGV: base id
_DONE = """
redis.call("LREM", KEYS[1], -1, ARGV[2])
redis.call("DEL", ARGV[1] .. ARGV[2] .. ":lock", ARGV[1] .. ARGV[2])
redis.call("XADD", KEYS[2], "MAXLEN", "~", 10000, "*", "event", "completed", "jobId", ARGV[2],
  "returnvalue", "null", "prev", "active")
return 1
"""

# KEYS: active events delayed failed marker; ARGV: base id now reason retry-at(0 = no more) keep
_FAIL = """
redis.call("LREM", KEYS[1], -1, ARGV[2])
redis.call("DEL", ARGV[1] .. ARGV[2] .. ":lock")
redis.call("HINCRBY", ARGV[1] .. ARGV[2], "atm", 1)
redis.call("HSET", ARGV[1] .. ARGV[2], "failedReason", ARGV[4])
if tonumber(ARGV[5]) > 0 then
  redis.call("ZADD", KEYS[3], string.format("%.0f", tonumber(ARGV[5]) * 4096), ARGV[2])
  redis.call("ZADD", KEYS[5], ARGV[5], "1")
  redis.call("XADD", KEYS[2], "MAXLEN", "~", 10000, "*", "event", "delayed", "jobId", ARGV[2], "delay", ARGV[5])
else
  redis.call("HSET", ARGV[1] .. ARGV[2], "finishedOn", ARGV[3])
  redis.call("ZADD", KEYS[4], ARGV[3], ARGV[2])
  redis.call("ZREMRANGEBYRANK", KEYS[4], 0, -1 - tonumber(ARGV[6]))
  redis.call("XADD", KEYS[2], "MAXLEN", "~", 10000, "*", "event", "failed", "jobId", ARGV[2],
    "failedReason", ARGV[4], "prev", "active")
end
return 1
"""

# KEYS: active wait marker stalled-check; ARGV: base interval-ms
_STALLED = """
if not redis.call("SET", KEYS[4], 1, "NX", "PX", ARGV[2]) then return 0 end
local moved = 0
for _, id in ipairs(redis.call("LRANGE", KEYS[1], 0, -1)) do
  if redis.call("EXISTS", ARGV[1] .. id .. ":lock") == 0 then
    redis.call("LREM", KEYS[1], 1, id)
    redis.call("RPUSH", KEYS[2], id)
    redis.call("ZADD", KEYS[3], 0, "0")
    moved = moved + 1
  end
end
return moved
"""


@dataclass(frozen=True)
class Job:
    id: str
    name: str
    data: Any
    opts: dict[str, Any]
    attempts_made: int


class Queue:
    """One queue; `redis` fails fast when it is down, as BullMQ producers do."""

    def __init__(self, redis: Redis, prefix: str | None, name: str) -> None:
        self.redis = redis
        self.name = name
        self.qualified = f"{prefix or 'bull'}:{name}"
        self.base = f"{self.qualified}:"

    def keys(self, *suffixes: str) -> list[str]:
        return [self.base + s for s in suffixes]

    async def _eval(self, script: str, keys: list[str], *args: str | int) -> Reply:
        return await self.redis.now("EVAL", script, len(keys), *keys, *args)

    async def add(
        self, name: str, data: Any, opts: dict[str, Any], *, delay_ms: int = 0, job_id: str = "", at: int | None = None
    ) -> str:
        keys = self.keys("id", "wait", "meta", "marker", "events", "delayed")
        body, options = json.dumps(data, separators=(",", ":")), json.dumps(opts, separators=(",", ":"))
        reply = await self._eval(_ADD, keys, self.base, name, body, options, at or now_ms(), delay_ms, job_id)
        return str(reply)

    async def take(self, token: str, limiter_ms: int = 0) -> Job | int:
        """A job, or the instant (ms, 0 = unknown) to look again."""
        keys = self.keys("wait", "active", "delayed", "marker", "events", "limiter")
        job_id, rest = await self._eval(_TAKE, keys, self.base, now_ms(), token, 30000, limiter_ms)
        if job_id is None:
            return int(rest)
        fields = dict(zip(rest[::2], rest[1::2], strict=True))
        if "name" not in fields:
            await self.done(job_id)
            return 1
        return Job(
            job_id,
            fields["name"],
            json.loads(fields["data"]),
            json.loads(fields.get("opts") or "{}"),
            int(fields.get("atm", 0)),
        )

    async def done(self, job_id: str) -> None:
        await self._eval(_DONE, self.keys("active", "events"), self.base, job_id)

    async def fail(self, job: Job, reason: str) -> bool:
        """True when it will be tried again: exponential backoff until `attempts` are used up."""
        made = job.attempts_made + 1
        retry_at = 0
        if made < int(job.opts.get("attempts", 1)):
            retry_at = now_ms() + int(job.opts.get("backoff", {}).get("delay", 0)) * 2 ** (made - 1)
        keep = job.opts.get("removeOnFail", 100000)
        keys = self.keys("active", "events", "delayed", "failed", "marker")
        await self._eval(
            _FAIL, keys, self.base, job.id, now_ms(), reason, retry_at, keep if isinstance(keep, int) else 100000
        )
        return retry_at > 0

    async def extend(self, job_id: str, token: str) -> None:
        await self.redis.now("SET", f"{self.base}{job_id}:lock", token, "PX", 30000)

    async def rescue_stalled(self) -> int:
        keys = self.keys("active", "wait", "marker", "stalled-check")
        return int(await self._eval(_STALLED, keys, self.base, 30000))

    async def counts(self) -> dict[str, int]:
        lists = {"active": "active", "paused": "paused", "waiting": "wait"}
        found = {}
        for state in STATES:
            command = "LLEN" if state in lists else "ZCARD"
            found[state] = int(await self.redis.now(command, self.base + lists.get(state, state)))
        return found

    async def retry_failed(self) -> int:
        ids = await self.redis.now("ZRANGE", self.base + "failed", 0, -1)
        for job_id in ids:
            await self.redis.now("ZREM", self.base + "failed", job_id)
            await self.redis.now("HDEL", self.base + job_id, "finishedOn", "failedReason", "atm", "ats")
            await self.redis.now("LPUSH", self.base + "wait", job_id)
        if ids:
            await self.redis.now("ZADD", self.base + "marker", 0, "0")
        return len(ids)

    async def remove(self, state: str) -> int:
        key = self.base + state
        listed = state in ("active", "paused", "wait")
        ids = await self.redis.now("LRANGE" if listed else "ZRANGE", key, 0, -1)
        for job_id in ids:
            await self.redis.now("DEL", self.base + job_id)
        await self.redis.now("DEL", key)
        return len(ids)

    async def register(self) -> None:
        await self.redis.now("HSET", self.base + "meta", "opts.maxLenEvents", 10000, "version", "bullmq:5.76.3")

    async def schedule(self, name: str, next_ms: int, pattern: str) -> None:
        """A job scheduler: the `repeat` keys exist only because a process registered them at its start."""
        await self.redis.now("ZADD", self.base + "repeat", next_ms, name)
        await self.redis.now("HSET", f"{self.base}repeat:{name}", "name", name, "pattern", pattern)
        delay = max(1, next_ms - now_ms())
        await self.add(name, {}, {"repeat": {"pattern": pattern}}, delay_ms=delay, job_id=f"repeat:{name}:{next_ms}")
