"""An HTTP service that processes alerts and sends a trace of each to Langfuse. `python service.py`, then see README.md."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import model
import pipeline
from langfuse import get_client

LOG = logging.getLogger("ai-service")
LARGEST = 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    """`GET /health` and `POST /alerts/ingest`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(200, {"status": "ok"})
        else:
            self._answer(404, {"error": "there are GET /health and POST /alerts/ingest"})

    def do_POST(self) -> None:
        body = self._body()
        if self.path != "/alerts/ingest":
            self._answer(404, {"error": "there are GET /health and POST /alerts/ingest"})
            return
        try:
            alert = json.loads(body)
            if not isinstance(alert, dict):
                raise ValueError("not an object")
        except ValueError as error:
            self._answer(400, {"error": f"the body is not a JSON object: {error}"})
            return
        try:
            self._answer(200, pipeline.process(get_client(), alert))
        except pipeline.BadAlert as error:
            self._answer(422, {"error": str(error)})
        except model.Unavailable as error:
            LOG.warning("alert %s failed: %s", alert.get("event_id"), error)
            self._answer(502, {"error": str(error)})

    def _body(self) -> bytes:
        """The whole body, so that the connection can be used again; nothing of one that is too long."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST:
            self.close_connection = True
            return b""
        return self.rfile.read(length)

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        LOG.info(format, *args)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000")))
    server = ThreadingHTTPServer(address, Handler)
    # `shutdown` waits for `serve_forever`, which this thread runs: it must be called from another one.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    langfuse = get_client()
    LOG.info("listening on http://%s:%d", *server.server_address[:2])
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        # Traces are sent in batches by a thread; without this the last ones are lost.
        langfuse.shutdown()


if __name__ == "__main__":
    main()
