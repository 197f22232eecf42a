"""Other reads of ClickHouse: v3 scores, v2 metrics; and the deletions."""

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ..core.log import log
from ..core.resp import RedisDown, RedisError
from ..core.text import iso_ms, now_ms, number, parse_iso
from .answers import Answer, internal_error, invalid, issue_missing, json_body, reply, whole_number
from .auth import Caller, project_caller
from .context import Context
from .observations import Where, _time

_DIMENSIONS = {
    "providedModelName": "provided_model_name",
    "name": "name",
    "type": "type",
    "level": "level",
    "environment": "environment",
    "version": "version",
    "release": "release",
    "traceName": "trace_name",
    "promptName": "prompt_name",
}
_IDS = {
    "id": "span_id",
    "traceId": "trace_id",
    "userId": "user_id",
    "sessionId": "session_id",
    "parentObservationId": "parent_span_id",
}
_MEASURES = {
    "count": "1",
    "latency": "dateDiff('millisecond', start_time, end_time)",
    "totalCost": "toFloat64(cost_details['total'])",
    "inputCost": "toFloat64(cost_details['input'])",
    "outputCost": "toFloat64(cost_details['output'])",
    "totalTokens": "usage_details['total']",
    "inputTokens": "usage_details['input']",
    "outputTokens": "usage_details['output']",
}
_AGGREGATIONS = {
    "count": "count({})",
    "sum": "sum({})",
    "avg": "avg({})",
    "min": "min({})",
    "max": "max({})",
    **{f"p{n}": f"quantile(0.{n})({{}})" for n in (50, 75, 90, 95, 99)},
}
_SCORE_EQUAL = {
    "traceId": "trace_id",
    "id": "id",
    "name": "name",
    "observationId": "observation_id",
    "sessionId": "session_id",
    "environment": "environment",
    "dataType": "data_type",
    "source": "source",
}


async def scores(context: Context, request: web.BaseRequest) -> web.Response:
    caller = await project_caller(context, request)
    query = request.query
    limit = whole_number(query, "limit", 50, 1, 100)
    for name in ("userId", "traceTags"):
        if name in query:
            raise invalid(
                {"code": "unrecognized_keys", "keys": [name], "path": [], "message": f'Unrecognized key: "{name}"'}
            )
    if "observationId" in query and "traceId" not in query:
        raise invalid({"code": "custom", "path": ["observationId"], "message": "observationId requires traceId"})
    where = Where(caller.project_id)
    for name, column in _SCORE_EQUAL.items():
        if name in query:
            where.add(f"{column} = {{{{}}:String}}", query[name])
    at = "toUnixTimestamp64Milli(timestamp)"
    if "cursor" in query:
        try:
            last = json.loads(base64.urlsafe_b64decode(query["cursor"] + "=="))
            where.values |= {"c1": int(parse_iso(last["lastTimestamp"]).timestamp() * 1000), "c2": str(last["lastId"])}
        except (ValueError, KeyError, TypeError):
            raise invalid({"code": "custom", "path": ["cursor"], "message": "Invalid cursor"}) from None
        where.parts.append(f"({at}, id) < ({{c1:Int64}}, {{c2:String}})")
    rows = await context.clickhouse.rows(
        f"SELECT id, project_id, name, source, environment, data_type, value, string_value, {at} AS at_ms, "
        "toUnixTimestamp64Milli(created_at) AS created_ms, toUnixTimestamp64Milli(updated_at) AS updated_ms "
        f"FROM scores WHERE {where} ORDER BY at_ms DESC, id DESC, event_ts DESC LIMIT 1 BY id LIMIT {limit + 1}",
        where.values,
    )
    more, rows = len(rows) > limit, rows[:limit]
    meta: dict[str, Any] = {"limit": limit}
    if more:
        last = {"v": 1, "lastTimestamp": _time(rows[-1]["at_ms"]), "lastId": rows[-1]["id"]}
        meta["cursor"] = base64.b64encode(json.dumps(last, separators=(",", ":")).encode()).decode().rstrip("=")
    return reply(200, {"data": [_score(r) for r in rows], "meta": meta})


def _score(row: Mapping[str, Any]) -> dict[str, Any]:
    value: Any = row["string_value"] if row["data_type"] in ("CATEGORICAL", "TEXT") else number(row["value"])
    if row["data_type"] == "BOOLEAN":
        value = bool(row["value"])
    return {
        "id": row["id"],
        "projectId": row["project_id"],
        "name": row["name"],
        "source": row["source"],
        "timestamp": _time(row["at_ms"]),
        "environment": row["environment"],
        "createdAt": _time(row["created_ms"]),
        "updatedAt": _time(row["updated_ms"]),
        "dataType": row["data_type"],
        "value": value,
    }


async def metrics(context: Context, request: web.BaseRequest) -> web.Response:
    """Counts, sums and quantiles of observations by their dimensions; other views have no recorded answers."""
    if not context.v4_reads or context.env.text("LANGFUSE_MIGRATION_V4_WRITE_MODE") == "legacy":
        raise Answer(404, {"message": "The metrics v2 API is only available in a Langfuse v4 write mode."})
    caller = await project_caller(context, request)
    text = request.query.get("query")
    if text is None:
        raise invalid(issue_missing("query", "string"))
    try:
        asked = json.loads(text)
        start, end = (int(parse_iso(asked[k]).timestamp() * 1e6) for k in ("fromTimestamp", "toTimestamp"))
        wanted = [(m["measure"], m["aggregation"]) for m in asked["metrics"]]
        selects = [f"{_AGGREGATIONS[a].format(_MEASURES[m])} AS {a}_{m}" for m, a in wanted]
        fields = [d["field"] for d in asked.get("dimensions") or []]
        groups = [f"{({**_DIMENSIONS, **_IDS})[f]} AS {f}" for f in fields]
    except (ValueError, KeyError, TypeError) as exc:
        raise invalid({"code": "custom", "path": ["query"], "message": f"Invalid query: {exc}"}) from None
    if asked.get("view") != "observations":
        raise invalid({"code": "custom", "path": ["query", "view"], "message": "Only observations (stand-in)"})
    config, order = asked.get("config") or {}, asked.get("orderBy") or []
    if any(f in _IDS for f in fields) and not (config.get("row_limit") and order):
        raise invalid(
            {
                "code": "custom",
                "path": ["query"],
                "message": "High cardinality dimensions require row_limit and orderBy",
            }
        )
    where = Where(caller.project_id)
    where.values |= {"a": start, "b": end}
    where.parts.append(
        "start_time >= fromUnixTimestamp64Micro({a:Int64}) AND start_time <= fromUnixTimestamp64Micro({b:Int64})"
    )
    for condition in asked.get("filters") or []:
        where.add(f"{({**_DIMENSIONS, **_IDS})[condition['column']]} = {{{{}}:String}}", condition["value"])
    by = f" GROUP BY {', '.join(fields)}" if fields else ""
    first = (
        f"{order[0]['field']} {'ASC' if order[0].get('direction') == 'asc' else 'DESC'}"
        if order
        else f"{wanted[0][1]}_{wanted[0][0]} DESC"
    )
    rows = await context.clickhouse.rows(
        f"SELECT {', '.join(groups + selects)} FROM events_core FINAL WHERE {where}{by} ORDER BY {first} "
        f"LIMIT {min(int(config.get('row_limit') or 100), 1000)}",
        where.values,
    )
    data = [{k: (v or None) if k in fields else number(v) for k, v in r.items()} for r in rows]
    return reply(200, {"data": data})


async def delete_trace(context: Context, request: web.BaseRequest) -> web.Response:
    caller = await project_caller(context, request)
    return await _delete(context, caller, [request.path.rsplit("/", 1)[-1]], "Trace deleted successfully")


async def delete_traces(context: Context, request: web.BaseRequest) -> web.Response:
    caller = await project_caller(context, request)
    ids = (await json_body(request)).get("traceIds")
    if not isinstance(ids, list) or not ids:
        raise invalid(issue_missing("traceIds", "array"))
    return await _delete(context, caller, [str(i) for i in ids], "Traces deleted successfully")


async def _delete(context: Context, caller: Caller, ids: list[str], message: str) -> web.Response:
    """Rows in pending_deletions, and a job 5 s later."""
    for trace_id in ids:
        await context.postgres.rows(
            "INSERT INTO pending_deletions (id, project_id, object, object_id) VALUES (%s, %s, 'trace', %s)",
            (str(uuid.uuid4()), caller.project_id, trace_id),
        )
    data = {
        "id": str(uuid.uuid4()),
        "timestamp": iso_ms(now_ms()),
        "name": "trace-delete",
        "payload": {"projectId": caller.project_id, "traceIds": ids},
    }
    opts = {
        "attempts": 2,
        "removeOnComplete": True,
        "removeOnFail": 100000,
        "delay": 5000,
        "backoff": {"type": "exponential", "delay": 30000},
    }
    try:
        await context.queue("trace-delete").add("trace-delete", data, opts, delay_ms=5000)
    except (RedisDown, RedisError) as exc:
        log.error(f"Failed to add job to trace-delete: {exc}")
        return internal_error(str(exc))
    return reply(200, {"message": message})
