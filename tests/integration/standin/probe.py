"""One trace through the pair: send, then read back."""

from __future__ import annotations

import base64
import time
import uuid
from typing import Any

from tests.integration.standin.stack import PUBLIC_KEY, SECRET_KEY, fetch_json


def headers(public: str = PUBLIC_KEY, secret: str = SECRET_KEY) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{public}:{secret}".encode()).decode()}


def export(trace_id: str) -> dict[str, Any]:
    now = time.time_ns()
    span = {
        "traceId": trace_id,
        "spanId": uuid.uuid4().hex[:16],
        "name": "probe",
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 100_000_000),
    }
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "probe"}, "spans": [span]}]}]}


def send(url: str, trace_id: str | None = None, timeout: float = 20) -> tuple[str, int, Any]:
    trace_id = trace_id or uuid.uuid4().hex
    status, body = fetch_json("POST", f"{url}/api/public/otel/v1/traces", export(trace_id), headers(), timeout)
    if status != 200:
        print(f"export answered {status}: {body}")
    return trace_id, status, body


def readable(url: str, trace_id: str) -> bool:
    status, body = fetch_json("GET", f"{url}/api/public/v2/observations?traceId={trace_id}&limit=1", None, headers())
    return status == 200 and bool(body["data"]) and body["data"][0]["traceId"] == trace_id


def arrives(url: str, trace_id: str, seconds: float = 120) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if readable(url, trace_id):
            return True
        time.sleep(0.2)
    return False
