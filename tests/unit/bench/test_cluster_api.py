"""The client of the API server against a small server that answers as it does."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from tests.bench.cluster.api import Api, ApiError, has_condition
from tests.bench.cluster.certificates import Authority, kubeconfig
from tests.bench.shell import BenchError

RESOURCES = {
    "resources": [
        {"name": "pods", "kind": "Pod", "namespaced": True},
        {"name": "pods/status", "kind": "Pod", "namespaced": True},
        {"name": "namespaces", "kind": "Namespace", "namespaced": False},
    ]
}
SERVICE = "/api/v1/namespaces/app/services/one"


class Server(BaseHTTPRequestHandler):
    """Knows one pod; what it is sent is kept in `seen`."""

    seen: ClassVar[list[tuple[str, str, Any]]] = []

    def log_message(self, *_words: object) -> None:
        pass

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        Server.seen.append((self.command, self.path, body))
        path = self.path.partition("?")[0]
        answers: dict[str, object] = {
            "/api/v1": RESOURCES,
            "/api/v1/namespaces/app/pods/one": {"kind": "Pod"},
            SERVICE: {"spec": {"clusterIP": "127.0.0.1"}},
        }
        if "watch=1" in self.path:
            text = '{"type": "ADDED", "object": {"n": 1}}\n{"type": "DELETED", "object": {"n": 1}}\n'
        elif path == "/readyz":
            text = "ok"
        elif path in answers:
            text = json.dumps(answers[path])
        else:
            text = json.dumps({"message": "not found"})
        known = text == "ok" or path in answers or "watch=1" in self.path
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_PATCH = do_DELETE = do_POST = _answer


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    authority = Authority("bench")
    content = kubeconfig(authority.pair.certificate, authority.issue("me"), f"http://127.0.0.1:{server.server_port}")
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(content))
    Server.seen.clear()
    yield Api(tmp_path / "kubeconfig")
    server.shutdown()
    server.server_close()


def test_an_object_is_applied_where_its_kind_lives(api: Api) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", "namespace": "app"}}
    api.apply([pod, pod])
    paths = [path for method, path, body in Server.seen if method == "PATCH" and body == pod]
    assert paths == ["/api/v1/namespaces/app/pods/one?fieldManager=bench&force=true"] * 2
    assert [path for method, path, _ in Server.seen if method == "GET"] == ["/api/v1"]
    assert api.path_of({**pod, "kind": "Namespace"}) == "/api/v1/namespaces/one"


def test_an_unknown_kind_is_named(api: Api) -> None:
    with pytest.raises(BenchError, match="no kind Other"):
        api.path_of({"apiVersion": "v1", "kind": "Other", "metadata": {"name": "x"}})


def test_what_is_not_there(api: Api) -> None:
    assert api.find("/api/v1/nothing") is None
    api.delete("/api/v1/nothing")
    with pytest.raises(ApiError, match="404 not found") as caught:
        api.get("/api/v1/nothing")
    assert caught.value.code == 404
    with pytest.raises(BenchError, match="no pod that runs within"):
        api.wait("/api/v1/nothing", bool, "pod that runs", 0)


def test_a_service_is_waited_for_until_somebody_answers_behind_it(api: Api) -> None:
    with socket.create_server(("127.0.0.1", 0)) as late:
        port = late.getsockname()[1]
        api.wait_connected(SERVICE, port, 0)
    with pytest.raises(BenchError, match=f"{SERVICE} leads to nobody"):
        api.wait_connected(SERVICE, port, 0)


def test_events_come_one_by_one(api: Api) -> None:
    assert [kind for kind, _ in api.watch("/api/v1/pods", "1")] == ["ADDED", "DELETED"]
    assert api.answers()


@pytest.mark.parametrize(
    ("status", "expected"),
    [({"conditions": [{"type": "Ready", "status": "True"}]}, True), ({"conditions": [{"type": "Ready", "status": "False"}]}, False), ({}, False)],
)  # fmt: skip
def test_conditions(status: dict[str, Any], expected: bool) -> None:
    assert has_condition({"status": status}, "Ready") is expected
