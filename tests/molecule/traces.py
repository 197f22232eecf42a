"""Traces by OTLP over plain HTTP, without retries, and which of them can be read."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable
from typing import Any

import boto3
import requests

from tests.molecule.instance import Deployed
from tests.waiting import wait_until

SEND = "/api/public/otel/v1/traces"
READ = "/api/public/v2/observations"
# Nobody answers, or stops in the middle: after a kill the way to a ready pod is there a moment later than the pod.
NO_ANSWER = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


def _payload(trace_id: str, name: str) -> dict[str, Any]:
    now = time.time_ns()
    text = {"key": "langfuse.environment", "value": {"stringValue": "molecule"}}
    span = {
        "traceId": trace_id,
        "spanId": trace_id[:16],
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 1_000_000),
        "attributes": [text],
    }
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {}, "spans": [span]}]}]}


class Traces:
    """Sender and reader with the keys of the instance's first project."""

    def __init__(self, instance: Deployed) -> None:
        self._instance = instance
        kept = instance.secrets()
        self._auth = (kept["langfuse_init_project_public_key"], kept["langfuse_init_project_secret_key"])

    def send(self, name: str, trace_id: str = "", timeout: float = 60) -> tuple[str, int]:
        """One trace of one span: its id and the status, 0 for none."""
        trace_id = trace_id or secrets.token_hex(16)
        headers = {"x-langfuse-ingestion-version": "4"}
        url, body = self._instance.url + SEND, _payload(trace_id, name)
        try:
            answer = requests.post(url, json=body, headers=headers, auth=self._auth, timeout=timeout)
        except requests.RequestException:
            return trace_id, 0
        return trace_id, answer.status_code

    def readable(self, name: str) -> set[str]:
        """Ids of all traces of that name."""
        found: set[str] = set()
        query: dict[str, str | int] = {"name": name, "limit": 1000, "fromStartTime": "2020-01-01T00:00:00Z"}
        while True:
            answer = requests.get(self._instance.url + READ, params=query, auth=self._auth, timeout=30)
            answer.raise_for_status()
            body = answer.json()
            found |= {row["traceId"] for row in body["data"]}
            if not (cursor := body["meta"].get("cursor")):
                return found
            query["cursor"] = cursor

    def missing(self, name: str, ids: Iterable[str], seconds: float) -> set[str]:
        """Which of `ids` cannot be read, after at most that long. Only a good answer says that one is missing."""
        wanted = set(ids)
        deadline = time.monotonic() + seconds
        while True:
            late = time.monotonic() > deadline
            try:
                lost = wanted - self.readable(name)
                if not lost or late:
                    return lost
            except (*NO_ANSWER, requests.HTTPError) as error:
                refused = error.response is not None and error.response.status_code < 500
                if refused or late:
                    raise
            time.sleep(0.3)

    def arrives(self, name: str, seconds: float = 60) -> str:
        """Send until one is taken, and wait until that one can be read."""

        def taken() -> str:
            trace_id, status = self.send(name, timeout=20)
            assert status in (0, 200) or status >= 500, f"the trace was answered with {status}"
            print(f"{name}: {status}")
            return trace_id if status == 200 else ""

        trace_id: str = wait_until(f"a trace {name} is taken", taken, seconds)
        assert not self.missing(name, [trace_id], seconds), f"trace {trace_id} cannot be read"
        return trace_id


class Bucket:
    """The events bucket as the application left it."""

    def __init__(self, instance: Deployed) -> None:
        kept = instance.secrets()
        self._client = boto3.client(
            "s3",
            endpoint_url=instance.s3_url,
            region_name="us-east-1",
            aws_access_key_id=kept["langfuse_s3_access_key"],
            aws_secret_access_key=kept["langfuse_s3_secret_key"],
        )

    def keys_of(self, ids: Iterable[str]) -> dict[str, str]:
        """Trace id → key of the object that holds it."""
        wanted, found = set(ids), {}
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket="langfuse-events", Prefix="otel/")
        for page in pages:
            for entry in page.get("Contents", []):
                body = self._client.get_object(Bucket="langfuse-events", Key=entry["Key"])["Body"].read()
                for span in _spans(json.loads(body)):
                    if span["traceId"] in wanted:
                        found[span["traceId"]] = entry["Key"]
        return found

    def delete(self, bucket: str) -> None:
        """Empty it and take it away."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                self._client.delete_object(Bucket=bucket, Key=entry["Key"])
        self._client.delete_bucket(Bucket=bucket)

    def names(self) -> set[str]:
        return {entry["Name"] for entry in self._client.list_buckets()["Buckets"]}


def _spans(document: Any) -> list[dict[str, Any]]:
    resources = document if isinstance(document, list) else document.get("resourceSpans", [])
    return [span for resource in resources for scope in resource["scopeSpans"] for span in scope["spans"]]


def replay(instance: Deployed, keys: Iterable[str]) -> dict[str, Any]:
    """Bring events back from the bucket by the admin API."""
    headers = {"Authorization": f"Bearer {instance.secrets()['langfuse_admin_api_key']}"}
    url = f"{instance.url}/api/admin/ingestion-replay"
    answer = requests.post(url, json={"keys": sorted(keys)}, headers=headers, timeout=30)
    assert answer.status_code == 200, f"replay answered {answer.status_code}: {answer.text[:300]}"
    return dict(answer.json())
