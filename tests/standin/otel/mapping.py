"""From OTLP spans to rows of `events_full`, as the worker's direct write does (recorded in trace.json).

What other clients send than the recorded one (tags in JSON, `gen_ai.*`, metadata in one attribute) is read as the
application's own source reads it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.text import parse_iso
from .export import hex_id

Row = dict[str, Any]
_LEVELS = ("DEBUG", "DEFAULT", "WARNING", "ERROR")
_TYPES = ["SPAN", "GENERATION", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL"]
_META = ("langfuse.metadata", "langfuse.observation.metadata", "langfuse.trace.metadata")
_IN_META = ("langfuse.trace.metadata.", "langfuse.observation.metadata.", "langfuse.metadata.")
_NOT_META = frozenset(
    [
        "langfuse.observation.input",
        "langfuse.observation.output",
        "langfuse.trace.input",
        "langfuse.trace.output",
        "input.value",
        "output.value",
        "gen_ai.prompt",
        "gen_ai.completion",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
    ]
)


_USAGE = {
    "prompt_tokens": "input",
    "completion_tokens": "output",
    "total_tokens": "total",
    "input_tokens": "input",
    "output_tokens": "output",
    "prompt": "input",
    "completion": "output",
}
_TAGS = (
    "langfuse.trace.tags",
    "langfuse.tags",
    "langfuse.observation.metadata.langfuse_tags",
    "langfuse.trace.metadata.langfuse_tags",
    "tag.tags",
)
_USER = ("langfuse.user.id", "user.id", "langfuse.observation.metadata.langfuse_user_id")
_SESSION = (
    "langfuse.session.id",
    "session.id",
    "gen_ai.conversation.id",
    "langfuse.observation.metadata.langfuse_session_id",
)
_MODEL = (
    "langfuse.observation.model.name",
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.response.model",
    "llm.model_name",
)


@dataclass(frozen=True)
class Context:
    """What the job knows about the export."""

    project_id: str
    public_key: str
    file_key: str
    sdk_name: str
    sdk_version: str
    now_us: int


def value(any_value: Any) -> Any:
    """A plain value of an OTLP AnyValue."""
    if not isinstance(any_value, Mapping):
        return any_value
    for name in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
        if name in any_value:
            return any_value[name]
    if "intValue" in any_value:
        return int(any_value["intValue"])
    if "arrayValue" in any_value:
        return [value(v) for v in any_value["arrayValue"].get("values", [])]
    if "kvlistValue" in any_value:
        return attributes(any_value["kvlistValue"].get("values", []))
    return None


def attributes(found: Any) -> dict[str, Any]:
    return {a["key"]: value(a.get("value")) for a in found or [] if isinstance(a, Mapping) and "key" in a}


def text(found: Any) -> str:
    if found is None:
        return ""
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def micros(nano: Any) -> int | None:
    """From a string, a number or `{"low":..,"high":..}` of nanoseconds."""
    if isinstance(nano, Mapping):
        nano = (int(nano.get("high", 0)) << 32) + (int(nano.get("low", 0)) & 0xFFFFFFFF)
    return int(nano) // 1000 if nano else None


def _first(attrs: Mapping[str, Any], *names: str) -> Any:
    return next((attrs[n] for n in names if attrs.get(n) is not None), None)


def _numbers(found: Any, kind: type[int] | type[float]) -> dict[str, Any]:
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError:
            return {}
    if not isinstance(found, Mapping):
        return {}
    return {str(k): kind(v) for k, v in found.items() if isinstance(v, int | float) and not isinstance(v, bool)}


def usage(attrs: Mapping[str, Any]) -> dict[str, int]:
    """Provided usage; the total is added when it is missing."""
    found: dict[str, int] = _numbers(attrs.get("langfuse.observation.usage_details"), int)
    if not found:
        for name, got in attrs.items():
            prefix = next((p for p in ("gen_ai.usage.", "llm.token_count.") if name.startswith(p)), None)
            if prefix and name != "gen_ai.usage.cost" and isinstance(got, int | float) and not isinstance(got, bool):
                kind = name.removeprefix(prefix)
                found[_USAGE.get(kind, kind)] = int(got)
    return found


def cost(attrs: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = _numbers(attrs.get("langfuse.observation.cost_details"), float)
    total = attrs.get("gen_ai.usage.cost")
    return found or ({"total": float(total)} if isinstance(total, int | float) and total else {})


def tags(attrs: Mapping[str, Any]) -> list[str]:
    """A list, a list in JSON (LiteLLM writes it so), or text with commas."""
    found = _first(attrs, *_TAGS)
    if isinstance(found, str):
        try:
            parsed = json.loads(found) if found.strip().startswith("[") else None
        except ValueError:
            parsed = None
        found = parsed if isinstance(parsed, list) else [part.strip() for part in found.split(",")]
    return [text(tag) for tag in found] if isinstance(found, list) else []


def model_parameters(attrs: Mapping[str, Any]) -> str:
    given = text(attrs.get("langfuse.observation.model.parameters"))
    rest = {k.removeprefix("gen_ai.request."): v for k, v in attrs.items() if k.startswith("gen_ai.request.")}
    rest.pop("model", None)
    return given or text(rest)


def first_token(attrs: Mapping[str, Any]) -> int | None:
    """Microseconds. Some SDKs write the instant as JSON, in quotes."""
    given = text(attrs.get("langfuse.observation.completion_start_time")).strip('"')
    try:
        return int(parse_iso(given).timestamp() * 1_000_000) if given else None
    except ValueError:
        return None


def with_total(found: dict[str, int]) -> dict[str, int]:
    return found if not found or "total" in found else {**found, "total": sum(found.values())}


def observation_type(attrs: Mapping[str, Any], model: str) -> str:
    asked = text(attrs.get("langfuse.observation.type")).upper()
    if asked in _TYPES:
        return asked
    if asked:
        return "SPAN"
    operation = text(attrs.get("gen_ai.operation.name"))
    kinds = {"embeddings": "EMBEDDING", "execute_tool": "TOOL", "invoke_agent": "AGENT"}
    return kinds.get(operation, "GENERATION" if model else "SPAN")


def metadata(attrs: Mapping[str, Any], resource: Mapping[str, Any], scope: Mapping[str, Any]) -> dict[str, str]:
    """Own metadata first, then scope, resource and the remaining attributes; values as text."""
    found: dict[str, str] = {}
    for name in _META:
        try:
            whole = json.loads(attrs.get(name) or "{}")
        except (ValueError, TypeError):
            continue
        found |= {str(k): text(v) for k, v in whole.items()} if isinstance(whole, dict) else {}
    for name, got in attrs.items():
        prefix = next((p for p in _IN_META if name.startswith(p)), None)
        if prefix:
            found[name[len(prefix) :]] = text(got)
    for field in ("version", "name"):
        if scope.get(field):
            found[f"scope.{field}"] = text(scope[field])
    found |= {f"resourceAttributes.{k}": text(v) for k, v in reversed(list(resource.items()))}
    rest = {k: v for k, v in attrs.items() if k not in {*_NOT_META, *_META} and not k.startswith(_IN_META)}
    return found | {f"attributes.{k}": text(v) for k, v in reversed(list(rest.items()))}


def _row(span: Mapping[str, Any], resource: Mapping[str, Any], scope: Mapping[str, Any], ctx: Context) -> Row:
    attrs = attributes(span.get("attributes"))
    status = span.get("status") or {}
    parent = hex_id(span.get("parentSpanId")) or ""
    start = micros(span.get("startTimeUnixNano")) or ctx.now_us
    model = text(_first(attrs, *_MODEL))
    level = text(attrs.get("langfuse.observation.level"))
    failed = status.get("code") in (2, "STATUS_CODE_ERROR")
    meta = metadata(attrs, resource, scope)
    used = usage(attrs)
    prompt_version = attrs.get("langfuse.observation.prompt.version")
    return {
        "project_id": ctx.project_id,
        "trace_id": hex_id(span.get("traceId")) or "",
        "span_id": hex_id(span.get("spanId")) or "",
        "parent_span_id": parent,
        "start_time": start,
        "end_time": micros(span.get("endTimeUnixNano")),
        "name": text(span.get("name")),
        "type": observation_type(attrs, model),
        "environment": text(
            _first(attrs, "langfuse.environment", "deployment.environment.name", "deployment.environment")
            or _first(resource, "langfuse.environment", "deployment.environment.name", "deployment.environment")
        )
        or "default",
        "version": text(_first(attrs, "langfuse.version")),
        "release": text(_first(attrs, "langfuse.release") or resource.get("langfuse.release")),
        "trace_name": text(attrs.get("langfuse.trace.name")),
        "user_id": text(_first(attrs, *_USER)),
        "session_id": text(_first(attrs, *_SESSION)),
        "tags": tags(attrs),
        "level": level if level in _LEVELS else ("ERROR" if failed else "DEFAULT"),
        "status_message": text(attrs.get("langfuse.observation.status_message") or status.get("message")),
        "completion_start_time": first_token(attrs),
        "is_app_root": not parent,
        "bookmarked": False,
        "public": attrs.get("langfuse.trace.public") in (True, "true"),
        "prompt_id": "",
        "prompt_name": text(attrs.get("langfuse.observation.prompt.name")),
        "prompt_version": int(prompt_version) if prompt_version is not None else None,
        "model_id": "",
        "provided_model_name": model,
        "model_parameters": model_parameters(attrs),
        "provided_usage_details": used,
        "usage_details": with_total(used),
        "provided_cost_details": cost(attrs),
        "cost_details": {},
        "usage_pricing_tier_id": None,
        "usage_pricing_tier_name": None,
        "tool_definitions": {},
        "tool_calls": [],
        "tool_call_names": [],
        "input": text(
            _first(
                attrs,
                "langfuse.observation.input",
                "langfuse.trace.input",
                "input.value",
                "gen_ai.prompt",
                "gen_ai.input.messages",
            )
        ),
        "output": text(
            _first(
                attrs,
                "langfuse.observation.output",
                "langfuse.trace.output",
                "output.value",
                "gen_ai.completion",
                "gen_ai.output.messages",
            )
        ),
        "metadata_names": list(meta),
        "metadata_values": list(meta.values()),
        "source": "otel",
        "service_name": text(resource.get("service.name")),
        "service_version": text(resource.get("service.version")),
        "scope_name": text(scope.get("name")),
        "scope_version": text(scope.get("version")),
        "telemetry_sdk_language": text(resource.get("telemetry.sdk.language")),
        "telemetry_sdk_name": text(resource.get("telemetry.sdk.name")),
        "telemetry_sdk_version": text(resource.get("telemetry.sdk.version")),
        "blob_storage_file_path": ctx.file_key,
        "event_bytes": len(json.dumps(span)),
        "created_at": ctx.now_us,
        "updated_at": ctx.now_us,
        "event_ts": ctx.now_us,
        "is_deleted": 0,
        "ingestion_api_key": ctx.public_key,
        "ingestion_sdk_name": ctx.sdk_name,
        "ingestion_sdk_version": ctx.sdk_version,
    }


def rows(resource_spans: list[dict[str, Any]], ctx: Context) -> list[Row]:
    """One row a span; instants are whole microseconds, the raw value of DateTime64(6)."""
    found = []
    for resource in resource_spans:
        resource_attrs = attributes((resource.get("resource") or {}).get("attributes"))
        for scope_spans in resource.get("scopeSpans") or []:
            scope = scope_spans.get("scope") or {}
            found += [_row(s, resource_attrs, scope, ctx) for s in scope_spans.get("spans") or []]
    return found


def object_key(prefix: str, project_id: str, minute: str, identity: str) -> str:
    """`minute` is `yyyy/mm/dd/HH/MM` in the web container's local time; the prefix is used verbatim."""
    return f"{prefix}otel/{project_id}/{minute}/{identity}.json"
