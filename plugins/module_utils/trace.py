# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send one trace, wait until it can be read, compare. The cheapest proof that every wire of Langfuse is right:
web, key, S3 write and read, Redis, worker, ClickHouse write and read."""

from __future__ import annotations

import datetime
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client, otlp
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

SEND = "/api/public/otel/v1/traces"
READ = "/api/public/v2/observations"
FIELDS = "core,basic,time,io,metadata,model,usage,metrics,trace_context"
# Not sent at once nor answered within this time: Redis does not answer (authenticated requests wait for it).
HANG = 15.0
# Seconds between two questions whether waiting is in vain.
_ASK_AFTER = 2.0


class Outcome(NamedTuple):
    """``timings`` in milliseconds: accepted (request), readable (from then on), compared (last read and comparison)."""

    trace_id: str
    timings: dict[str, float]
    attempts: int
    differences: list[dict[str, Any]]
    response: Any


def new_spec(
    name: str, environment: str, tags: list[str], user_id: str, session_id: str, metadata: Mapping[str, str]
) -> otlp.TraceSpec:
    """A spec with random ids that begins now."""
    ids = (secrets.token_hex(8), secrets.token_hex(8), secrets.token_hex(8))
    return otlp.TraceSpec(
        secrets.token_hex(16), ids, time.time_ns(), name, environment, tuple(tags), user_id, session_id, dict(metadata)
    )


def pause(elapsed: float) -> float:
    """Seconds between two polls. A trace is seen at most 200 ms after it is readable: pause plus two slow reads."""
    return 0.02 if elapsed < 3 else 0.05 if elapsed < 15 else 0.1


def send_and_wait(
    client: http_client.Client,
    authorization: str,
    trace: otlp.Trace,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    deliver: Callable[[float], http_client.Response] | None = None,
    hopeless: Callable[[], bool] = lambda: False,
) -> Outcome:
    """The whole round trip within ``timeout`` seconds, or a Failure that says which part did not come.

    ``deliver`` sends it on another way than to Langfuse itself, and is given the seconds that it may take. ``hopeless`` is
    asked every two seconds whether waiting is in vain.
    """
    began = clock()
    deadline = began + timeout
    headers = {"Authorization": authorization}
    limit = min(HANG, max(2.0, timeout))
    accepted = _send(client, headers, trace, limit) if deliver is None else deliver(limit)
    sent_at = asked_at = clock()
    attempts = 0
    since = _since(trace)
    while True:
        attempts += 1
        left = deadline - clock()
        limit = min(HANG, max(2.0, left))
        found = _read(client, headers, trace.trace_id, since, "core", limit) if left > 0 else None
        if found is not None and not otlp.missing(trace.expected, found):
            break
        in_vain = False
        if clock() - asked_at > _ASK_AFTER:
            in_vain, asked_at = hopeless(), clock()
        if in_vain or clock() >= deadline:
            absent = otlp.missing(trace.expected, found or [])
            raise _not_readable(trace, absent, clock() - began, attempts, accepted.ms)
        sleep(min(pause(clock() - sent_at), max(0.0, deadline - clock())))
    readable_at = clock()
    found = _read(client, headers, trace.trace_id, since, FIELDS, min(HANG, max(1.0, deadline - clock())))
    differences = otlp.compare(trace.expected, found)
    timings = {
        "accepted": round(accepted.ms, 1),
        "readable": round((readable_at - sent_at) * 1000, 1),
        "compared": round((clock() - readable_at) * 1000, 1),
    }
    return Outcome(trace.trace_id, timings, attempts, differences, accepted.json())


def delete(client: http_client.Client, authorization: str, trace_id: str) -> None:
    """Ask for the deletion. The worker does it later (seconds to minutes); the raw object stays in the bucket."""
    answer = _request(client, "DELETE", f"/api/public/traces/{quote(trace_id)}", {"Authorization": authorization})
    if answer.status != 200:
        raise Failure(
            "delete_refused",
            f"Langfuse refused to delete trace {trace_id}: {answer.status} {answer.text()}.",
            "Delete it in the interface, or set delete: false.",
        )


def _send(
    client: http_client.Client, headers: Mapping[str, str], trace: otlp.Trace, timeout: float
) -> http_client.Response:
    extra = {**headers, "x-langfuse-ingestion-version": "4"}
    answer = _request(client, "POST", SEND, extra, trace.payload, timeout)
    if answer.status != 200:
        raise refusal(answer, SEND)
    return answer


def _read(
    client: http_client.Client, headers: Mapping[str, str], trace_id: str, since: str, fields: str, timeout: float
) -> list[dict[str, Any]]:
    query = {"traceId": trace_id, "fromStartTime": since, "limit": 10, "fields": fields}
    return rows(client, headers, query, timeout)


def rows(
    client: http_client.Client, headers: Mapping[str, str], query: Mapping[str, Any], timeout: float
) -> list[dict[str, Any]]:
    """Observations as the API shows them. ``query`` names ``fromStartTime``. Raises Failure."""
    answer = _request(client, "GET", f"{READ}?{urlencode(query)}", headers, None, timeout)
    body = answer.json()
    if answer.status != 200 or not isinstance(body, dict) or not isinstance(body.get("data"), list):
        raise refusal(answer, READ)
    return [row for row in body["data"] if isinstance(row, dict)]


def _request(
    client: http_client.Client,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: Any = None,
    timeout: float = HANG,
) -> http_client.Response:
    try:
        return client.request(method, path, body, headers, timeout)
    except http_client.Unreachable as error:
        raise unreachable(error, timeout) from None


def unreachable(error: http_client.Unreachable, timeout: float) -> Failure:
    """No answer at all, as a Failure."""
    if error.kind == http_client.TIMEOUT:
        return Failure(
            "request_hangs",
            f"Langfuse web at {error.where} did not answer an authenticated request within {timeout:.0f} s.",
            "Most often Redis is down or unreachable for web: while it is, every authenticated request hangs although "
            "/api/public/health answers 200. Start Redis, or correct REDIS_HOST, REDIS_PORT and REDIS_AUTH.",
        )
    if error.kind == http_client.NAME:
        return Failure(
            "name", f"The name in {error.where} does not resolve: {error.detail}.", "Correct url or the DNS."
        )
    if error.kind == http_client.TLS:
        cure = "Set ca_path to the CA of the certificate, or correct the certificate."
        return Failure("tls", f"TLS with {error.where} failed: {error.detail}.", cure)
    return Failure(
        "web_down",
        f"Nothing answers at {error.where}: {error.detail}.",
        "Start Langfuse web, and set HOSTNAME=0.0.0.0 for it; correct url if it is another address.",
    )


def refusal(answer: http_client.Response, path: str) -> Failure:
    """An answer that is not the one hoped for, as a Failure. Texts are those of Langfuse 4.16.0."""
    text = answer.text()
    body = answer.json()
    said = f"{path} answered {answer.status}: {text}"
    kind = answer.headers.get("content-type", "")
    if answer.status in (401, 403):
        return Failure("key_refused", said, "Correct public_key and secret_key; they must be a project's keys.")
    if "Failed to upload" in text:
        cure = "Correct LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT, _BUCKET, _ACCESS_KEY_ID and _SECRET_ACCESS_KEY of web."
        return Failure("s3_upload_failed", f"Langfuse web cannot write into the event bucket. {said}", cure)
    if answer.status == 404 and "write mode" in text:
        cure = "Set LANGFUSE_MIGRATION_V4_ALLOW_PREVIEW_OPT_IN=true on web."
        return Failure("read_api_closed", said, cure)
    if answer.status == 500 and not isinstance(body, dict) and "Internal Server Error" in text:
        cure = "Web did not get through its start and stays like this: read its log, mend the cause, restart web."
        return Failure("web_stuck_500", said, cure)
    if answer.status == 500 and path == READ:
        cure = "Start ClickHouse, or correct CLICKHOUSE_URL, CLICKHOUSE_USER and CLICKHOUSE_PASSWORD of web."
        return Failure("read_failed", f"Langfuse web cannot read from ClickHouse. {said}", cure)
    if answer.status in (502, 503, 504):
        return Failure(
            "web_down", said, "The proxy reaches no Langfuse web: start web, or correct the proxy's upstream."
        )
    if answer.status == 404 or "html" in kind:
        return Failure("not_langfuse", said, "Correct url: this is not the root of a Langfuse v4.")
    return Failure("refused", said, "Read the log of Langfuse web at this time.")


def _not_readable(trace: otlp.Trace, absent: list[str], timeout: float, attempts: int, accepted_ms: float) -> Failure:
    return Failure(
        "not_readable",
        f"Trace {trace.trace_id} was accepted but within {timeout:.0f} s not readable (missing: {', '.join(absent)}).",
        "Look at the worker first (is it running, does it log errors?), then at ClickHouse (reachable, UTC, "
        "below 26.8 or with input_format_read_datetime_number_as_raw_value=1).",
        trace_id=trace.trace_id,
        attempts=attempts,
        timings={"accepted": round(accepted_ms, 1)},
    )


def _since(trace: otlp.Trace) -> str:
    """Ten minutes before the trace begins: without a time range the query scans the whole project."""
    begins = str(trace.expected[0]["startTime"]).replace("Z", "+00:00")
    moment = datetime.datetime.fromisoformat(begins) - datetime.timedelta(minutes=10)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
