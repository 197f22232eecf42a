"""Hashes, keys, signatures, schedules, schema text: everything small and pure."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import struct
import threading
from decimal import Decimal
from typing import Any

import pytest
from standin.core.bull import Queue
from standin.core.clickhouse import ClickHouseError
from standin.core.crons import CRONS
from standin.core.crypto import bcrypt_equal, bcrypt_hash, display_secret, encrypt, fast_hash
from standin.core.environment import Env
from standin.core.postgres import conninfo
from standin.core.redis import Redis, address
from standin.core.s3 import Store, presign, signature
from standin.core.text import decimal_text
from standin.migrations import clickhouse, models, native, postgres
from standin.web.ingest import score_delay
from standin.web.llm import display
from standin.web.media import extension, media_id
from standin.web.session import seal, unseal
from standin.worker.jobs import score_row
from standin.worker.writer import Writer


def test_fast_hash_is_the_applications() -> None:
    """sha256 of the secret followed by the hex sha256 of the salt."""
    assert fast_hash("sk-lf-1", "salt") == "4b60b8b29f43ec4b509f4faa962efe11f811c033e672baa5ffdfc52f9ad987d1"


def test_passwords_and_display() -> None:
    assert bcrypt_equal("secret", bcrypt_hash("secret", 4))
    assert not bcrypt_equal("other", bcrypt_hash("secret", 4))
    assert not bcrypt_equal("secret", "no hash")
    assert display_secret("sk-lf-22222222-2222") == "sk-lf-...2222"
    assert (display("sk-abcdefgh1234"), display('{"apiKey":"abcdef"}')) == ("...1234", "...cdef")
    assert display("__BEDROCK_DEFAULT_CREDENTIALS__") == "Default AWS credentials"


def test_encryption_is_iv_text_tag() -> None:
    iv, text, tag = encrypt("secret", "0" * 64).split(":")
    assert (len(iv), len(text), len(tag)) == (24, 12, 32)
    with pytest.raises(RuntimeError, match="Missing environment variable: ENCRYPTION_KEY"):
        encrypt("secret", None)
    with pytest.raises(RuntimeError):
        encrypt("secret", "z" * 64)


STORE = Store("examplebucket", "us-east-1", "https://s3.amazonaws.com", "AKIAIOSFODNN7EXAMPLE",
              "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", False, "")  # fmt: skip


def test_signature_of_the_published_example() -> None:
    now = dt.datetime(2013, 5, 24, tzinfo=dt.UTC)
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    headers = {
        "host": "examplebucket.s3.amazonaws.com",
        "range": "bytes=0-9",
        "x-amz-content-sha256": empty,
        "x-amz-date": "20130524T000000Z",
    }
    assert signature(STORE, "GET", "/test.txt", {}, headers, empty, now) == (
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_presigned_uploads_bind_length_type_and_checksum() -> None:
    path_style = Store("b", "us-east-1", "https://media.example:8443", "key", "secret", True, "media/")
    signed = {"content-length": "3", "content-type": "image/png", "x-amz-checksum-sha256": "x="}
    url = presign(path_style, "PUT", "media/p/i.png", 3600, signed)
    assert url.startswith("https://media.example:8443/b/media/p/i.png?")
    assert "X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost%3Bx-amz-checksum-sha256" in url
    assert "X-Amz-SignedHeaders=host&" in presign(path_style, "GET", "k", 60)
    assert presign(STORE, "GET", "k", 60).startswith("https://examplebucket.s3.amazonaws.com/k?")


def test_media_names() -> None:
    assert media_id("8mNEs933wigsRnSenoU6Ro/8tMvggnxYB9FypPH9pBU=") == "8mNEs933wigsRnSenoU6Ro"
    assert media_id("un+W/48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=") == "un-W_48Bz-pBQUDeXa4iI7"
    assert [extension(t) for t in ("text/plain", "image/png", "image/jpeg", "x/unknown")] == [
        "txt",
        "png",
        "jpg",
        "bin",
    ]


@pytest.mark.parametrize(
    ("hour", "minute", "delay", "found"),
    [(12, 0, 15000, 5000), (12, 0, 1000, 1000), (23, 45, 15000, 15000), (0, 14, 15000, 15000), (0, 15, 15000, 5000)],
)
def test_score_delay_is_longer_around_midnight(hour: int, minute: int, delay: float, found: int) -> None:
    assert score_delay(delay, dt.datetime(2026, 1, 1, hour, minute, tzinfo=dt.UTC)) == found


@pytest.mark.parametrize(
    ("prefix", "name"),
    [(None, "bull:q:wait"), ("langfuse", "langfuse:q:wait"), ("langfuse:", "langfuse::q:wait")],
)
def test_queue_keys(prefix: str | None, name: str) -> None:
    assert Queue(Redis(None, "x"), prefix, "q").keys("wait") == [name]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, None),
        ({"REDIS_HOST": "r"}, ("r", 6379, None, "undefined", 0)),
        ({"REDIS_HOST": "r", "REDIS_USERNAME": "u", "REDIS_AUTH": "p", "REDIS_PORT": "7"}, ("r", 7, "u", "p", 0)),
        ({"REDIS_CONNECTION_STRING": "redis://u:p%40@h:1/3", "REDIS_HOST": "r"}, ("h", 1, "u", "p@", 3)),
        ({"REDIS_CLUSTER_ENABLED": "true", "REDIS_HOST": "r"}, None),
    ],
)
def test_which_redis(values: dict[str, str], found: tuple[object, ...] | None) -> None:
    got = address(Env(values, "web"))
    assert (got and (got.host, got.port, got.username, got.password, got.db)) == found


@pytest.mark.parametrize(
    ("query", "mode"),
    [("", "prefer"), ("?sslmode=require", "require"), ("?sslmode=require&sslaccept=strict", "verify-full"),
     ("?sslmode=disable&connection_limit=5&pgbouncer=true", "disable")],
)  # fmt: skip
def test_prisma_urls(query: str, mode: str) -> None:
    found = conninfo(f"postgresql://u:p%2F@h:5433/d{query}")
    assert (found["user"], found["password"], found["host"], found["port"], found["dbname"]) == (
        "u",
        "p/",
        "h",
        "5433",
        "d",
    )
    assert found["sslmode"] == mode
    with pytest.raises(ValueError, match="postgresql://"):
        conninfo("mysql://h/d")


@pytest.mark.parametrize(
    ("value", "text"),
    [("0.00000015", "1.5e-7"), ("0.0000006000", "6e-7"), ("0.0000025", "0.0000025"), ("10.0", "10"), ("0", "0")],
)
def test_decimals_as_javascript_prints_them(value: str, text: str) -> None:
    assert decimal_text(Decimal(value)) == text


def test_sessions_need_the_same_secret() -> None:
    token = seal({"sub": "u", "exp": 4_000_000_000}, "secret")
    assert unseal(token, "secret") == {"sub": "u", "exp": 4_000_000_000}
    assert unseal(token, "rotated") is None
    assert unseal(seal({"exp": 1}, "secret"), "secret") is None
    assert unseal("", "secret") is None


def test_schema_of_postgres() -> None:
    assert (len(postgres.tables()), len(postgres.names()), len(postgres.BACKGROUND)) == (72, 434, 9)
    assert postgres.names() == sorted(postgres.names())
    text = " ".join(s for n, t in postgres.tables().items() for s in postgres.create(n, t))
    assert "USER-DEFINED" not in text
    assert " ARRAY " not in text.replace("DEFAULT ARRAY", "").replace("default ARRAY", "")
    assert postgres.column("role", "USER-DEFINED not null") == '"role" "Role" not null'
    assert postgres.column("tags", "ARRAY default ARRAY[]::text[]") == '"tags" text[] default ARRAY[]::text[]'


def test_schema_of_clickhouse() -> None:
    single, clustered = clickhouse.statements(False), clickhouse.statements(True)
    assert not any("ON CLUSTER" in s or "Replicated" in s for s in single)
    assert all("ON CLUSTER default" in s for s in clustered)
    assert any(s.startswith("CREATE MATERIALIZED VIEW IF NOT EXISTS events_core_mv TO events_core") for s in single)
    assert single[-1] == "DROP TABLE IF EXISTS dataset_run_items"


def test_models_are_175() -> None:
    found = models.older() + models.seeded()
    assert len({m.id for m in found}) == len({m.name for m in found}) == 175
    assert min(m.name for m in found) == "babbage-002"


def serve(answer: bytes) -> int:
    server = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with server, server.accept()[0] as client:
            client.recv(4096)
            client.sendall(answer)

    threading.Thread(target=run, daemon=True).start()
    return int(server.getsockname()[1])


def test_native_hello() -> None:
    port = serve(b"\x00\x0aClickHouse")
    assert native.hello(f"clickhouse://127.0.0.1:{port}?username=u&password=p&database=d") == "ClickHouse"
    wrong = b"\x02" + struct.pack("<i", 516) + b"\x01E\x06denied\x00\x00"
    with pytest.raises(native.NativeError, match="code: 516, message: denied"):
        native.hello(f"clickhouse://127.0.0.1:{serve(wrong)}")
    with pytest.raises(native.NativeError, match=r"dial tcp 127\.0\.0\.1:1: "):
        native.hello("clickhouse://127.0.0.1:1")
    assert native.hello_packet("u", "p", "d").endswith(b"\x01d\x01u\x01p")


def test_crons_are_in_the_future() -> None:
    now = dt.datetime(2026, 1, 1, 3, 15, tzinfo=dt.UTC)
    assert all(0 < c.next_ms(now) / 1000 - now.timestamp() <= 24 * 3600 for c in CRONS)


def test_later_score_events_win() -> None:
    events = [
        {"timestamp": "2026-11-21T20:59:19.575Z", "body": {"name": "a", "value": 1, "comment": "kept"}},
        {"timestamp": "2026-11-21T20:59:20.000Z", "body": {"name": "a", "value": "good"}},
    ]
    found = score_row("p", events, {"eventBodyId": "s"}, 5)
    assert (found["data_type"], found["string_value"], found["comment"]) == ("CATEGORICAL", "good", "kept")
    assert (found["timestamp"], found["created_at"]) == (1795294759575, 1795294759000)


class FailingClickHouse:
    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.stored: list[dict[str, Any]] = []

    async def insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        if self.failures:
            self.failures -= 1
            raise ClickHouseError("connect ECONNREFUSED", connection=True)
        self.stored += rows


@pytest.mark.parametrize(("failures", "stored"), [(0, 1), (2, 1), (3, 0)])
def test_a_row_is_dropped_after_three_attempts(failures: int, stored: int, capsys: pytest.CaptureFixture[str]) -> None:
    async def run() -> FailingClickHouse:
        fake = FailingClickHouse(failures)
        writer = Writer(fake, Env({}, "worker"))  # type: ignore[arg-type]
        writer.add("scores", {"id": "s"})
        for _ in range(failures + 1):
            await writer.flush("scores")
        return fake

    assert len(asyncio.run(run()).stored) == stored
    assert ("Max attempts reached, dropped 1 scores record(s)" in capsys.readouterr().out) == (stored == 0)
