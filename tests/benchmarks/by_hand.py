"""The floor of a first start: what a person types, as one program.

Stores, buckets, migration, web and workers on a project directory that is there already, then one trace.
"""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def _compose(job: dict[str, Any], *words: str) -> None:
    command = ["docker", "compose", "--project-directory", job["directory"], "--progress", "quiet", *words]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(f"docker compose {' '.join(words)}: {done.stderr[-2000:]}")


def _buckets(job: dict[str, Any]) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=job["s3"],
        region_name="us-east-1",
        aws_access_key_id=job["access_key"],
        aws_secret_access_key=job["secret_key"],
        config=Config(retries={"max_attempts": 0}),
    )
    deadline = time.monotonic() + 60
    for bucket in job["buckets"]:
        while True:
            try:
                client.create_bucket(Bucket=bucket)
                break
            except ClientError:
                # A healthy store still refuses for a moment after its first start.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def _trace(job: dict[str, Any]) -> None:
    """Send one span, and read it back."""
    trace_id, now = secrets.token_hex(16), time.time_ns()
    span = {
        "traceId": trace_id,
        "spanId": trace_id[:16],
        "name": "by-hand",
        "kind": 1,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 1_000_000),
        "attributes": [],
    }
    payload = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {}, "spans": [span]}]}]}
    key = base64.b64encode(f"{job['public_key']}:{job['project_key']}".encode()).decode()
    headers = {"Authorization": f"Basic {key}", "Content-Type": "application/json", "x-langfuse-ingestion-version": "4"}
    connection = http.client.HTTPConnection("127.0.0.1", job["web_port"], timeout=60)
    connection.request("POST", "/api/public/otel/v1/traces", json.dumps(payload), headers)
    answer = connection.getresponse()
    if answer.read() is None or answer.status != 200:
        raise SystemExit(f"the trace was answered with {answer.status}")
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 600))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        path = f"/api/public/v2/observations?traceId={trace_id}&fromStartTime={since}"
        connection.request("GET", path, headers=headers)
        if json.loads(connection.getresponse().read())["data"]:
            return
        time.sleep(0.02)
    raise SystemExit("the trace did not arrive")


def main(job: dict[str, Any]) -> None:
    steps: dict[str, Callable[[], None]] = {
        "stores": lambda: _compose(job, "up", "--detach", "--wait", *job["stores"]),
        "buckets": lambda: _buckets(job),
        "migration": lambda: _compose(job, "run", "--rm", "--no-deps", "-T", "langfuse-migrate"),
        "web and workers": lambda: _compose(job, "up", "--detach", "--wait"),
        "trace": lambda: _trace(job),
    }
    took = {}
    for name, step in steps.items():
        began = time.monotonic()
        step()
        took[name] = time.monotonic() - began
    print(json.dumps(took))


if __name__ == "__main__":
    main(json.load(sys.stdin))
