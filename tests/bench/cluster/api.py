"""A small client of the API server: what the bench needs to apply, wait and watch, from the standard library."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.bench.shell import BenchError

Object = dict[str, Any]
_MANAGER = "bench"
_WATCH_SECONDS = 300
_BUSY_SECONDS = 20


class ApiError(BenchError):
    """An answer that is no success. `code` is HTTP's; 0 when nothing answered."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Api:
    """Speaks as the user of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        content = yaml.safe_load(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self._server = str(cluster["server"])
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)
        with tempfile.NamedTemporaryFile() as pair:
            for part in ("client-certificate-data", "client-key-data"):
                pair.write(base64.b64decode(user[part]))
            pair.flush()
            self._tls.load_cert_chain(pair.name)
        # A proxy of the machine's environment does not know the node's address.
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._tls))
        self._opener = urllib.request.build_opener(*handlers)
        self._kinds: dict[tuple[str, str], tuple[str, bool]] = {}

    def _open(self, method: str, path: str, body: object = None, kind: str = "", timeout: float = 30) -> Any:
        request = urllib.request.Request(self._server + path, method=method)
        request.add_header("Accept", "application/json")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", kind or "application/json")
        try:
            return self._opener.open(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise ApiError(error.code, f"{method} {path}: {error.code} {_message(text)}") from error
        except OSError as error:
            raise ApiError(0, f"{method} {path}: {error}") from error

    def call(self, method: str, path: str, body: object = None, kind: str = "") -> Any:
        """What the server answered, from JSON; text where it is none."""
        text = self._answer(method, path, body, kind)
        try:
            return json.loads(text)
        except ValueError:
            return text

    def _answer(self, method: str, path: str, body: object, kind: str) -> str:
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                with self._open(method, path, body, kind) as answer:
                    return str(answer.read().decode())
            except ApiError as error:
                # As while the definition of a kind is new.
                if error.code != 429 or time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def find(self, path: str) -> Object | None:
        """The object, or None where there is none."""
        try:
            found: Object = self.get(path)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        return found

    def delete(self, path: str, seconds: int | None = None) -> None:
        """`seconds`: the grace period, the object's own without it. What is gone already is no error."""
        options = {} if seconds is None else {"gracePeriodSeconds": seconds}
        try:
            self.call("DELETE", path, options)
        except ApiError as error:
            if error.code != 404:
                raise

    def answers(self) -> bool:
        try:
            return bool(self.get("/readyz") == "ok")
        except ApiError:
            return False

    def path_of(self, wanted: Object) -> str:
        version, metadata = wanted["apiVersion"], wanted["metadata"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        resource, namespaced = self._kind(root, wanted["kind"])
        place = f"/namespaces/{metadata.get('namespace', 'default')}" if namespaced else ""
        return f"{root}{place}/{resource}/{metadata['name']}"

    def _kind(self, root: str, kind: str) -> tuple[str, bool]:
        if (root, kind) not in self._kinds:
            for resource in self.get(root)["resources"]:
                if "/" not in resource["name"]:
                    self._kinds[root, resource["kind"]] = (resource["name"], resource["namespaced"])
        if (root, kind) not in self._kinds:
            raise BenchError(f"{root} has no kind {kind}")
        return self._kinds[root, kind]

    def apply(self, wanted: Iterable[Object]) -> None:
        """Server-side, each object after the one before it."""
        for each in wanted:
            path = f"{self.path_of(each)}?fieldManager={_MANAGER}&force=true"
            self.call("PATCH", path, each, "application/apply-patch+yaml")

    def wait(self, path: str, ready: Callable[[Object], bool], what: str, seconds: float = 120) -> Object:
        """The object when `ready` is true of it; `what` completes "no … within".."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.find(path)
            if found is not None and ready(found):
                return found
            if time.monotonic() > deadline:
                state = json.dumps((found or {}).get("status", "no such object"))
                raise BenchError(f"no {what} within {seconds:g} s: {state[:1500]}")
            time.sleep(0.1)

    def wait_connected(self, service: str, port: int, seconds: float = 60) -> None:
        """Until the address of a Service leads to a pod: rules are written a moment after the pod is ready. service: its path."""
        address = self.get(service)["spec"]["clusterIP"]
        deadline = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection((address, port), timeout=5).close()
            except OSError as error:
                if time.monotonic() > deadline:
                    raise BenchError(f"{service} leads to nobody within {seconds:g} s: {error}") from error
                time.sleep(0.1)
            else:
                return

    def watch(self, path: str, version: str) -> Iterator[tuple[str, Object]]:
        """Types and objects of what happens after `version`, until the server ends the stream."""
        query = f"?watch=1&allowWatchBookmarks=true&timeoutSeconds={_WATCH_SECONDS}&resourceVersion={version}"
        with self._open("GET", path + query, timeout=_WATCH_SECONDS + 30) as answer:
            for line in answer:
                event = json.loads(line)
                yield event["type"], event["object"]


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:300]


def has_condition(wanted: Object, kind: str) -> bool:
    """Whether the condition of this type is true."""
    conditions = wanted.get("status", {}).get("conditions") or []
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)


def is_available(deployment: Object) -> bool:
    """Whether the newest form of a Deployment runs with all its replicas, and no older one does."""
    status, wanted = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    counts = {status.get(f"{kind}eplicas", 0) for kind in ("r", "updatedR", "availableR")}
    return bool(seen and counts == {wanted})
