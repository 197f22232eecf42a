"""ClickHouse's HTTP interface on 8123."""

from __future__ import annotations

import base64
import binascii
import json
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from . import encoding
from .access import Access
from .engine import Answer, Engine, Session
from .errors import ServerError, authentication_failed
from .statements import output_format, quote, single_statement, split_insert
from .users import User

# Parameters of the interface itself; everything else in the address is a setting or a query parameter.
_INTERFACE = frozenset(
    (
        "query",
        "database",
        "user",
        "password",
        "default_format",
        "session_id",
        "session_timeout",
        "session_check",
        "query_id",
        "compress",
        "decompress",
        "enable_http_compression",
        "wait_end_of_query",
        "buffer_size",
        "role",
        "send_progress_in_http_headers",
        "quota_key",
        "close_session",
        "http_headers_progress_interval_ms",
        "client_protocol_version",
        "http_zlib_compression_level",
        "stacktrace",
        "cancel_http_readonly_queries_on_client_close",
        "http_response_headers",
        "http_write_exception_in_output_format",
        "framed",
    )
)
_CONTENT_TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONStrings": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "JSONCompactEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
}
_SESSION_SECONDS, _LONGEST_SESSION_SECONDS = 60, 3600
_IDLE_SECONDS = 120


@dataclass(frozen=True)
class Request:
    """One request, read and decoded."""

    path: str
    parameters: list[tuple[str, str]]
    body: bytes
    is_reading: bool

    def get(self, name: str, default: str = "") -> str:
        return dict(self.parameters).get(name, default)

    def settings(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in self.parameters if name not in _INTERFACE]

    def statement(self) -> tuple[bytes, bytes]:
        """The statement, and the data of an INSERT that came apart from it."""
        query = self.get("query").encode()
        return (query, self.body) if query else (self.body, b"")


def apply_settings(session: Session, request: Request) -> None:
    settings = request.settings()
    if request.is_reading:
        # A GET may not change data, only settings.
        settings = [item for item in settings if item[0] != "readonly"]
        settings.append(("readonly", "2"))
    for name, value in settings:
        if not name.replace("_", "").replace(".", "").isalnum():
            raise ServerError(115, f"Setting {name} is neither a builtin setting nor started with a prefix", "UNKNOWN")
        session.query(f"SET {name} = {quote(value)}")


def execute(session: Session, request: Request, form: str, shown: Callable[[str], str]) -> tuple[Answer, str]:
    """Run the statement; returns the answer and the format it is in. `shown` may put another text in its place."""
    query, data = request.statement()
    apply_settings(session, request)
    insert = split_insert(query)
    if insert is not None and (insert.data or data):
        return session.insert(insert.head, insert.format, [insert.data, data]), insert.format
    text = (query + (b"\n" + data if data else b"")).decode(errors="surrogateescape")
    try:
        text = single_statement(text)
    except ValueError as error:
        raise ServerError(62, f"Syntax error: {error}", "SYNTAX_ERROR") from error
    return session.query(shown(text), form), output_format(text) or form


class Handler(BaseHTTPRequestHandler):
    """One connection, any number of requests."""

    protocol_version = "HTTP/1.1"
    # Header and body in one packet each way: without these every answer waits for a delayed ACK.
    disable_nagle_algorithm = True
    wbufsize = 65536
    timeout = _IDLE_SECONDS
    server: HttpServer

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: requests are many and carry passwords."""

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_HEAD = do_GET

    def _answer(self) -> None:
        address = urlsplit(self.path)
        parameters = parse_qsl(address.query, keep_blank_values=True)
        body = self._read_body()
        if address.path in ("/ping", "/replicas_status") or (address.path == "/" and not parameters and not body):
            self._send(200, b"Ok.\n", {"Content-Type": "text/html; charset=UTF-8"})
            return
        if address.path == "/play":
            self._send(404, b"There is no handle /play\n", {})
            return
        request = Request(address.path, parameters, body, self.command in ("GET", "HEAD"))
        identifier = request.get("query_id") or str(uuid.uuid4())
        try:
            request = self._decoded(request)
            self._run(request, identifier)
        except ServerError as error:
            self._send_error(error, identifier)
        except OSError:
            # The client is gone.
            raise
        except Exception as error:
            self._send_error(ServerError(1001, f"{type(error).__name__}: {error}", "STD_EXCEPTION"), identifier)

    def _decoded(self, request: Request) -> Request:
        try:
            body = encoding.decode(request.body, self.headers.get("Content-Encoding", ""))
            if request.get("decompress") == "1":
                body = encoding.decode_blocks(body)
        except Exception as error:
            raise ServerError(271, f"Cannot decompress: {error}", "CANNOT_DECOMPRESS") from error
        return Request(request.path, request.parameters, body, request.is_reading)

    def _run(self, request: Request, identifier: str) -> None:
        user = self._log_in(request)
        form = self.headers.get("X-ClickHouse-Format") or request.get("default_format") or "TabSeparated"
        about_access = self.server.access.handle(user, b"\n".join(part for part in request.statement() if part), form)
        if about_access is not None:
            answer, used = about_access
        else:
            with self._session(request, user) as session:
                answer, used = execute(session, request, form, self.server.access.shown)
            if request.get("close_session") == "1" and request.get("session_id"):
                self.server.engine.forget_session(user, request.get("session_id"))
        headers = {
            "Content-Type": _CONTENT_TYPES.get(used, "text/plain; charset=UTF-8"),
            "X-ClickHouse-Query-Id": identifier,
            "X-ClickHouse-Format": used,
            "X-ClickHouse-Timezone": self.server.engine.timezone,
            "X-ClickHouse-Server-Display-Name": self.server.display_name,
            "X-ClickHouse-Summary": _summary(answer),
        }
        self._send(200, self._packed(request, answer.data, headers), headers)

    def _packed(self, request: Request, data: bytes, headers: dict[str, str]) -> bytes:
        chosen = encoding.choose(self.headers.get("Accept-Encoding", ""))
        if request.get("enable_http_compression") not in ("1", "true") or not chosen or not data:
            return data
        headers["Content-Encoding"] = chosen
        return encoding.encode(data, chosen)

    @contextmanager
    def _session(self, request: Request, user: User) -> Iterator[Session]:
        database = self.headers.get("X-ClickHouse-Database") or request.get("database")
        name = request.get("session_id")
        if not name:
            with self.server.engine.session(user, database) as session:
                yield session
            return
        seconds = min(float(request.get("session_timeout") or _SESSION_SECONDS), _LONGEST_SESSION_SECONDS)
        must_exist = request.get("session_check") == "1"
        with self.server.engine.named_session(user, database, name, seconds, must_exist) as session:
            yield session

    def _log_in(self, request: Request) -> User:
        name, password = request.get("user"), request.get("password")
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if self.headers.get("X-ClickHouse-User") is not None:
            name, password = (self.headers["X-ClickHouse-User"], self.headers.get("X-ClickHouse-Key", ""))
        elif scheme.lower() == "basic":
            try:
                name, _, password = base64.b64decode(value).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError) as error:
                raise authentication_failed("") from error
        return self.server.access.log_in(name or "default", password, self.client_address[0])

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _send_error(self, error: ServerError, identifier: str) -> None:
        text = f"{error} (version {self.server.engine.version} (official build))\n"
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",
            "X-ClickHouse-Query-Id": identifier,
            "X-ClickHouse-Exception-Code": str(error.code),
        }
        if error.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
        self._send(error.status, text.encode(errors="replace"), headers)

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "keep-alive")
        self.send_header("Keep-Alive", f"timeout={_IDLE_SECONDS // 4}, max=9999")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        self.wfile.flush()


def _summary(answer: Answer) -> str:
    numbers = {
        "read_rows": answer.read_rows,
        "read_bytes": answer.read_bytes,
        "written_rows": answer.written_rows,
        "written_bytes": answer.written_bytes,
        "total_rows_to_read": 0,
        "result_rows": answer.written_rows,
        "result_bytes": answer.written_bytes,
        "elapsed_ns": int(answer.seconds * 1e9),
    }
    return json.dumps({name: str(value) for name, value in numbers.items()}, separators=(",", ":"))


class HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def __init__(self, port: int, engine: Engine, access: Access, display_name: str) -> None:
        self.engine, self.access, self.display_name = engine, access, display_name
        super().__init__(("::" if self.address_family == socket.AF_INET6 else "0.0.0.0", port), Handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is not news."""
