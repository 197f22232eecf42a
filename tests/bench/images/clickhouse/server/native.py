"""The native protocol on 9000: greeting, log-in and ping. Queries go over HTTP here.

That is what a client needs to tell a ClickHouse server from something else, and to check user, password, database.
"""

from __future__ import annotations

import socket
import socketserver
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .access import Access
from .engine import Engine
from .errors import ServerError, unknown_database

HELLO, QUERY, PING = 0, 1, 4
SERVER_HELLO, SERVER_EXCEPTION, SERVER_PONG = 0, 2, 4
# From 54470 on both sides negotiate chunked packets: this server speaks the revision before.
REVISION = 54469
_TIMEZONE, _DISPLAY_NAME, _PATCH, _ADDENDUM, _PASSWORD_RULES, _NONCE = (54058, 54372, 54401, 54458, 54461, 54462)
_LONGEST_TEXT = 1 << 20
_IDLE_SECONDS = 120


class Readable(Protocol):
    """A buffered stream: `read` returns less than asked for only at the end."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class ClientHello:
    name: str
    version: tuple[int, int]
    revision: int
    database: str
    user: str
    password: str


@dataclass(frozen=True)
class ServerHello:
    """`version` is (major, minor, patch); `revision` that of the server."""

    name: str
    version: tuple[int, int, int]
    revision: int
    timezone: str
    display_name: str


def write_number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_text(value: str) -> bytes:
    data = value.encode()
    return write_number(len(data)) + data


def read_number(stream: Readable) -> int:
    """EOFError when the peer has closed."""
    value = 0
    for shift in range(0, 64, 7):
        byte = stream.read(1)
        if not byte:
            raise EOFError
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("number too long")


def read_text(stream: Readable) -> str:
    size = read_number(stream)
    if size > _LONGEST_TEXT:
        raise ValueError("text too long")
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data.decode(errors="replace")


def read_client_hello(stream: Readable) -> ClientHello:
    """What follows the packet's number."""
    name = read_text(stream)
    version = (read_number(stream), read_number(stream))
    return ClientHello(name, version, read_number(stream), read_text(stream), read_text(stream), read_text(stream))


def write_client_hello(hello: ClientHello) -> bytes:
    numbers = b"".join(write_number(number) for number in (*hello.version, hello.revision))
    texts = b"".join(write_text(text) for text in (hello.database, hello.user, hello.password))
    return write_number(HELLO) + write_text(hello.name) + numbers + texts


def write_server_hello(hello: ServerHello, client_revision: int) -> bytes:
    """The fields that a client of this revision reads."""
    major, minor, patch = hello.version
    out = write_number(SERVER_HELLO) + write_text(hello.name)
    out += b"".join(write_number(number) for number in (major, minor, hello.revision))
    if client_revision >= _TIMEZONE:
        out += write_text(hello.timezone)
    if client_revision >= _DISPLAY_NAME:
        out += write_text(hello.display_name)
    if client_revision >= _PATCH:
        out += write_number(patch)
    if min(client_revision, hello.revision) >= _PASSWORD_RULES:
        out += write_number(0)
    if min(client_revision, hello.revision) >= _NONCE:
        out += struct.pack("<Q", 0)
    return out


def read_server_hello(stream: Readable, client_revision: int) -> ServerHello:
    """The other way round, for tests; the packet's number is already read."""
    name = read_text(stream)
    major, minor, revision = (read_number(stream), read_number(stream), read_number(stream))
    timezone = read_text(stream) if client_revision >= _TIMEZONE else ""
    display_name = read_text(stream) if client_revision >= _DISPLAY_NAME else ""
    patch = read_number(stream) if client_revision >= _PATCH else 0
    return ServerHello(name, (major, minor, patch), revision, timezone, display_name)


def write_exception(error: ServerError) -> bytes:
    body = write_text("DB::Exception") + write_text(f"DB::Exception: {error.message}") + write_text("")
    return write_number(SERVER_EXCEPTION) + struct.pack("<i", error.code) + body + b"\0"


def read_exception(stream: Readable) -> tuple[int, str]:
    """Code and message; the packet's number is already read."""
    (code,) = struct.unpack("<i", stream.read(4))
    read_text(stream)
    return code, read_text(stream)


def serve(stream: Readable, send: Callable[[bytes], object], greet: Callable[[ClientHello], ServerHello]) -> None:
    """One connection, until the client closes it or asks for something else."""
    kind = read_number(stream)
    if kind in (ord("G"), ord("P"), ord("H")):
        send(b"HTTP/1.0 400 Bad Request\r\n\r\nThis port is for the native protocol; use port 8123 for HTTP.\r\n")
        return
    if kind != HELLO:
        send(write_exception(_unexpected(f"Unexpected packet from client (expected Hello, got {kind})")))
        return
    client = read_client_hello(stream)
    try:
        server = greet(client)
    except ServerError as error:
        send(write_exception(error))
        return
    send(write_server_hello(server, client.revision))
    if min(client.revision, server.revision) >= _ADDENDUM:
        read_text(stream)
    while (kind := read_number(stream)) == PING:
        send(write_number(SERVER_PONG))
    send(write_exception(_unexpected(f"Packet {kind} is not served on this port here: send queries over HTTP")))


def _unexpected(message: str) -> ServerError:
    return ServerError(48, message, "NOT_IMPLEMENTED")


class NativeServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def __init__(self, port: int, engine: Engine, access: Access, display_name: str) -> None:
        self.engine, self.access, self.display_name = engine, access, display_name
        super().__init__(("::" if self.address_family == socket.AF_INET6 else "0.0.0.0", port), _Connection)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def greet(self, client: ClientHello, address: str) -> ServerHello:
        self.access.log_in(client.user or "default", client.password, address)
        if client.database and not self.engine.has_database(client.database):
            raise unknown_database(client.database)
        major, minor, patch = (int(part) for part in self.engine.version.split(".")[:3])
        return ServerHello("ClickHouse", (major, minor, patch), REVISION, self.engine.timezone, self.display_name)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is not news."""


class _Connection(socketserver.StreamRequestHandler):
    server: NativeServer
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS

    def handle(self) -> None:
        try:
            serve(self.rfile, self.wfile.write, lambda client: self.server.greet(client, self.client_address[0]))
        except (EOFError, OSError, ValueError):
            return
