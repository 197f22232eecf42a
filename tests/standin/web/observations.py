"""`GET /api/public/v2/observations`: fields, filters and the cursor (facts 4.5, trace.json)."""

import base64
import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aiohttp import web

from ..core.text import decimal_text, iso, number, parse_iso
from .answers import Answer, instant, invalid, reply, whole_number
from .auth import project_caller
from .context import Context

GROUPS = ["core", "basic", "time", "io", "metadata", "model", "usage", "prompt", "metrics", "trace_context"]
_GATE = (
    "The observations v2 API is only available in a Langfuse v4 write mode or with "
    "LANGFUSE_MIGRATION_V4_ALLOW_PREVIEW_OPT_IN=true."
)
_EQUAL = {
    "traceId": "trace_id",
    "name": "name",
    "userId": "user_id",
    "sessionId": "session_id",
    "type": "type",
    "level": "level",
    "environment": "environment",
    "version": "version",
    "parentObservationId": "parent_span_id",
}
_COLUMNS = {
    **_EQUAL,
    "id": "span_id",
    "traceName": "trace_name",
    "providedModelName": "provided_model_name",
    "tags": "tags",
    "release": "release",
}
_MS = "toUnixTimestamp64Milli(start_time)"
_LIGHT = (
    "span_id, trace_id, project_id, parent_span_id, type, name, level, status_message, version, environment, user_id, "
    f"session_id, is_app_root, bookmarked, public, model_id, {_MS} AS start_ms, "
    "if(end_time IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull(end_time))) AS end_ms, "
    "if(completion_start_time IS NULL, NULL, "
    "toUnixTimestamp64Milli(assumeNotNull(completion_start_time))) AS first_ms, "
    "toUnixTimestamp64Milli(created_at) AS created_ms, toUnixTimestamp64Milli(updated_at) AS updated_ms, "
    "trace_name, release, tags, provided_model_name, model_parameters, usage_details, "
    "mapApply((k, v) -> (k, toFloat64(v)), cost_details) AS costs, prompt_id, prompt_name, prompt_version, "
    "usage_pricing_tier_id, usage_pricing_tier_name"
)


class Where:
    """Conditions with their parameters."""

    def __init__(self, project_id: str) -> None:
        self.parts = ["project_id = {p:String}", "is_deleted = 0"]
        self.values: dict[str, Any] = {"p": project_id}

    def add(self, template: str, value: Any) -> None:
        """`template` holds `{}` where the parameter's name goes."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        self.parts.append(template.replace("{}", name))

    def __str__(self) -> str:
        return " AND ".join(self.parts)


def _filter(where: Where, condition: Mapping[str, Any]) -> None:
    """One entry of the `filter` array; unknown columns are refused."""
    column, operator, value = condition.get("column"), condition.get("operator"), condition.get("value")
    kind = condition.get("type")
    if kind == "stringObject" and column == "metadata":
        where.add("has(metadata_names, {{}:String})", condition.get("key"))
        name = f"v{len(where.values) - 1}"
        found = f"arrayElement(metadata_values, indexOf(metadata_names, {{{name}:String}}))"
        if operator == "=":
            where.add(found + " = {{}:String}", value)
        else:
            where.add(f"position({found}, {{{{}}:String}}) {'=' if operator == 'does not contain' else '>'} 0", value)
        return
    known = _COLUMNS.get(str(column))
    if known is None:
        raise invalid({"code": "custom", "path": ["filter"], "message": f"Invalid filter column: {column}"})
    if kind == "arrayOptions":
        text = {"any of": "hasAny", "all of": "hasAll"}.get(str(operator))
        where.add((text or "NOT hasAny") + f"({known}, {{{{}}:Array(String)}})", value)
    elif kind == "stringOptions":
        where.add(f"{known} {'NOT IN' if operator == 'none of' else 'IN'} {{{{}}:Array(String)}}", value)
    elif operator == "=":
        where.add(f"{known} = {{{{}}:String}}", value)
    else:
        where.add(f"position({known}, {{{{}}:String}}) {'=' if operator == 'does not contain' else '>'} 0", value)


def conditions(project_id: str, query: Mapping[str, str]) -> Where:
    where = Where(project_id)
    for name, column in _EQUAL.items():
        if name in query:
            where.add(f"{column} = {{{{}}:String}}", query[name])
    if query.get("isRootObservation") in ("true", "false"):
        where.parts.append(f"is_app_root = {query['isRootObservation']}")
    for name, sign in (("fromStartTime", ">="), ("toStartTime", "<")):
        at = instant(query, name)
        if at is not None:
            where.add(f"start_time {sign} fromUnixTimestamp64Micro({{{{}}:Int64}})", int(at.timestamp() * 1_000_000))
    if "filter" in query:
        try:
            found = json.loads(query["filter"])
        except ValueError:
            raise invalid({"code": "custom", "path": ["filter"], "message": "Invalid JSON in filter"}) from None
        for condition in found if isinstance(found, list) else []:
            _filter(where, condition)
    if "cursor" in query:
        _after(where, query["cursor"])
    return where


def _after(where: Where, cursor: str) -> None:
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=="))
        at = int(parse_iso(found["lastStartTimeTo"]).timestamp() * 1000)
        trace, span = str(found["lastTraceId"]), str(found["lastId"])
    except (ValueError, KeyError, TypeError):
        raise invalid({"code": "custom", "path": ["cursor"], "message": "Invalid cursor format"}) from None
    where.values |= {"c1": at, "c2": trace, "c3": span}
    where.parts.append(f"({_MS}, trace_id, span_id) < ({{c1:Int64}}, {{c2:String}}, {{c3:String}})")


def cursor_after(row: Mapping[str, Any]) -> str:
    last = {"lastStartTimeTo": _time(row["start_ms"]), "lastTraceId": row["trace_id"], "lastId": row["span_id"]}
    return base64.b64encode(json.dumps(last, separators=(",", ":")).encode()).decode().rstrip("=")


_LAST_MS = 253402300799000


def _time(ms: int | None) -> str | None:
    """ClickHouse shows nothing later than the end of the year 9999."""
    if ms is None:
        return None
    return iso(dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(milliseconds=min(ms, _LAST_MS)))


def _json_or_text(found: str) -> Any:
    try:
        return json.loads(found)
    except ValueError:
        return found


def _seconds(start: int, end: int | None) -> float | int | None:
    return None if end is None else number((end - start) / 1000)


def shape(row: Mapping[str, Any], groups: set[str], prices: Mapping[str, Decimal]) -> dict[str, Any]:
    """One observation; core, latency and the price fields are always there, prices only with the model group."""
    start = row["start_ms"]
    usage, costs = row["usage_details"], row["costs"]
    parts: dict[str, dict[str, Any]] = {
        "core": {
            "id": row["span_id"],
            "traceId": row["trace_id"],
            "startTime": _time(start),
            "endTime": _time(row["end_ms"]),
            "projectId": row["project_id"],
            "parentObservationId": row["parent_span_id"] or None,
            "type": row["type"],
        },
        "basic": {
            "name": row["name"],
            "level": row["level"],
            "statusMessage": row["status_message"],
            "version": row["version"],
            "environment": row["environment"],
            "userId": row["user_id"],
            "sessionId": row["session_id"],
            "isRootObservation": row["is_app_root"],
            "bookmarked": row["bookmarked"],
            "public": row["public"],
        },
        "time": {
            "completionStartTime": _time(row["first_ms"]),
            "createdAt": _time(row["created_ms"]),
            "updatedAt": _time(row["updated_ms"]),
        },
        "model": {
            "model": row["provided_model_name"],
            "internalModelId": row["model_id"],
            "modelParameters": _json_or_text(row["model_parameters"] or "{}"),
        },
        "usage": {
            "usageDetails": usage,
            "inputUsage": usage.get("input", 0),
            "outputUsage": usage.get("output", 0),
            "totalUsage": usage.get("total", 0),
            "costDetails": {k: number(v) for k, v in costs.items()},
            "inputCost": number(costs.get("input")),
            "outputCost": number(costs.get("output")),
            "totalCost": number(costs.get("total", 0)),
            "usagePricingTierId": row["usage_pricing_tier_id"],
            "usagePricingTierName": row["usage_pricing_tier_name"],
        },
        "prompt": {
            "promptId": row["prompt_id"],
            "promptName": row["prompt_name"],
            "promptVersion": row["prompt_version"],
        },
        "trace_context": {"traceName": row["trace_name"] or None, "release": row["release"], "tags": row["tags"]},
    }
    if "io" in groups:
        parts["io"] = {"input": row["input"] or None, "output": row["output"] or None}
    if "metadata" in groups:
        pairs = zip(row["metadata_names"], row["metadata_values"], strict=False)
        parts["metadata"] = {"metadata": {k: _json_or_text(v) for k, v in pairs}}
    found = {k: v for g, fields in parts.items() if g in groups | {"core"} for k, v in fields.items()}
    return found | {
        "latency": _seconds(start, row["end_ms"]),
        "timeToFirstToken": _seconds(start, row["first_ms"]),
        "modelId": (row["model_id"] or None) if "model" in groups else None,
        "inputPrice": decimal_text(prices.get("input")),
        "outputPrice": decimal_text(prices.get("output")),
        "totalPrice": decimal_text(prices.get("total")),
    }


async def _prices(context: Context, rows: list[dict[str, Any]]) -> dict[str, dict[str, Decimal]]:
    ids = sorted({r["model_id"] for r in rows if r["model_id"]})
    found: dict[str, dict[str, Decimal]] = {}
    if ids:
        query = (
            "SELECT p.model_id, p.usage_type, p.price FROM prices p JOIN pricing_tiers t ON t.id = p.pricing_tier_id "
            "WHERE t.is_default AND p.model_id = ANY(%s)"
        )
        for row in await context.postgres.rows(query, (ids,)):
            found.setdefault(row["model_id"], {})[row["usage_type"]] = row["price"]
    return found


async def observations(context: Context, request: web.BaseRequest) -> web.Response:
    if not context.v4_reads:
        raise Answer(404, {"message": _GATE})
    caller = await project_caller(context, request)
    query = request.query
    limit = whole_number(query, "limit", 50, 0, 1000)
    asked = query.get("fields")
    groups = {g for g in asked.split(",") if g in GROUPS} if asked is not None else {"core", "basic"}
    where = conditions(caller.project_id, query)
    heavy = bool(groups & {"io", "metadata"})
    columns = _LIGHT + (", input, output, metadata_names, metadata_values" if heavy else "")
    table = "events_full" if heavy or "metadata_names" in str(where) else "events_core"
    rows = await context.clickhouse.rows(
        f"SELECT {columns} FROM {table} WHERE {where} "
        f"ORDER BY start_ms DESC, trace_id DESC, span_id DESC, event_ts DESC "
        f"LIMIT 1 BY trace_id, span_id LIMIT {limit + 1}",
        where.values,
    )
    more, rows = len(rows) > limit, rows[:limit]
    prices = await _prices(context, rows) if "model" in groups else {}
    data = [shape(r, groups, prices.get(r["model_id"], {})) for r in rows]
    return reply(200, {"data": data, "meta": {"cursor": cursor_after(rows[-1])} if more and rows else {}})
