# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for the trace, and what each wrong answer means. A stand-in connection and clock, no network."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import http_client, otlp, trace
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

QUERY_MS = 60.0


def answer(status: int, body: Any, kind: str = "application/json") -> http_client.Response:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return http_client.Response(status, [("Content-Type", kind)], raw, QUERY_MS)


class Server:
    """Rows become readable `after` seconds; every request takes 60 ms of its clock."""

    def __init__(self, after: float, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.now = 0.0
        self.after = after
        self.reads = 0
        self.paths: list[str] = []

    def request(self, method: str, path: str, body: Any, headers: Any, timeout: float) -> http_client.Response:
        self.paths.append(path)
        readable = self.now >= self.after
        self.now += QUERY_MS / 1000
        if method == "POST":
            return answer(200, {"name": "otel-ingestion-job"})
        self.reads += 1
        return answer(200, {"data": self.rows if readable else self.rows[:1], "meta": {}})

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("after", [0.0, 0.5, 2.0, 10.0, 40.0])
def test_a_trace_is_seen_within_200_ms(after: float, spec: otlp.TraceSpec, read_back: list[dict[str, Any]]) -> None:
    server = Server(after, read_back)
    outcome = trace.send_and_wait(server, "Basic x", otlp.build(spec), 60, lambda: server.now, server.sleep)  # type: ignore[arg-type]
    seen_after = (outcome.timings["accepted"] + outcome.timings["readable"]) / 1000 - after
    assert outcome.differences == []
    assert seen_after <= 0.2 or after == 0.0
    assert outcome.attempts == server.reads - 1
    assert "fromStartTime=2026-11-21T20%3A49%3A24Z" in server.paths[1]


def test_it_may_be_delivered_by_somebody_else(spec: otlp.TraceSpec, read_back: list[dict[str, Any]]) -> None:
    server, limits = Server(0.5, read_back), []

    def deliver(limit: float) -> http_client.Response:
        limits.append(limit)
        return answer(200, {})

    trace.send_and_wait(server, "Basic x", otlp.build(spec), 60, lambda: server.now, server.sleep, deliver)  # type: ignore[arg-type]
    assert limits == [trace.HANG] and trace.SEND not in server.paths


def test_a_trace_that_never_comes_ends_in_time(spec: otlp.TraceSpec, read_back: list[dict[str, Any]]) -> None:
    server = Server(10_000, read_back)
    with pytest.raises(Failure) as caught:
        trace.send_and_wait(server, "Basic x", otlp.build(spec), 5, lambda: server.now, server.sleep)  # type: ignore[arg-type]
    assert caught.value.code == "not_readable"
    assert "probe, generate" in caught.value.message
    assert 5 <= server.now < 5.2


def test_nobody_is_waited_for_who_cannot_come(spec: otlp.TraceSpec, read_back: list[dict[str, Any]]) -> None:
    server = Server(10_000, read_back)
    asked: list[float] = []

    def hopeless() -> bool:
        asked.append(server.now)
        return len(asked) == 2

    with pytest.raises(Failure, match="within 4 s not readable"):
        trace.send_and_wait(server, "x", otlp.build(spec), 60, lambda: server.now, server.sleep, hopeless=hopeless)  # type: ignore[arg-type]
    assert 4 < server.now < 4.5


@pytest.mark.parametrize(
    ("status", "body", "kind", "path", "code"),
    [
        (401, {"message": "Invalid credentials. Confirm that you've configured the correct host."}, "json", trace.SEND, "key_refused"),
        (403, {"message": "Access denied"}, "json", trace.READ, "key_refused"),
        (500, {"message": "Internal Server Error", "error": "Failed to upload JSON to S3"}, "json", trace.SEND, "s3_upload_failed"),
        (500, "Internal Server Error", "text/plain", trace.SEND, "web_stuck_500"),
        (500, {"message": "Internal Server Error", "error": "connect ECONNREFUSED"}, "json", trace.READ, "read_failed"),
        (500, {"message": "Redis not initialized"}, "json", trace.SEND, "refused"),
        (404, {"message": "The observations v2 API is only available in a Langfuse v4 write mode"}, "json", trace.READ, "read_api_closed"),
        (404, "<!DOCTYPE html>", "text/html", trace.SEND, "not_langfuse"),
        (200, "<html>", "text/html", trace.READ, "not_langfuse"),
        (503, "", "text/plain", trace.SEND, "web_down"),
        (400, {"error": "Invalid content type"}, "json", trace.SEND, "refused"),
    ],
)  # fmt: skip
def test_refusals(status: int, body: Any, kind: str, path: str, code: str) -> None:
    failure = trace.refusal(answer(status, body, kind), path)
    assert failure.code == code
    assert failure.cure


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (http_client.TIMEOUT, "request_hangs"),
        (http_client.NAME, "name"),
        (http_client.TLS, "tls"),
        (http_client.REFUSED, "web_down"),
        (http_client.CLOSED, "web_down"),
    ],
)
def test_no_answer(kind: str, code: str) -> None:
    failure = trace.unreachable(http_client.Unreachable(kind, "host:3000", "why"), 15)
    assert (failure.code, "host:3000" in failure.message) == (code, True)
    assert ("Redis" in failure.cure) == (kind == http_client.TIMEOUT)
