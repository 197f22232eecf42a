"""A cluster as its tests use it: namespaces of their own, servers, and pods to run commands in."""

from __future__ import annotations

import contextlib
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.bench.cluster import cluster as whole
from tests.bench.cluster import programs
from tests.bench.cluster.api import Api, is_available
from tests.bench.cluster.layout import Layout
from tests.bench.lock import only_one
from tests.bench.paths import find_paths
from tests.integration.cluster.host import Traces
from tests.integration.cluster.leases import leased

LAYOUT = Layout(find_paths())


@dataclass(frozen=True)
class Running:
    """`image` is a small Debian with Python; `before` is the machine as it was, None where a cluster was up already."""

    api: Api
    image: str
    before: Traces | None

    def kubectl(self, *words: str, timeout: float = 180, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [*programs.kubectl(LAYOUT), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, input=stdin)

    def namespaces(self, *names: str) -> contextlib.AbstractContextManager[None]:
        """With these. What was there before, as of others, stays."""
        return leased(self.api, LAYOUT.state / "namespaces", *names)

    @contextlib.contextmanager
    def new_namespace(self) -> Iterator[Namespace]:
        name = f"test-{uuid.uuid4().hex[:8]}"
        with self.namespaces(name):
            yield Namespace(self, name)

    def add(self, name: str) -> None:
        with only_one(LAYOUT.paths):
            whole.ADDITIONS[name](LAYOUT, self.api, {})


@dataclass(frozen=True)
class Namespace:
    """A place of its own for one test, gone after it."""

    running: Running
    name: str

    @property
    def api(self) -> Api:
        return self.running.api

    def apply(self, *objects: dict[str, Any]) -> None:
        for each in objects:
            each["metadata"].setdefault("namespace", self.name)
        self.api.apply(objects)

    def web(self, name: str, replicas: int = 1) -> None:
        """A web server behind a Service on port 80, once it answers its probe."""
        labels = {"app": name}
        serve = "from http.server import *; ThreadingHTTPServer(('', 8080), SimpleHTTPRequestHandler).serve_forever()"
        container = {
            "name": "web",
            "image": self.running.image,
            "command": ["python3", "-c", serve],
            "workingDir": "/etc/dpkg",
            "ports": [{"name": "http", "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        security = {"runAsNonRoot": True, "runAsUser": 1001, "seccompProfile": {"type": "RuntimeDefault"}}
        pod = {"containers": [container], "securityContext": security, "terminationGracePeriodSeconds": 0}
        self.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": pod},
                },
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name},
                "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
            },
        )
        self.api.wait(f"/apis/apps/v1/namespaces/{self.name}/deployments/{name}", is_available, f"Deployment {name}")

    def client(self, name: str, image: str = "") -> None:
        """A pod to run commands in."""
        container = {"name": "client", "image": image or self.running.image, "command": ["sleep", "1000"]}
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "labels": {"app": name}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
            }
        )
        self.api.wait(
            f"/api/v1/namespaces/{self.name}/pods/{name}",
            lambda pod: pod.get("status", {}).get("phase") == "Running",
            f"pod {name} that runs",
        )

    def run(self, pod: str, *words: str) -> subprocess.CompletedProcess[str]:
        return self.running.kubectl("exec", f"--namespace={self.name}", pod, "--", *words)

    def reaches(self, pod: str, address: str) -> bool:
        """Whether `pod` gets an answer over HTTP from this address."""
        return (
            self.run(pod, "wget", "-q", "-T", "5", "-t", "1", "-O", "/dev/null", f"http://{address}/").returncode == 0
        )
