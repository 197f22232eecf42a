"""Reads that answer outside events_only alone: traces of the v3 tables (facts 4.5, 4.6)."""

from typing import Any

from aiohttp import web

from .answers import EVENTS_ONLY, Answer, not_found, pages, reply, whole_number
from .auth import project_caller
from .context import Context
from .observations import _time

_TRACE = (
    "SELECT id, project_id, name, toUnixTimestamp64Milli(timestamp) AS at_ms, environment, tags, user_id, session_id, "
    "release, version, public, bookmarked, input, output, metadata FROM traces FINAL WHERE project_id = {p:String}"
)


def _shape(row: dict[str, Any]) -> dict[str, Any]:
    names = {"project_id": "projectId", "user_id": "userId", "session_id": "sessionId"}
    return {names.get(k, k): v for k, v in row.items() if k != "at_ms"} | {"timestamp": _time(row["at_ms"])}


def _gate(context: Context) -> None:
    """Sent before authentication."""
    if context.events_only:
        raise Answer(404, {"message": EVENTS_ONLY})


async def gone(context: Context, request: web.BaseRequest) -> web.Response:
    """Endpoints of v3 whose answers were never recorded."""
    _gate(context)
    raise Answer(501, {"message": "Outside the contract of the stand-in: this v3 endpoint was not recorded."})


async def traces(context: Context, request: web.BaseRequest) -> web.Response:
    _gate(context)
    caller = await project_caller(context, request)
    page, limit = whole_number(request.query, "page", 1, 1, None), whole_number(request.query, "limit", 50, 1, 100)
    values = {"p": caller.project_id}
    total = await context.clickhouse.rows("SELECT count() AS n FROM traces FINAL WHERE project_id = {p:String}", values)
    rows = await context.clickhouse.rows(
        f"{_TRACE} ORDER BY at_ms DESC, id LIMIT {limit} OFFSET {(page - 1) * limit}", values
    )
    return reply(200, {"data": [_shape(r) for r in rows], "meta": pages(total[0]["n"], page, limit)})


async def trace(context: Context, request: web.BaseRequest) -> web.Response:
    _gate(context)
    caller = await project_caller(context, request)
    trace_id = request.path.rsplit("/", 1)[-1]
    values = {"p": caller.project_id, "t": trace_id}
    rows = await context.clickhouse.rows(f"{_TRACE} AND id = {{t:String}} LIMIT 1", values)
    if not rows:
        raise not_found(f"Trace {trace_id} not found within authorized project")
    found = _shape(rows[0])
    if request.query.get("fields") == "core":
        return reply(200, found)
    observations = await context.clickhouse.rows(
        "SELECT id, trace_id AS traceId, type, name, level FROM observations FINAL "
        "WHERE project_id = {p:String} AND trace_id = {t:String} ORDER BY start_time",
        values,
    )
    return reply(200, {**found, "observations": observations, "scores": []})
