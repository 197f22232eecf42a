# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP client against a server on loopback that counts what arrives, and what it makes of no answer."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import http_client

ANSWERS = {
    "/length": (200, {"Content-Length": "2"}, b"ok"),
    "/chunks": (200, {"Transfer-Encoding": "chunked"}, b"2\r\nok\r\n0\r\n\r\n"),
    "/nothing": (204, {}, b""),
    "/empty": (200, {"Content-Length": "0"}, b""),
    "/short": (200, {"Content-Length": "20", "Connection": "close"}, b"ok"),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, body = ANSWERS[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.connections, server.requests = 0, []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(server: Any) -> Iterator[http_client.Client]:
    client = http_client.Client(f"http://127.0.0.1:{server.server_address[1]}", timeout=5)
    yield client
    client.close()


@pytest.mark.parametrize("path", ["/length", "/chunks", "/nothing", "/empty"])
def test_requests_share_a_connection_and_each_is_sent_once(server: Any, client: Any, path: str) -> None:
    wanted = [f"{method} {path}" for method in ("POST", "DELETE", "GET")]
    for method in ("POST", "DELETE", "GET"):
        answer = client.request(method, path, b"x" if method == "POST" else None)
        assert answer.body == (b"ok" if path in ("/length", "/chunks") else b"")
    assert server.requests == wanted
    assert server.connections == 1


def test_an_answer_that_ends_early_is_no_answer(client: Any) -> None:
    with pytest.raises(http_client.Unreachable) as failed:
        client.request("GET", "/short")
    assert failed.value.kind == http_client.CLOSED


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (socket.gaierror(-2, "unknown"), "name"),
        (TimeoutError(), "timeout"),
        (ssl.SSLError("handshake"), "tls"),
        (ConnectionRefusedError(), "refused"),
        (ConnectionResetError(), "closed"),
        (OSError(113, "no route"), "unreachable"),
    ],
)
def test_kinds_of_no_answer(error: BaseException, kind: str) -> None:
    assert http_client.kind_of(error) == kind


def test_resolve_entries() -> None:
    assert http_client.parse_resolve(["Host:443:10.0.0.5", "v6:80:[::1]"]) == {"host:443": "10.0.0.5", "v6:80": "::1"}
    for wrong in ("host", "host:443", "host:x:1.2.3.4", ":443:1.2.3.4"):
        with pytest.raises(ValueError, match="HOST:PORT:ADDRESS"):
            http_client.parse_resolve([wrong])
