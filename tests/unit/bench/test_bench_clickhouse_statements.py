from __future__ import annotations

import gzip
import zlib

import lz4.frame
import pytest

from tests.bench.images.clickhouse.server import encoding
from tests.bench.images.clickhouse.server.access_statements import (
    AccessStatement,
    EntityChange,
    GrantChange,
    SetRole,
    ShowCreateUser,
    ShowGrants,
    parse,
)
from tests.bench.images.clickhouse.server.errors import EngineError, ServerError, authentication_failed
from tests.bench.images.clickhouse.server.statements import Insert, output_format, single_statement, split_insert
from tests.bench.images.clickhouse.server.users import sha256


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"INSERT INTO t FORMAT JSONEachRow\n{}", Insert("INSERT INTO t ", "JSONEachRow", b"{}")),
        (b"insert into t (a) format CSV 1;2", Insert("insert into t (a) ", "CSV", b"1;2")),
        (b"-- c\nINSERT INTO t FORMAT TSV", Insert("-- c\nINSERT INTO t ", "TSV", b"")),
        (
            b"INSERT INTO t SETTINGS a=1 FORMAT Native\n\x01\x02",
            Insert("INSERT INTO t SETTINGS a=1 ", "Native", b"\x01\x02"),
        ),
        (b"INSERT INTO `format` FORMAT JSONEachRow {}", Insert("INSERT INTO `format` ", "JSONEachRow", b"{}")),
        (b"INSERT INTO t /* FORMAT x */ FORMAT TSV\n\tx", Insert("INSERT INTO t /* FORMAT x */ ", "TSV", b"\tx")),
        (b"INSERT INTO t FORMAT JSONEachRow;\n{}", Insert("INSERT INTO t ", "JSONEachRow", b"{}")),
        ("INSERT INTO tä FORMAT TSV\nä".encode(), Insert("INSERT INTO tä ", "TSV", "ä".encode())),
        (b"INSERT INTO t SELECT 1 FORMAT Null", None),
        (b"INSERT INTO t VALUES (1, 'FORMAT x')", None),
        (b"INSERT INTO t", None),
        (b"SELECT 1 FORMAT JSON", None),
        (b"", None),
    ],
)
def test_split_insert(query: bytes, expected: Insert | None) -> None:
    assert split_insert(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT 1 FORMAT JSON", "JSON"),
        ("SELECT 1 format JSONEachRow SETTINGS a=1;", "JSONEachRow"),
        ("SELECT 'FORMAT JSON'", None),
        ("SELECT * FROM (SELECT 1 FORMAT JSON)", None),
        ("SELECT format('{}', 1)", None),
        ("SELECT 1 -- FORMAT JSON", None),
    ],
)
def test_output_format(query: str, expected: str | None) -> None:
    assert output_format(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"), [("SELECT 1;", "SELECT 1"), ("SELECT ';' ; -- x", "SELECT ';' "), ("SELECT 1", "SELECT 1")]
)
def test_single_statement(query: str, expected: str) -> None:
    assert single_statement(query) == expected


def test_two_statements_are_refused() -> None:
    with pytest.raises(ValueError, match="Multi-statements"):
        single_statement("SELECT 1; SELECT 2")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "CREATE USER IF NOT EXISTS app IDENTIFIED WITH sha256_password BY 'p\\'w' "
            "HOST IP '10.0.0.0/8' SETTINGS PROFILE 'x'",
            EntityChange(
                *("CREATE", "USER", ("app",), "IF NOT EXISTS", ("sha256", sha256("p'w")), ("10.0.0.0/8",), "x"),
                settings=(),
            ),
        ),
        (
            "CREATE USER OR REPLACE `a b`@'%', c NOT IDENTIFIED",
            EntityChange("CREATE", "USER", ("a b", "c"), "OR REPLACE", ("none", "")),
        ),
        ("ALTER USER app HOST ANY", EntityChange("ALTER", "USER", ("app",), "", None, ("::/0",))),
        (
            "ALTER USER app IDENTIFIED WITH sha256_hash BY 'AB'",
            EntityChange("ALTER", "USER", ("app",), "", ("sha256", "ab")),
        ),
        (
            "CREATE USER app IDENTIFIED WITH sha256_hash BY 'AB' SALT 'CD' SETTINGS a = 1, b = 'x, y'",
            EntityChange(
                *("CREATE", "USER", ("app",), "", ("sha256", "ab")), salt="CD", settings=(("a", "1"), ("b", "'x, y'"))
            ),
        ),
        (
            "ALTER USER app MODIFY SETTINGS PROFILE 'p', max_threads = 2",
            EntityChange("ALTER", "USER", ("app",), profile="p", settings=(("max_threads", "2"),), how="MODIFY"),
        ),
        (
            "ALTER USER app DROP SETTINGS a, b",
            EntityChange("ALTER", "USER", ("app",), settings=(("a", ""), ("b", "")), how="DROP"),
        ),
        ("DROP USER IF EXISTS app;", EntityChange("DROP", "USER", ("app",), "IF EXISTS")),
        ("CREATE ROLE r", EntityChange("CREATE", "ROLE", ("r",))),
        (
            "GRANT SELECT(a, b), INSERT ON db.* TO app, `x` WITH GRANT OPTION",
            GrantChange(("GRANT SELECT(a, b), INSERT ON db.* WITH GRANT OPTION",), ("app", "x"), False),
        ),
        ("REVOKE ALL ON *.* FROM app", GrantChange(("REVOKE ALL ON *.*",), ("app",), False)),
        ("GRANT r1, r2 TO app", GrantChange(("GRANT `r1`", "GRANT `r2`"), ("app",), False)),
        ("GRANT SELECT ON a.* TO u WITH REPLACE OPTION", GrantChange(("GRANT SELECT ON a.*",), ("u",), True)),
        ("SHOW GRANTS", ShowGrants()),
        ("SHOW GRANTS WITH IMPLICIT FINAL FORMAT JSON", ShowGrants("WITH IMPLICIT FINAL")),
        ("SHOW CREATE USER `a b` FORMAT TSV", ShowCreateUser("a b")),
        ("SHOW CREATE TABLE t", None),
        ("SHOW GRANTS FOR app", None),
        ("SET ROLE r", SetRole(("r",))),
        ("SET ROLE ALL", SetRole(())),
        ("SET max_threads = 1", None),
        ("CREATE TABLE user (a Int) ENGINE=Memory", None),
    ],
)
def test_access_statements(text: str, expected: AccessStatement | None) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (authentication_failed("x"), 516, 403),
        (EngineError("Failed: Code: 60. DB::Exception: no table (UNKNOWN_TABLE)"), 60, 404),
        (EngineError("Code: 62. DB::Exception: Syntax error"), 62, 400),
        (EngineError("Code: 497. DB::Exception: no"), 497, 403),
        (EngineError("something else"), 1002, 500),
        (ServerError(241, "memory", "MEMORY_LIMIT_EXCEEDED"), 241, 500),
    ],
)
def test_errors(error: ServerError, code: int, status: int) -> None:
    assert (error.code, error.status) == (code, status)
    assert str(error).startswith(f"Code: {code}. DB::Exception: ")


@pytest.mark.parametrize(
    ("data", "name"),
    # gzip has the time in it, and the processes of one run must call the tests alike.
    [(b"abc", ""), (gzip.compress(b"abc", mtime=0), "gzip"), (zlib.compress(b"abc"), "deflate"), (b"", "lz4")],
)
def test_decode(data: bytes, name: str) -> None:
    assert encoding.decode(data, name) == (b"abc" if data else b"")


def test_decode_reads_every_lz4_frame() -> None:
    assert encoding.decode(lz4.frame.compress(b"one") + lz4.frame.compress(b"two"), "lz4") == b"onetwo"


def test_unknown_encoding() -> None:
    with pytest.raises(ValueError, match="br"):
        encoding.decode(b"x", "br")


@pytest.mark.parametrize(
    ("accepted", "expected"), [("gzip, deflate", "gzip"), ("br;q=1.0, gzip;q=0.5", "gzip"), ("br", ""), ("", "")]
)
def test_choose(accepted: str, expected: str) -> None:
    assert encoding.choose(accepted) == expected


def test_plain_blocks() -> None:
    header = b"\0" * 16 + b"\x02" + (9 + 3).to_bytes(4, "little") + (3).to_bytes(4, "little")
    assert encoding.decode_blocks((header + b"abc") * 2) == b"abcabc"
