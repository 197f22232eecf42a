# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trace that proves the way through Langfuse: how it is sent, and what has to come back. Pure.

Three spans, so that every kind of column is written once: a root (user, session, tags, metadata, input, output),
a generation under it (model, tokens, cost) and a failed span under it (level, status message).
The attribute names and the shape of the read-back are those recorded from Langfuse 4.16.0.
"""

from __future__ import annotations

import datetime
import json
import math
import string
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

MODEL = "verify-model"
USAGE = {"input": 12, "output": 5, "total": 17}
COST = 0.0123
ERROR_MESSAGE = "deliberate error of the verification trace"
_MS = 1_000_000


class TraceSpec(NamedTuple):
    """What the caller chooses about a trace. ``trace_id`` is 32, ``span_ids`` three times 16 lower-case hex digits."""

    trace_id: str
    span_ids: tuple[str, str, str]
    now_ns: int
    name: str
    environment: str
    tags: tuple[str, ...] = ()
    user_id: str = ""
    session_id: str = ""
    metadata: Mapping[str, str] = MappingProxyType({})


class Trace(NamedTuple):
    """``payload`` goes to ``/api/public/otel/v1/traces``; ``expected`` is what ``/api/public/v2/observations`` owes."""

    trace_id: str
    payload: dict[str, Any]
    expected: list[dict[str, Any]]


def build(spec: TraceSpec) -> Trace:
    """The request and the expectation, made from the same values."""
    root, generation, failed = spec.span_ids
    start = spec.now_ns - 900 * _MS
    question = json.dumps({"question": "does the trace arrive?"})
    messages = json.dumps([{"role": "user", "content": "does the trace arrive?"}])
    spans = [
        _span(spec, root, None, spec.name, start, spec.now_ns, {
            "langfuse.trace.name": spec.name,
            "langfuse.user.id": spec.user_id,
            "langfuse.session.id": spec.session_id,
            "langfuse.trace.tags": list(spec.tags),
            **{f"langfuse.trace.metadata.{key}": value for key, value in spec.metadata.items()},
            "langfuse.observation.input": question,
            "langfuse.observation.output": json.dumps({"answer": "yes"}),
        }),
        _span(spec, generation, root, "generate", start + 100 * _MS, start + 700 * _MS, {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": MODEL,
            "langfuse.observation.usage_details": json.dumps(USAGE),
            "langfuse.observation.cost_details": json.dumps({"total": COST}),
            "langfuse.observation.input": messages,
            "langfuse.observation.output": "yes",
        }),
        _span(spec, failed, root, "fail", start + 750 * _MS, start + 800 * _MS, {
            "langfuse.observation.level": "ERROR",
            "langfuse.observation.status_message": ERROR_MESSAGE,
        }, status={"code": 2, "message": ERROR_MESSAGE}),
    ]  # fmt: skip
    resource = [_attribute("service.name", "langfuse-verify"), _attribute("langfuse.environment", spec.environment)]
    scope_spans = [{"scope": {"name": "llmops.langfuse", "version": "1"}, "spans": spans}]
    payload = {"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": scope_spans}]}
    return Trace(spec.trace_id, payload, _expected(spec, spans))


def compare(expected: Sequence[Mapping[str, Any]], read: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every difference as ``{span, field, sent, read}``; an empty list means that the trace came back equal.

    Only what was sent is compared: Langfuse adds fields of its own. Order of observations and of tags is not kept by
    the application, strings that hold JSON may come back parsed, ids and times are compared exactly.
    """
    by_id = {observation.get("id"): observation for observation in read}
    differences = []
    for wanted in expected:
        got = by_id.get(wanted["id"])
        if got is None:
            differences.append({"span": wanted["name"], "field": "id", "sent": wanted["id"], "read": None})
            continue
        for field, sent in wanted.items():
            value = got.get(field)
            if not _same(field, sent, value):
                differences.append({"span": wanted["name"], "field": field, "sent": sent, "read": value})
    return differences


def missing(expected: Sequence[Mapping[str, Any]], read: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the spans that cannot be read yet. Rows of one trace may be flushed in different batches."""
    seen = {observation.get("id") for observation in read}
    return [str(wanted["name"]) for wanted in expected if wanted["id"] not in seen]


def environment_problem(name: str) -> str | None:
    """Why Langfuse would refuse this environment, or None.

    The rule is the application's own (``^(?!langfuse)[a-z0-9-_]+$``, 40 characters): names that begin with
    ``langfuse`` belong to it, and in the write modes ``dual`` and ``legacy`` the worker drops such observations.
    """
    if name.startswith("langfuse"):
        return "it begins with 'langfuse', which the application keeps for itself"
    if not 1 <= len(name) <= 40:
        return "it must have 1 to 40 characters"
    if not set(name) <= set(string.ascii_lowercase + string.digits + "-_"):
        return "only lower-case letters, digits, '-' and '_' are allowed"
    return None


def _expected(spec: TraceSpec, spans: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    root, generation, failed = (
        {
            "id": span["spanId"],
            "traceId": spec.trace_id,
            "parentObservationId": span.get("parentSpanId"),
            "name": span["name"],
            "type": "SPAN",
            "level": "DEFAULT",
            "environment": spec.environment,
            "startTime": _instant(int(span["startTimeUnixNano"])),
            "endTime": _instant(int(span["endTimeUnixNano"])),
        }
        for span in spans
    )
    sent = {pair["key"]: pair["value"].get("stringValue") for span in spans[:2] for pair in span["attributes"]}
    root.update(
        traceName=spec.name,
        input=json.dumps({"question": "does the trace arrive?"}),
        output=json.dumps({"answer": "yes"}),
        tags=list(spec.tags),
        metadata=dict(spec.metadata),
        userId=spec.user_id,
        sessionId=spec.session_id,
    )
    generation.update(
        type="GENERATION",
        model=MODEL,
        usageDetails=dict(USAGE),
        costDetails={"total": COST},
        totalCost=COST,
        input=sent["langfuse.observation.input"],
        output=sent["langfuse.observation.output"],
    )
    failed.update(level="ERROR", statusMessage=ERROR_MESSAGE)
    return [root, generation, failed]


def _span(
    spec: TraceSpec,
    span_id: str,
    parent: str | None,
    name: str,
    start: int,
    end: int,
    attributes: Mapping[str, Any],
    status: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    span = {
        "traceId": spec.trace_id,
        "spanId": span_id,
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(end),
        "attributes": [_attribute(key, value) for key, value in attributes.items() if value not in ("", [])],
        "status": dict(status or {}),
    }
    return span if parent is None else {**span, "parentSpanId": parent}


def _attribute(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"key": key, "value": {"arrayValue": {"values": [{"stringValue": item} for item in value]}}}
    return {"key": key, "value": {"stringValue": value}}


def _instant(ns: int) -> str:
    """Milliseconds, as the read API writes them: 2026-11-21T20:59:25.223Z."""
    seconds, rest = divmod(ns // _MS, 1000)
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def _same(field: str, sent: Any, read: Any) -> bool:
    if field == "tags":
        return isinstance(read, list) and sorted(sent) == sorted(read)
    if field in ("metadata", "usageDetails", "costDetails"):
        return isinstance(read, Mapping) and all(_equal(value, read.get(key)) for key, value in sent.items())
    if field in ("userId", "sessionId") and not sent:
        return not read
    return _equal(sent, read)


def _equal(sent: Any, read: Any) -> bool:
    sent, read = _parsed(sent), _parsed(read)
    if isinstance(sent, (int, float)) and isinstance(read, (int, float)):
        return math.isclose(sent, read, rel_tol=1e-6)
    return bool(sent == read)


def _parsed(value: Any) -> Any:
    """JSON inside a string and the value itself are the same thing on the two sides of the API."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
