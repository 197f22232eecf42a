"""From an OTLP export to rows, and what is refused on the way."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from standin.otel.export import Refused, hex_id, ingestion_version, read
from standin.otel.mapping import Context, micros, object_key, rows
from standin.otel.protobuf import decode

CONTEXT = Context("proj1", "pk", "otel/proj1/k.json", "unknown", "unknown", 1_795_294_765_406_000)
SPAN = {
    "traceId": "ad982a50336c2337b45860bd96bedadc",
    "spanId": "987afdfa4397cefd",
    "name": "investigate",
    "startTimeUnixNano": "1795294764573992222",
    "endTimeUnixNano": "1795294765173992222",
}


def attribute(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"key": key, "value": {"arrayValue": {"values": [{"stringValue": v} for v in value]}}}
    return {"key": key, "value": {"stringValue": value}}


def number(key: str, value: int) -> dict[str, Any]:
    return {"key": key, "value": {"intValue": str(value)}}


MODEL_GOT = {"provided_model_name": "got"}
TEMPERATURE = {"model_parameters": '{"temperature":0.5}'}
LLM_COUNT = {"input": 1, "total": 3}


def export(span: dict[str, Any]) -> list[dict[str, Any]]:
    resource = {"attributes": [attribute("service.name", "probe"), attribute("langfuse.environment", "probe")]}
    return [{"resource": resource, "scopeSpans": [{"scope": {"name": "probe", "version": "1"}, "spans": [span]}]}]


def row(**changes: Any) -> dict[str, Any]:
    return rows(export({**SPAN, **changes}), CONTEXT)[0]


def test_instants_are_whole_microseconds() -> None:
    found = row()
    assert (found["start_time"], found["end_time"]) == (1795294764573992, 1795294765173992)
    assert all(isinstance(found[k], int) for k in ("start_time", "end_time", "created_at", "event_ts"))
    assert micros({"high": 418004, "low": -1}) == ((418004 << 32) + 0xFFFFFFFF) // 1000


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ([], {"type": "SPAN", "level": "DEFAULT", "environment": "probe", "user_id": "", "trace_name": ""}),
        ([attribute("langfuse.observation.type", "generation")], {"type": "GENERATION"}),
        ([attribute("langfuse.observation.type", "nonsense")], {"type": "SPAN"}),
        ([attribute("gen_ai.request.model", "m")], {"type": "GENERATION", "provided_model_name": "m"}),
        ([attribute("langfuse.environment", "own")], {"environment": "own"}),
        ([attribute("langfuse.user.id", "u"), attribute("session.id", "s")], {"user_id": "u", "session_id": "s"}),
        ([attribute("langfuse.trace.tags", ["a", "b"])], {"tags": ["a", "b"]}),
        ([attribute("langfuse.trace.tags", '["a","b"]')], {"tags": ["a", "b"]}),
        ([attribute("langfuse.trace.tags", "a, b")], {"tags": ["a", "b"]}),
        ([attribute("langfuse.observation.metadata.langfuse_tags", ["a"])], {"tags": ["a"]}),
        ([attribute("gen_ai.conversation.id", "s")], {"session_id": "s"}),
        ([attribute("gen_ai.request.model", "asked"), attribute("gen_ai.response.model", "got")], MODEL_GOT),
        ([{"key": "gen_ai.request.temperature", "value": {"doubleValue": 0.5}}], TEMPERATURE),
        (
            [number("gen_ai.usage.input_tokens", 12), number("gen_ai.usage.cached_tokens", 3)],
            {"usage_details": {"input": 12, "cached_tokens": 3, "total": 15}},
        ),
        ([number("llm.token_count.prompt", 1), number("llm.token_count.total", 3)], {"usage_details": LLM_COUNT}),
        ([{"key": "gen_ai.usage.cost", "value": {"doubleValue": 0.5}}], {"provided_cost_details": {"total": 0.5}}),
        (
            [attribute("langfuse.observation.completion_start_time", '"2026-11-22T05:28:33.225558Z"')],
            {"completion_start_time": 1795325313225558},
        ),
        ([attribute("langfuse.observation.completion_start_time", "soon")], {"completion_start_time": None}),
        ([attribute("langfuse.observation.level", "WARNING")], {"level": "WARNING"}),
        ([attribute("langfuse.observation.input", '{"a":1}')], {"input": '{"a":1}'}),
        (
            [attribute("langfuse.observation.usage_details", '{"input":12,"output":5}')],
            {
                "provided_usage_details": {"input": 12, "output": 5},
                "usage_details": {"input": 12, "output": 5, "total": 17},
            },
        ),
        (
            [attribute("langfuse.observation.cost_details", '{"total":0.0123}')],
            {"provided_cost_details": {"total": 0.0123}},
        ),
        ([attribute("langfuse.observation.usage_details", "broken")], {"usage_details": {}}),
    ],
)
def test_attributes(attributes: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    found = row(attributes=attributes)
    assert {k: found[k] for k in expected} == expected


def test_metadata_is_own_then_scope_resource_and_the_rest() -> None:
    found = row(
        attributes=[
            attribute("langfuse.trace.metadata.vehicle_id", "v-42"),
            attribute("langfuse.observation.input", "not metadata"),
            attribute("langfuse.trace.tags", ["a"]),
        ]
    )
    assert dict(zip(found["metadata_names"], found["metadata_values"], strict=True)) == {
        "vehicle_id": "v-42",
        "scope.version": "1",
        "scope.name": "probe",
        "resourceAttributes.service.name": "probe",
        "resourceAttributes.langfuse.environment": "probe",
        "attributes.langfuse.trace.tags": '["a"]',
    }


def test_a_failed_span_is_an_error_and_a_child_no_root() -> None:
    found = row(status={"code": 2, "message": "boom"}, parentSpanId="82b16ca3f9d158a7")
    assert (found["level"], found["status_message"], found["is_app_root"]) == ("ERROR", "boom", False)
    assert row()["is_app_root"] is True


@pytest.mark.parametrize("span_id", ["zz", "", "ABC", [1, 255], {"type": "Buffer", "data": [1, 255]}])
def test_ids_are_kept_as_sent(span_id: Any) -> None:
    body = json.dumps({"resourceSpans": export({**SPAN, "spanId": span_id})}).encode()
    assert hex_id(read(body, "application/json", "")[0]["scopeSpans"][0]["spans"][0]["spanId"]) == (
        span_id if isinstance(span_id, str) else "01ff"
    )


REFUSED = [
    (b"x", "text/plain", "", "Invalid content type"),
    (b"{", "application/json", "", "Failed to parse OTel JSON Trace"),
    (b"{}", "application/json", "", "Failed to parse OTel JSON Trace"),
    (b"\x00\x01\x02garbage", "application/x-protobuf", "", "Failed to parse OTel Protobuf Trace"),
    (b"no gzip", "application/json", "gzip", "Failed to decompress gzip data"),
    (
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a"}]}]}]}',
        "application/json",
        "",
        "Invalid OTLP trace export",
    ),
    (
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a","spanId":"b","attributes":{}}]}]}]}',
        "application/json",
        "",
        "Invalid OTLP trace export",
    ),
]


@pytest.mark.parametrize(("body", "content_type", "encoding", "text"), REFUSED)
def test_refused(body: bytes, content_type: str, encoding: str, text: str) -> None:
    with pytest.raises(Refused, match=text):
        read(body, content_type, encoding)


@pytest.mark.parametrize("header", ["5", "abc", "4.0"])
def test_ingestion_version_too_new_or_no_number(header: str) -> None:
    with pytest.raises(Refused, match=f'Unsupported x-langfuse-ingestion-version: "{header}"'):
        ingestion_version(header)


@pytest.mark.parametrize(("header", "found"), [(None, ""), ("", ""), ("3", "3"), ("4", "4")])
def test_ingestion_version(header: str | None, found: str) -> None:
    assert ingestion_version(header) == found


def test_protobuf_equals_json() -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "probe"
    scope = resource.scope_spans.add()
    scope.scope.name = "probe"
    span = scope.spans.add(
        trace_id=bytes.fromhex(str(SPAN["traceId"])),
        span_id=bytes.fromhex(str(SPAN["spanId"])),
        name="pb",
        start_time_unix_nano=1795294764573992222,
        end_time_unix_nano=1795294765173992222,
    )
    for key, value in (("i", -5), ("d", 0.5), ("b", True)):
        any_value = span.attributes.add(key=key).value
        setattr(any_value, {int: "int_value", float: "double_value", bool: "bool_value"}[type(value)], value)
    span.status.code = 2
    data = message.SerializeToString()
    found = read(gzip.compress(data), "application/x-protobuf", "gzip")
    got = rows(found, CONTEXT)[0]
    assert (got["trace_id"], got["span_id"], got["start_time"], got["level"]) == (
        SPAN["traceId"],
        SPAN["spanId"],
        1795294764573992,
        "ERROR",
    )
    values = dict(zip(got["metadata_names"], got["metadata_values"], strict=True))
    assert [values[f"attributes.{k}"] for k in "idb"] == ["-5", "0.5", "true"]
    for cut in range(1, len(data)):
        try:
            decode(data[:cut])
        except ValueError:
            continue


def test_object_key_uses_the_prefix_verbatim() -> None:
    assert object_key("events/", "p", "2026/11/21/20/59", "u") == "events/otel/p/2026/11/21/20/59/u.json"
    assert object_key("events", "p", "2026/11/21/20/59", "u") == "eventsotel/p/2026/11/21/20/59/u.json"


def test_metadata_in_one_attribute_is_taken_apart() -> None:
    found = row(attributes=[attribute("langfuse.trace.metadata", '{"vehicle_id":"v-42","deep":{"a":1}}')])
    pairs = dict(zip(found["metadata_names"], found["metadata_values"], strict=True))
    assert (pairs["vehicle_id"], pairs["deep"]) == ("v-42", '{"a":1}')
    assert "attributes.langfuse.trace.metadata" not in pairs
    assert "x" not in row(attributes=[attribute("langfuse.trace.metadata", '["x"]')])["metadata_names"]
