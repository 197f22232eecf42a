"""The proxy that counts requests: it passes on what servers say, whatever way they send it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import http_client

from tests.integration.modules.front import Front


class _InChunks(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()


@pytest.fixture
def front() -> Iterator[Front]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _InChunks) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Front(f"127.0.0.1:{server.server_port}") as front:
            yield front
            front.shutdown()
        server.shutdown()


def test_answers_in_chunks_and_without_a_body_come_through_one_connection(front: Front) -> None:
    client = http_client.Client(front.url, timeout=5)
    said = [client.request(*words) for words in (("GET", "/a"), ("POST", "/b?c", b"told"), ("GET", "/d"))]
    client.close()
    assert [(answer.status, answer.body) for answer in said] == [(200, b"[1,2]"), (204, b""), (200, b"[1,2]")]
    assert front.asked == ["GET /a", "POST /b?c", "GET /d"]
    assert front.seen == ["", "told", ""]
