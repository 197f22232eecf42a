"""Endpoints of the instance's administrator: `Authorization: Bearer $ADMIN_API_KEY` (facts 4.7, 6.3)."""

import datetime as dt
import json
import uuid
from typing import Any

from aiohttp import web

from ..core.bull import CLOUD_ONLY, QUEUES
from ..core.crons import CRONS
from ..core.log import log
from ..core.resp import RedisDown, RedisError
from ..core.text import iso_ms, now_ms
from .answers import Answer, json_body, method_not_allowed, reply
from .auth import require_admin
from .context import Context

_PLAN = "This feature is not available on your current plan."


def _zod(issues: list[dict[str, Any]]) -> Answer:
    return Answer(400, {"error": {"name": "ZodError", "message": json.dumps(issues, indent=2)}})


async def organizations(context: Context, request: web.BaseRequest) -> web.Response:
    require_admin(context, request)
    raise Answer(403, {"error": _PLAN})


async def bullmq(context: Context, request: web.BaseRequest) -> web.Response:
    require_admin(context, request)
    if request.method == "GET":
        await _register_once(context)
        return reply(200, [await _counts(context, name) for name in QUEUES])
    if request.method != "POST":
        raise method_not_allowed()
    body = await json_body(request)
    action, names = body.get("action"), body.get("queueNames")
    if action not in ("retry", "remove") or not isinstance(names, list):
        raise _zod([_discriminator("action")])
    for name in names:
        if name in QUEUES and name not in CLOUD_ONLY:
            queue = context.queue(name)
            await (queue.retry_failed() if action == "retry" else queue.remove(str(body.get("bullStatus"))))
    done = "retried" if action == "retry" else "removed"
    return reply(200, {"message": f"Jobs {done} for queues {', '.join(map(str, names))}"})


async def _register_once(context: Context) -> None:
    """The first look instantiates the queues, which registers their schedules from this process."""
    if context.registered or not context.queues.configured:
        return
    try:
        for cron in CRONS:
            await context.queue(cron.queue).schedule(cron.job, cron.next_ms(dt.datetime.now(dt.UTC)), cron.pattern)
        context.registered = True
    except (RedisDown, RedisError) as exc:
        log.error(f"Failed to register queues: {exc}")


def _discriminator(name: str) -> dict[str, Any]:
    return {
        "code": "invalid_union",
        "errors": [],
        "note": "No matching discriminator",
        "discriminator": name,
        "path": [name],
        "message": "Invalid input",
    }


async def _counts(context: Context, name: str) -> dict[str, Any]:
    if name in CLOUD_ONLY or not context.queues.configured:
        return {"queueName": name}
    try:
        return {"queueName": name, "jobCount": await context.queue(name).counts()}
    except (RedisDown, RedisError):
        return {"queueName": name, "jobCount": None}


async def _forget(context: Context, pattern_ids: set[str] | None) -> int:
    """Deletes cached keys, of these projects or all of them."""
    cursor, gone = "0", 0
    while True:
        cursor, keys = await context.cache.wait("SCAN", cursor, "MATCH", f"{context.prefix}api-key:*", "COUNT", 500)
        for key in keys:
            if pattern_ids is not None:
                found = json.loads(await context.cache.wait("GET", key) or "null")
                if not isinstance(found, dict) or found.get("projectId") not in pattern_ids:
                    continue
            gone += int(await context.cache.wait("DEL", key))
        if str(cursor) == "0":
            return gone


async def api_keys(context: Context, request: web.BaseRequest) -> web.Response:
    require_admin(context, request)
    body = await json_body(request)
    action, projects = body.get("action"), body.get("projectIds")
    if action == "invalidate-all":
        gone = await _forget(context, None)
        return reply(200, {"message": "All cached API keys invalidated", "invalidatedCount": gone})
    if action not in ("delete", "invalidate"):
        raise _zod([_discriminator("action")])
    if not isinstance(projects, list):
        text = "Invalid input: expected array, received undefined"
        raise _zod([{"expected": "array", "code": "invalid_type", "path": ["projectIds"], "message": text}])
    if action == "delete":
        await context.postgres.rows("DELETE FROM api_keys WHERE project_id = ANY(%s)", (projects,))
    gone = await _forget(context, set(projects))
    word = "deleted" if action == "delete" else "invalidated"
    return reply(200, {"message": f"API keys {word}", "invalidatedCount": gone})


async def replay(context: Context, request: web.BaseRequest) -> web.Response:
    """OTel keys are used as given but must start with `otel/`, so only an empty prefix lets them be found again."""
    require_admin(context, request)
    keys = (await json_body(request)).get("keys")
    if not isinstance(keys, list):
        text = "Invalid input: expected array, received undefined"
        raise _zod([{"expected": "array", "code": "invalid_type", "path": ["keys"], "message": text}])
    if not 1 <= len(keys) <= 1000:
        raise _zod([{"code": "too_big" if keys else "too_small", "path": ["keys"], "message": "Invalid input"}])
    queued = skipped = 0
    errors: list[str] = []
    for key in keys:
        parts = str(key).split("/")
        if parts[0] == "otel" and len(parts) >= 8:
            await _replay_otel(context, str(key), parts[1])
            queued += 1
        elif len(parts) == 4 and parts[1] == "score":
            await _replay_score(context, parts)
            queued += 1
        else:
            skipped += 1
            errors.append(f"Unsupported replay type: {parts[1] if len(parts) > 1 else parts[0]}")
    return reply(200, {"queued": queued, "skipped": skipped, "errors": errors})


_OPTS = {
    "attempts": 6,
    "removeOnComplete": True,
    "removeOnFail": 100000,
    "backoff": {"type": "exponential", "delay": 5000},
}


def _job(name: str, project: str, data: dict[str, str]) -> dict[str, Any]:
    scope = {"validKey": True, "scope": {"projectId": project, "accessLevel": "project"}}
    payload = {"data": data, "authCheck": scope, "sdkName": "unknown", "sdkVersion": "unknown", "ingestionVersion": ""}
    return {"id": str(uuid.uuid4()), "timestamp": iso_ms(now_ms()), "name": name, "payload": payload}


async def _replay_otel(context: Context, key: str, project: str) -> None:
    data = _job("otel-ingestion-job", project, {"fileKey": key})
    await context.queue("otel-ingestion-queue").add("otel-ingestion-job", data, _OPTS)


async def _replay_score(context: Context, parts: list[str]) -> None:
    data = {"type": "score-create", "eventBodyId": parts[2], "fileKey": parts[3].removesuffix(".json")}
    await context.queue("ingestion-queue").add("ingestion-job", _job("ingestion-job", parts[0], data), _OPTS)
