"""What clients sent, as the public API shows it."""

from __future__ import annotations

import base64
import contextlib
import json
import time
import urllib.parse
import urllib.request
from typing import Any

Rows = list[dict[str, Any]]
FIELDS = "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context"
EVERYTHING_WITHIN = 120.0


class Langfuse:
    """The address and keys that a client is given, and what it sent as the public API shows it."""

    def __init__(self, url: str, public_key: str, secret_key: str) -> None:
        self.url = url
        self.environment = {
            "LANGFUSE_BASE_URL": url,
            "LANGFUSE_HOST": url,
            "LANGFUSE_PUBLIC_KEY": public_key,
            "LANGFUSE_SECRET_KEY": secret_key,
        }
        self.basic = base64.b64encode(f"{public_key}:{secret_key}".encode()).decode()

    @property
    def otlp(self) -> dict[str, str]:
        """What a plain OpenTelemetry exporter needs."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{self.url}/api/public/otel",
            "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Basic%20{self.basic},x-langfuse-ingestion-version=4",
        }

    def observations(self, **query: str) -> Rows:
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
        text = urllib.parse.urlencode({"fromStartTime": since, "fields": FIELDS, **query})
        request = urllib.request.Request(f"{self.url}/api/public/v2/observations?{text}")
        request.add_header("Authorization", f"Basic {self.basic}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            rows: Rows = json.load(answer)["data"]
            return rows

    def trace(self, tag: str, count: int) -> Rows:
        """The `count` observations of the one trace that has this tag somewhere, the first one first."""
        wanted = json.dumps([{"type": "arrayOptions", "column": "tags", "operator": "any of", "value": [tag]}])
        deadline = time.monotonic() + EVERYTHING_WITHIN
        rows: Rows = []
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                ids = {row["traceId"] for row in self.observations(filter=wanted)}
                assert len(ids) <= 1, f"{tag} is on {len(ids)} traces"
                rows = self.observations(traceId=ids.pop()) if ids else []
            if len(rows) >= count:
                break
            time.sleep(0.2)
        assert len(rows) == count, f"{tag}: {[row['name'] for row in rows]}"
        return sorted(rows, key=lambda row: row["startTime"])

    def named(self, tag: str, count: int) -> dict[str, dict[str, Any]]:
        """The same by name."""
        return {row["name"]: row for row in self.trace(tag, count)}
