# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""fake-gcs-server, an emulator of Cloud Storage, behind what it lacks: tokens, and who may do what.

The front gives tokens for a key's signature and to a machine, as Google's two addresses for that do, refuses requests
without one, and answers 403 where it is told to. All else is the emulator's.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.integration.modules import s3_servers
from tests.integration.modules.stack import free_port

MODULE = ("github.com/fsouza/fake-gcs-server", "v1.56.1")
EMAIL = "langfuse@canary.iam.gserviceaccount.com"
NAME = "storage.test"


def make_key(token_uri: str) -> tuple[str, rsa.RSAPublicKey]:
    """The JSON that Google hands out for a service account, and what it keeps of it."""
    private = rsa.generate_private_key(65537, 2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    told = {"type": "service_account", "project_id": "canary", "private_key_id": "one", "private_key": pem.decode()}
    return json.dumps({**told, "client_email": EMAIL, "token_uri": token_uri}), private.public_key()


class Front(ThreadingHTTPServer):
    """``refuses`` are methods that answer 403, ``seen`` the methods of what went to the emulator, ``ahead`` its clock.

    ``signs`` is whether the machine's account may have addresses signed.
    """

    daemon_threads = True

    def __init__(self, emulator: int, certificates: Path | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.emulator = emulator
        self.public: rsa.RSAPublicKey | None = None
        self.refuses: set[str] = set()
        self.seen: list[str] = []
        self.ahead = 0.0
        self.signs = True
        scheme = "http"
        if certificates:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
            self.socket = context.wrap_socket(self.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://{NAME}:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that refuse the certificate hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Front

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(int(time.time() + self.server.ahead))

    def _answer(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _token(self, body: bytes) -> None:
        """RFC 7523, as far as Google takes it: the signature of the account's key, and a time that is now."""
        signed, _dot, signature = parse_qs(body.decode())["assertion"][0].rpartition(".")
        claims = json.loads(_decoded(signed.partition(".")[2]))
        why = ""
        try:
            assert self.server.public
            self.server.public.verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            why = "Invalid JWT Signature."
        now = time.time() + self.server.ahead
        if not claims["iat"] - 60 <= now <= claims["exp"]:
            why = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
        if why:
            self._answer(400, json.dumps({"error": "invalid_grant", "error_description": why}).encode())
        else:
            self._answer(200, json.dumps({"access_token": "canary-token", "expires_in": 3599}).encode())

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        if path == "/token":
            return self._token(body)
        machine = path.startswith("/computeMetadata/") and self.headers.get("Metadata-Flavor") == "Google"
        if machine and path.endswith("/email"):
            return self._answer(200, EMAIL.encode(), "text/plain")
        if machine:
            return self._answer(200, json.dumps({"access_token": "canary-token", "expires_in": 3599}).encode())
        if self.headers.get("Authorization") != "Bearer canary-token":
            return self._refuse(401, "Invalid Credentials")
        if self.command in self.server.refuses:
            return self._refuse(403, f"{EMAIL} does not have access to the Google Cloud Storage object.")
        if path == f"/v1/projects/-/serviceAccounts/{EMAIL}:signBlob":
            if self.server.signs:
                return self._answer(200, b"{}")
            return self._refuse(403, "Permission 'iam.serviceAccounts.signBlob' denied on resource.")
        self.server.seen.append(self.command)
        status, answer, kind = forwarded(self.server.emulator, self.command, self.path, body)
        return self._answer(status, answer, kind)

    def _refuse(self, status: int, why: str) -> None:
        self._answer(status, json.dumps({"error": {"code": status, "message": why}}).encode())

    do_GET = do_POST = do_DELETE = _any


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def forwarded(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, bytes, str]:
    """Status, body and type of the emulator's own answer."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("Content-Type") or "text/plain"


@contextlib.contextmanager
def emulator(folder: Path) -> Iterator[int]:
    """The port of a running one, with everything in memory."""
    program, port = s3_servers.built(MODULE), free_port()
    command = [str(program), "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    with s3_servers.running(command, port, folder / "log"):
        yield port


def create(port: int, bucket: str) -> None:
    status, answer, _kind = forwarded(
        port, "POST", "/storage/v1/b?project=canary", json.dumps({"name": bucket}).encode()
    )
    assert status == 200, answer
