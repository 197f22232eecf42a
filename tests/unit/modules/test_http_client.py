# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP client on a real socket: what is asked once is sent once, and the connection is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.http_client import Client


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((body, self.client_address[1]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def echo() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    server.seen = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("body", [b"", b"x", b"x" * 200_000])
def test_each_request_is_sent_once_over_one_connection(echo: Any, body: bytes) -> None:
    client = Client(f"http://127.0.0.1:{echo.server_port}", timeout=5)
    for _ in range(3):
        assert client.request("POST", "/", body).body == body
    client.close()
    assert [seen for seen, _ in echo.seen] == [body] * 3
    assert len({port for _, port in echo.seen}) == 1
