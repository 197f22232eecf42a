"""When langfuse_trace says that a trace is readable, against a process that does nothing but ask for it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client, otlp, trace

from tests.benchmarks.figures import Broken, Section, delay_row
from tests.benchmarks.instance import ROOT, WEB_PORT, Instance

ROUNDS = 10
TIMEOUT = 60


class _Watched(http_client.Client):
    """Remembers when each exchange ended, so that the module's own moment is on the common clock."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.ends: list[float] = []

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> http_client.Response:
        answer = super().request(method, path, body, headers, timeout)
        self.ends.append(time.monotonic())
        return answer


def _once(url: str, authorization: str) -> tuple[float, float]:
    """Seconds from the moment the trace was accepted: ours, and the poller's."""
    built = otlp.build(trace.new_spec("benchmark", "benchmark", [], "", "", {}))
    query = {"traceId": built.trace_id, "fromStartTime": trace._since(built), "limit": 10, "fields": "core"}
    job = {
        "host": "127.0.0.1",
        "port": WEB_PORT,
        "path": f"{trace.READ}?{urlencode(query)}",
        "authorization": authorization,
        "spans": len(built.expected),
        "timeout": TIMEOUT,
    }
    command = [sys.executable, "-m", "tests.benchmarks.poller"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as poller:
        assert poller.stdin is not None and poller.stdout is not None
        poller.stdin.write(json.dumps(job))
        poller.stdin.close()
        try:
            poller.stdout.readline()  # it has begun to ask
            with contextlib.closing(_Watched(url)) as client:
                outcome = trace.send_and_wait(client, authorization, built, TIMEOUT)
                accepted, readable = client.ends[0], client.ends[-2]
            seen = float(poller.stdout.readline() or "nan")
        finally:
            poller.kill()
    if outcome.differences or seen != seen:
        raise Broken(f"the trace did not come back equal: {outcome.differences}")
    return readable - accepted, seen - accepted


def measure(instance: Instance) -> Section:
    """The instance must be up."""
    kept = instance.secrets()
    authorization = http_client.basic(
        kept["langfuse_init_project_public_key"], kept["langfuse_init_project_secret_key"]
    )
    _once(instance.url, authorization)
    pairs = [_once(instance.url, authorization) for _round in range(ROUNDS)]
    return Section(
        "langfuse_trace",
        [delay_row("`langfuse_trace`, from accepted to readable", [p[0] for p in pairs], [p[1] for p in pairs], 200)],
        [
            f"{ROUNDS} traces of three spans. Ours is the moment at which the code of the module knows that all spans can be "
            "read. The floor is a process of its own that asks for the same trace every 5 ms over one kept connection. "
            "Both ask at the same time, so each slows the other a little."
        ],
    )
