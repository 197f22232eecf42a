# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A thin HTTP client: one kept connection, every wait bounded, no proxy, no redirect followed.

``http.client`` instead of ``ansible.module_utils.urls`` because the latter opens a connection per request:
polling for a trace every 50 ms would spend more time in TLS handshakes than in Langfuse.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

# What a failed exchange can be. Rules match on these, never on texts of the operating system.
NAME, REFUSED, TIMEOUT, TLS, CLOSED, UNREACHABLE = "name", "refused", "timeout", "tls", "closed", "unreachable"

Resolve = Mapping[str, str]
_CHUNK = 64 * 1024


class Unreachable(Exception):
    """No HTTP answer came. ``kind`` is one of the constants above."""

    def __init__(self, kind: str, where: str, detail: str) -> None:
        super().__init__(f"{where}: {detail}")
        self.kind = kind
        self.where = where
        self.detail = detail


class Response:
    """Status, headers (names in lower case; ``set-cookie`` apart, as a list), body and the milliseconds it took."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes, ms: float) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.cookies = [value for name, value in headers if name.lower() == "set-cookie"]
        self.body = body
        self.ms = ms

    def json(self) -> Any:
        """The decoded body, or None where it is not JSON (Langfuse answers plain text when its start failed)."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def text(self, limit: int = 300) -> str:
        return self.body[: limit * 4].decode("utf-8", "replace")[:limit]


def netloc(host: str, port: int) -> str:
    """Host and port as URLs have them: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def basic(user: str, password: str) -> str:
    """The value of an ``Authorization`` header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def parse_resolve(entries: list[str]) -> dict[str, str]:
    """``["host:443:10.0.0.5"]`` (the spelling of curl) -> ``{"host:443": "10.0.0.5"}``."""
    table = {}
    for entry in entries:
        host, port, address = [*entry.split(":", 2), "", ""][:3]
        if not (host and port.isdigit() and address):
            raise ValueError(f"{entry!r} is not HOST:PORT:ADDRESS")
        table[f"{host.lower()}:{port}"] = address.strip("[]")
    return table


def tls_context(ca_path: str | None, validate_certs: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_path:
        # Beside the public authorities, as the application has it.
        context.load_verify_locations(ca_path)
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def kind_of(error: BaseException) -> str:
    """Sort an exception of sockets, TLS or ``http.client`` into one of the kinds."""
    if isinstance(error, socket.gaierror):
        return NAME
    if isinstance(error, ssl.SSLError):
        return TIMEOUT if "timed out" in str(error) else TLS
    if isinstance(error, (socket.timeout, TimeoutError)):
        return TIMEOUT
    if isinstance(error, ConnectionRefusedError):
        return REFUSED
    if isinstance(error, (ConnectionError, http.client.HTTPException)):
        return CLOSED
    return UNREACHABLE


class Client:
    """Requests to one origin over one connection, opened again when the server closed it meanwhile."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 10.0,
        ca_path: str | None = None,
        validate_certs: bool = True,
        headers: Mapping[str, str] | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http:// or https:// URL")
        self.https = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.https else 80)
        self.base = parts.path.rstrip("/")
        self.where = f"{self.host}:{self.port}"
        self.timeout = timeout
        self.headers = dict(headers or {})
        self._address = (resolve or {}).get(self.where.lower(), self.host)
        self._tls = tls_context(ca_path, validate_certs) if self.https else None
        self._connection: http.client.HTTPConnection | None = None

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Response:
        """One exchange within ``timeout`` seconds in all. A mapping as body is sent as JSON."""
        sent = {"Accept": "application/json", **self.headers, **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
            body = json.dumps(body).encode()
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        reused = self._connection is not None
        try:
            return self._exchange(method, path, body, sent, deadline)
        except Unreachable as error:
            if not reused or error.kind != CLOSED:
                raise
        return self._exchange(method, path, body, sent, deadline)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], deadline: float
    ) -> Response:
        started = time.monotonic()
        try:
            connection = self._connection or self._connect(deadline)
            self._connection = connection
            _limit(connection.sock, deadline)
            connection.request(method, self.base + path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            chunks = []
            while True:
                _limit(connection.sock, deadline)
                chunk = answer.read1(_CHUNK)
                if not chunk:
                    break
                chunks.append(chunk)
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)
            # read1() does not end an answer whose length is known, and the connection takes no next request before.
            answer.close()
            if answer.will_close:
                self.close()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(kind_of(error), self.where, str(error) or type(error).__name__) from None
        return Response(answer.status, answer.getheaders(), b"".join(chunks), (time.monotonic() - started) * 1000)

    def _connect(self, deadline: float) -> http.client.HTTPConnection:
        left = max(0.001, deadline - time.monotonic())
        raw = socket.create_connection((self._address, self.port), timeout=left)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = http.client.HTTPConnection(self.host, self.port)
        if self._tls is None:
            connection.sock = raw
            return connection
        connection = http.client.HTTPSConnection(self.host, self.port, context=self._tls)
        try:
            connection.sock = self._tls.wrap_socket(raw, server_hostname=self.host)
        except BaseException:
            raw.close()
            raise
        return connection


def _limit(sock: socket.socket | None, deadline: float) -> None:
    """Give the next system call of ``sock`` the time that is left, or say that none is."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    if sock is not None:
        sock.settimeout(left)
