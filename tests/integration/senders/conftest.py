"""A Compose project with the stand-in pair, and what asks its public API for traces."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
if str(REPOSITORY) not in sys.path:
    sys.path.insert(0, str(REPOSITORY))

from tests.integration.modules.conftest import collections, run  # noqa: E402, F401
from tests.integration.modules.stack import PUBLIC_KEY, SECRETS, Stack, find_images  # noqa: E402

Rows = list[dict[str, Any]]
PREFIX = f"{os.environ.get('LANGFUSE_TEST_PREFIX', 'of')}-{os.environ.get('PYTEST_XDIST_WORKER', 'one')}"
FIELDS = "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context"
EVERYTHING_WITHIN = 30.0


class Langfuse:
    """The address and keys that a client is given, and what it sent as the public API shows it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.environment = {
            "LANGFUSE_BASE_URL": url,
            "LANGFUSE_HOST": url,
            "LANGFUSE_PUBLIC_KEY": PUBLIC_KEY,
            "LANGFUSE_SECRET_KEY": SECRETS["project"],
        }
        self.basic = base64.b64encode(f"{PUBLIC_KEY}:{SECRETS['project']}".encode()).decode()

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
        with urllib.request.urlopen(request, timeout=10) as answer:
            rows: Rows = json.load(answer)["data"]
            return rows

    def trace(self, tag: str, count: int) -> Rows:
        """The `count` observations of the one trace that has this tag somewhere, the first one first."""
        wanted = json.dumps([{"type": "arrayOptions", "column": "tags", "operator": "any of", "value": [tag]}])
        deadline = time.monotonic() + EVERYTHING_WITHIN
        rows: Rows = []
        while time.monotonic() < deadline:
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


@pytest.fixture(scope="session")
def langfuse(run: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Langfuse]:  # noqa: F811
    images = find_images()
    if images is None:
        pytest.skip("images of the bench are missing: python -m tests.bench up")
    project = Stack(tmp_path_factory.mktemp("senders"), images, f"{PREFIX}-senders")

    def create_buckets(endpoint: str) -> None:
        keys = {"access_key": "s3key", "secret_key": SECRETS["s3"]}
        assert run("s3_bucket", endpoint_url=endpoint, buckets=["lf-events", "lf-media"], **keys)["changed"]

    project.up(create_buckets)
    yield Langfuse(project.url)
    project.down()


@pytest.fixture
def tag(request: pytest.FixtureRequest) -> str:
    return f"{request.node.name.split('[')[0].removeprefix('test_')}-{uuid.uuid4().hex[:8]}"


def send(*command: str, **environment: str) -> str:
    """Run a client as a process of its own, with nothing of this one's environment but the path."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        command, env={**kept, **environment}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout + done.stderr
