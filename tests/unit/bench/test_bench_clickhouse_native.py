from __future__ import annotations

import io
from contextlib import suppress

import pytest

from tests.bench.images.clickhouse.server import native
from tests.bench.images.clickhouse.server.errors import EngineError, ServerError, authentication_failed
from tests.bench.images.clickhouse.server.native import ClientHello, ServerHello

CLIENT = ClientHello("golang-migrate", (1, 10), 54460, "langfuse", "clickhouse", "pässword")
SERVER = ServerHello("ClickHouse", (26, 9, 2), native.REVISION, "UTC", "store")


class Wire:
    """What the client sent, and all that the server answered."""

    def __init__(self, sent: bytes) -> None:
        self.stream = io.BytesIO(sent)
        self.answer = b""

    def send(self, data: bytes) -> None:
        self.answer += data

    def serve(self, error: ServerError | None = None) -> int:
        """The number of the first packet of the answer; the rest is in `read`."""

        def greet(client: ClientHello) -> ServerHello:
            assert client.user == CLIENT.user
            if error is not None:
                raise error
            return SERVER

        with suppress(EOFError):
            native.serve(self.stream, self.send, greet)
        self.read = io.BytesIO(self.answer)
        return native.read_number(self.read)


@pytest.mark.parametrize(("value", "data"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (54469, b"\xc5\xa9\x03")])
def test_numbers(value: int, data: bytes) -> None:
    assert native.write_number(value) == data
    assert native.read_number(io.BytesIO(data)) == value


def test_text_is_counted_in_bytes() -> None:
    assert native.write_text("ä") == b"\x02\xc3\xa4"
    assert native.read_text(io.BytesIO(b"\x02\xc3\xa4rest")) == "ä"


@pytest.mark.parametrize("data", [b"", b"\x05ab", b"\x80"])
def test_a_closed_connection(data: bytes) -> None:
    with pytest.raises(EOFError):
        native.read_text(io.BytesIO(data))


def test_endless_text_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        native.read_text(io.BytesIO(native.write_number(1 << 40)))


def test_client_hello_both_ways() -> None:
    stream = io.BytesIO(native.write_client_hello(CLIENT))
    assert native.read_number(stream) == native.HELLO
    assert native.read_client_hello(stream) == CLIENT


@pytest.mark.parametrize(
    ("revision", "fields"),
    [
        (54000, ServerHello("ClickHouse", (26, 9, 0), native.REVISION, "", "")),
        (54058, ServerHello("ClickHouse", (26, 9, 0), native.REVISION, "UTC", "")),
        (54372, ServerHello("ClickHouse", (26, 9, 0), native.REVISION, "UTC", "store")),
        (54401, SERVER),
        (54480, SERVER),
    ],
)
def test_server_hello_has_the_fields_of_the_clients_revision(revision: int, fields: ServerHello) -> None:
    stream = io.BytesIO(native.write_server_hello(SERVER, revision))
    assert native.read_number(stream) == native.SERVER_HELLO
    assert native.read_server_hello(stream, revision) == fields
    assert stream.read() == (b"\0" * 9 if revision >= 54462 else b"")


def test_hello_addendum_ping() -> None:
    sent = native.write_client_hello(CLIENT) + native.write_text("") + native.write_number(native.PING) * 2
    wire = Wire(sent)
    assert wire.serve() == native.SERVER_HELLO
    assert native.read_server_hello(wire.read, CLIENT.revision) == SERVER
    assert wire.read.read() == bytes([native.SERVER_PONG]) * 2


@pytest.mark.parametrize("error", [authentication_failed("clickhouse"), EngineError("x Code: 81. DB::Exception: gone")])
def test_refusals_are_exceptions(error: ServerError) -> None:
    wire = Wire(native.write_client_hello(CLIENT))
    assert wire.serve(error) == native.SERVER_EXCEPTION
    code, message = native.read_exception(wire.read)
    assert code == error.code
    assert message.startswith("DB::Exception: ")
    assert wire.read.read() == b"\0\0"


def test_queries_are_sent_elsewhere() -> None:
    sent = native.write_client_hello(CLIENT) + native.write_text("") + native.write_number(native.QUERY)
    stream, answers = io.BytesIO(sent), list[bytes]()
    native.serve(stream, answers.append, lambda client: SERVER)
    answer = io.BytesIO(answers[-1])
    assert native.read_number(answer) == native.SERVER_EXCEPTION
    assert "over HTTP" in native.read_exception(answer)[1]


def test_http_on_the_native_port() -> None:
    answers = list[bytes]()
    native.serve(io.BytesIO(b"GET / HTTP/1.1\r\n"), answers.append, lambda client: SERVER)
    assert answers[0].startswith(b"HTTP/1.0 400")
