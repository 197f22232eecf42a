"""Ingestion: OTLP traces, the event batch and scores. S3 first, then the job in Redis (facts 4.1 to 4.3)."""

import datetime as dt
import json
import time
import uuid
from typing import Any
from urllib.parse import quote

from aiohttp import web

from ..core.log import log
from ..core.resp import RedisDown, RedisError
from ..core.s3 import StorageError
from ..core.text import iso_ms, now_ms, parse_iso
from ..otel.export import Refused, ingestion_version, read
from ..otel.mapping import object_key
from .answers import Answer, internal_error, invalid, issue_missing, json_body, reply
from .auth import Authenticator, Caller, Unauthorized, project_caller
from .context import Context

_OPTS: dict[str, Any] = {
    "attempts": 6,
    "removeOnComplete": True,
    "removeOnFail": 100000,
    "backoff": {"type": "exponential", "delay": 5000},
}
_TYPES = frozenset(
    [
        "trace-create",
        "score-create",
        "event-create",
        "span-create",
        "span-update",
        "generation-create",
        "generation-update",
        "agent-create",
        "tool-create",
        "chain-create",
        "retriever-create",
        "evaluator-create",
        "embedding-create",
        "guardrail-create",
        "sdk-log",
        "dataset-run-item-create",
        "observation-create",
        "observation-update",
    ]
)
_NOT_ACCEPTED = (
    'Event type "{}" is not accepted by /api/public/ingestion when LANGFUSE_MIGRATION_V4_WRITE_MODE is events_only. '
    "This endpoint only accepts score and log events. Upgrade the client or integration to a v4-compatible SDK or OTLP "
    "ingestion path. As a temporary migration bridge, set LANGFUSE_MIGRATION_V4_WRITE_MODE=dual on both the web and "
    "worker services and redeploy. Docs: https://langfuse.com/self-hosting/upgrade/upgrade-guides/upgrade-v3-to-v4"
)
_NOT_RECORDED = "Outside the contract of the stand-in: legacy events were not recorded."
_LIMIT = int(4.5 * 1024 * 1024)


def _scope(caller: Caller) -> dict[str, Any]:
    return {
        "validKey": True,
        "scope": {"projectId": caller.project_id, "accessLevel": caller.access, "orgId": caller.org_id},
    }


def _tracing(route: str, caller: Caller, version: str) -> dict[str, str]:
    header = f"langfuse.header.x-langfuse-ingestion-version={version}," if version else ""
    return {
        "traceparent": f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01",
        "baggage": f"{header}langfuse.clickhouse.surface=publicapi,langfuse.clickhouse.route={quote(route, safe='')},"
        f"langfuse.project.id={caller.project_id},langfuse.api_key.id={caller.key_id}",
    }


async def otel_traces(context: Context, request: web.BaseRequest) -> web.Response:
    caller = await project_caller(context, request)
    headers = request.headers
    body = await request.read()
    try:
        version = ingestion_version(
            headers.get("x-langfuse-ingestion-version") or headers.get("x_langfuse_ingestion_version")
        )
        found = read(body, headers.get("Content-Type", ""), headers.get("Content-Encoding", ""))
    except Refused as exc:
        raise Answer(400, {"error": str(exc)}) from None
    if not found:
        return reply(200, {})
    minute = dt.datetime.now().strftime("%Y/%m/%d/%H/%M")
    key = object_key(context.events.store.prefix, caller.project_id, minute, str(uuid.uuid4()))
    try:
        await context.events.put(key, json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode())
    except StorageError as exc:
        log.error("S3 request failed; emitting diagnostics", code=exc.code, key=key)
        log.error(f"Failed to upload JSON to S3 {exc.code}")
        return internal_error("Failed to upload JSON to S3")
    now = now_ms()
    data = {
        "id": str(uuid.uuid4()),
        "timestamp": iso_ms(now),
        "name": "otel-ingestion-job",
        "payload": {
            "data": {"fileKey": key, "publicKey": caller.public_key},
            "authCheck": _scope(caller),
            "sdkName": headers.get("x-langfuse-sdk-name") or "unknown",
            "sdkVersion": headers.get("x-langfuse-sdk-version") or "unknown",
            "ingestionVersion": version,
        },
    }
    opts = {**_OPTS, **_tracing("POST /api/public/otel/v1/traces", caller, version)}
    queue = context.queue("otel-ingestion-queue")
    try:
        job_id = await queue.add("otel-ingestion-job", data, opts, at=now)
    except (RedisDown, RedisError) as exc:
        log.error(f"Failed to add job to otel-ingestion-queue: {exc}")
        return internal_error(str(exc) if context.queues.configured else "Failed to get queue: Redis not initialized")
    return reply(
        200,
        {
            "name": "otel-ingestion-job",
            "data": data,
            "opts": opts,
            "id": job_id,
            "progress": 0,
            "returnvalue": None,
            "stacktrace": None,
            "priority": 0,
            "attemptsStarted": 0,
            "attemptsMade": 0,
            "stalledCounter": 0,
            "timestamp": now,
            "queueQualifiedName": queue.qualified,
        },
    )


async def otel_metrics(context: Context, request: web.BaseRequest) -> web.Response:
    await project_caller(context, request)
    return reply(200, {"message": "OK"})


def score_delay(env_ms: float, now: dt.datetime) -> int:
    """At most 5 s; the full value between 23:45 and 00:15 UTC."""
    minutes = now.hour * 60 + now.minute
    return int(env_ms) if minutes >= 23 * 60 + 45 or minutes < 15 else int(min(5000, env_ms))


class IngestError(Exception):
    pass


async def store_score(context: Context, caller: Caller, event: dict[str, Any], route: str) -> None:
    """One object of one event, and one job for its entity."""
    score_id = event["body"]["id"]
    key = f"{context.events.store.prefix}{caller.project_id}/score/{score_id}/{event['id']}.json"
    try:
        await context.events.put(key, json.dumps([event], ensure_ascii=False).encode())
    except StorageError as exc:
        log.error("S3 request failed; emitting diagnostics", code=exc.code, key=key)
        raise IngestError("Failed to upload events to blob storage, aborting event processing") from exc
    data = {
        "id": str(uuid.uuid4()),
        "timestamp": iso_ms(now_ms()),
        "name": "ingestion-job",
        "payload": {
            "data": {
                "type": "score-create",
                "eventBodyId": score_id,
                "fileKey": event["id"],
                "publicKey": caller.public_key,
            },
            "authCheck": _scope(caller),
        },
    }
    delay = score_delay(context.env.number("LANGFUSE_INGESTION_QUEUE_DELAY_MS"), dt.datetime.now(dt.UTC))
    if not context.queues.configured:
        raise IngestError("Redis not initialized, aborting event processing")
    try:
        opts = {**_OPTS, "delay": delay, **_tracing(route, caller, "")}
        await context.queue("ingestion-queue").add("ingestion-job", data, opts, delay_ms=delay)
    except (RedisDown, RedisError) as exc:
        raise IngestError(str(exc)) from exc


def _event_error(event: Any) -> str | None:
    if not isinstance(event, dict):
        return "Invalid input: expected object"
    identity = event.get("id")
    if not isinstance(identity, str) or not 1 <= len(identity) <= 800 or "\r" in identity:
        return "Invalid event id"
    if event.get("type") not in _TYPES:
        return f"Invalid event type {event.get('type')}"
    try:
        parse_iso(str(event.get("timestamp")))
    except ValueError:
        return "Invalid ISO datetime"
    if event["type"] == "score-create":
        body = event.get("body")
        if not isinstance(body, dict) or not body.get("name") or "value" not in body:
            return "Invalid score body"
    return None


async def ingestion(context: Context, request: web.BaseRequest) -> web.Response:
    """Always 207 for a valid envelope; in events_only all but scores and logs are refused inside it."""
    try:
        caller = await Authenticator(context).caller(request.headers.get("Authorization"))
    except Unauthorized as exc:
        raise Answer(401, {"error": "UnauthorizedError", "message": str(exc)}) from None
    if not caller.project_id:
        text = "Missing projectId in scope. Are you using an organization key?"
        raise Answer(401, {"error": "UnauthorizedError", "message": text})
    body = await request.read()
    if len(body) > _LIMIT:
        raise Answer(413, "Body exceeded 4.5mb limit")
    try:
        batch = json.loads(body or b"{}").get("batch")
    except (ValueError, AttributeError):
        raise Answer(400, "Invalid JSON") from None
    if not isinstance(batch, list):
        got = "undefined" if batch is None else type(batch).__name__
        text = f"Invalid input: expected array, received {got}"
        raise Answer(400, {"message": "Invalid request data", "errors": [text]})
    successes: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for event in batch:
        wrong = _event_error(event)
        identity = event.get("id") if isinstance(event, dict) else None
        if wrong:
            errors.append({"id": identity, "status": 400, "message": "Invalid request data", "error": wrong})
        elif event["type"] == "sdk-log":
            log.info("SDK Log Event")
        elif event["type"] != "score-create":
            text = _NOT_ACCEPTED.format(event["type"]) if context.events_only else _NOT_RECORDED
            errors.append({"id": identity, "status": 400, "message": "Event type not accepted", "error": text})
        else:
            try:
                if event["body"].get("id"):
                    await store_score(context, caller, event, "POST /api/public/ingestion")
            except IngestError as exc:
                return reply(500, {"message": "Invalid request data", "errors": [str(exc)]})
            successes.append({"id": identity, "status": 201})
    return reply(207, {"successes": successes, "errors": errors})


async def scores(context: Context, request: web.BaseRequest) -> web.Response:
    caller = await project_caller(context, request, scores=True)
    body = await json_body(request)
    missing = [issue_missing("name", "string")] if not isinstance(body.get("name"), str) else []
    if "value" not in body:
        missing.append(issue_missing("value", "number"))
    if missing:
        raise invalid(*missing)
    body = {**body, "id": body.get("id") or str(uuid.uuid4())}
    stamp = time.time_ns() // 1_000_000
    event = {"id": str(uuid.uuid4()), "type": "score-create", "timestamp": iso_ms(stamp), "body": body}
    try:
        await store_score(context, caller, event, "POST /api/public/scores")
    except IngestError as exc:
        log.error(str(exc))
        return internal_error(str(exc))
    return reply(200, {"id": body["id"]})
