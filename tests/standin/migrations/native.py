"""A Hello over ClickHouse's native protocol: what the migration tool says first on port 9000."""

import socket
import ssl
import struct
from urllib.parse import parse_qs, urlsplit

_REVISION = 54449


class NativeError(Exception):
    """The text golang-migrate prints after `error: `."""


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _string(text: str) -> bytes:
    data = text.encode()
    return _varint(len(data)) + data


def hello_packet(user: str, password: str, database: str) -> bytes:
    head = _varint(0) + _string("clickhouse-go/2 stand-in") + _varint(2) + _varint(0) + _varint(_REVISION)
    return head + _string(database) + _string(user) + _string(password)


class _Reader:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._sock.recv(size - len(data))
            if not more:
                raise NativeError("EOF")
            data += more
        return data

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.exactly(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def string(self) -> str:
        return self.exactly(self.varint()).decode("utf-8", "replace")


def read_answer(reader: _Reader) -> str:
    """The server's name; raises NativeError with the server's exception."""
    kind = reader.varint()
    if kind == 2:
        code = struct.unpack("<i", reader.exactly(4))[0]
        reader.string()
        message = reader.string()
        raise NativeError(f"code: {code}, message: {message}")
    if kind != 0:
        raise NativeError(f"[handshake] unexpected packet [{kind}] from server")
    return reader.string()


def hello(url: str) -> str:
    """`clickhouse://host:9000?username=..&password=..&database=..` -> the server's name.

    The parameters are decoded as Go does, so characters the URL was not encoded for end up different here.
    """
    parts = urlsplit(url)
    query = {k: v[-1] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
    host, port = parts.hostname or "localhost", parts.port or 9000
    user = query.get("username") or parts.username or "default"
    password = query.get("password") or parts.password or ""
    database = query.get("database") or parts.path.lstrip("/") or "default"
    try:
        sock = socket.create_connection((host, port), timeout=10)
        if query.get("secure") == "true":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            sock = context.wrap_socket(sock, server_hostname=host)
    except (OSError, ssl.SSLError) as exc:
        raise NativeError(f"dial tcp {host}:{port}: {exc.strerror or exc}") from exc
    with sock:
        try:
            sock.sendall(hello_packet(user, password, database))
            return read_answer(_Reader(sock))
        except OSError as exc:
            raise NativeError(f"read tcp {host}:{port}: {exc}") from exc
