# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trace: what is sent, and which read-back counts as equal."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import otlp

Rows = list[dict[str, Any]]


def test_an_equal_trace_has_no_differences(spec: otlp.TraceSpec, read_back: Rows) -> None:
    assert otlp.compare(otlp.build(spec).expected, read_back) == []


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        (0, "level", "DEFAULT"),
        (0, "statusMessage", ""),
        (0, "parentObservationId", None),
        (1, "type", "SPAN"),
        (1, "model", "gpt-4o"),
        (1, "usageDetails", {"input": 12, "output": 6, "total": 18}),
        (1, "costDetails", {}),
        (1, "totalCost", 0.0124),
        (1, "input", None),
        (1, "startTime", "1970-01-21T20:59:24.573Z"),
        (2, "environment", "default"),
        (2, "tags", ["probe"]),
        (2, "metadata", {"vehicle_id": "v-43", "count": 7}),
        (2, "metadata", None),
        (2, "userId", ""),
        (2, "sessionId", "other"),
        (2, "output", {"answer": "no"}),
        (2, "endTime", "9999-12-31T23:59:59.000Z"),
        (2, "name", "other"),
        (2, "traceName", ""),
    ],
)
def test_every_field_counts(row: int, field: str, value: Any, spec: otlp.TraceSpec, read_back: Rows) -> None:
    read_back[row][field] = value
    differences = otlp.compare(otlp.build(spec).expected, read_back)
    assert [(item["field"], item["read"]) for item in differences] == [(field, value)]


def test_a_span_that_is_not_there_is_a_difference_and_missing(spec: otlp.TraceSpec, read_back: Rows) -> None:
    expected = otlp.build(spec).expected
    assert otlp.missing(expected, read_back) == []
    assert otlp.missing(expected, read_back[1:]) == ["fail"]
    assert otlp.compare(expected, read_back[1:]) == [
        {"span": "fail", "field": "id", "sent": "e24b862fbe41ded2", "read": None}
    ]


def test_what_is_empty_is_not_sent_and_not_expected(spec: otlp.TraceSpec, read_back: Rows) -> None:
    bare = otlp.build(spec._replace(tags=(), user_id="", session_id="", metadata={}))
    keys = [pair["key"] for pair in bare.payload["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]]
    assert keys == ["langfuse.trace.name", "langfuse.observation.input", "langfuse.observation.output"]
    read_back[2].update(userId="", sessionId=None, tags=[], metadata={"scope.version": 1})
    assert otlp.compare(bare.expected, read_back) == []


def test_the_document_is_the_recorded_one(spec: otlp.TraceSpec) -> None:
    spans = otlp.build(spec).payload["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert [span.get("parentSpanId") for span in spans] == [None, spec.span_ids[0], spec.span_ids[0]]
    assert spans[0]["startTimeUnixNano"] == "1795294764473992222"
    assert spans[2]["status"] == {"code": 2, "message": otlp.ERROR_MESSAGE}
    tags = next(pair for pair in spans[0]["attributes"] if pair["key"] == "langfuse.trace.tags")
    assert tags["value"] == {"arrayValue": {"values": [{"stringValue": "panic"}, {"stringValue": "probe"}]}}


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("verify", True),
        ("pre-prod_2", True),
        ("langfuse-verify", False),
        ("Verify", False),
        ("a b", False),
        ("é", False),
        ("", False),
        ("x" * 41, False),
    ],
)
def test_names_of_environments(name: str, allowed: bool) -> None:
    assert (otlp.environment_problem(name) is None) == allowed
