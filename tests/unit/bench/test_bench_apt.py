from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.apt import (
    Mirror,
    PrivateApt,
    Source,
    codename,
    machine_mirror,
    parse_deb822,
    parse_one_line,
    pick_mirror,
)
from tests.bench.shell import BenchError

DEB822 = """\
Types: deb deb-src
URIs: http://mirror.example/debian
# a comment: inside
  http://second.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main

Types: deb-src
URIs: http://src.example/debian
Suites: trixie
Components: main
"""
MAIN = Source(
    ("http://mirror.example/debian", "http://second.example/debian"),
    ("bookworm", "bookworm-updates"),
    ("main", "contrib"),
    "/usr/share/keyrings/debian-archive-keyring.gpg",
)
SECURITY = Source(("http://mirror.example/debian-security",), ("bookworm-security",), ("main",))


def test_deb822_keeps_enabled_binary_stanzas() -> None:
    assert parse_deb822(DEB822) == [MAIN, SECURITY]


def test_deb822_embedded_key_is_not_a_path() -> None:
    text = "Types: deb\nURIs: http://m.example\nSuites: sid\nComponents: main\nSigned-By:\n -----BEGIN PGP-----\n abc\n"
    assert parse_deb822(text)[0].signed_by == ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "deb http://m.example/debian trixie main contrib # note",
            [Source(("http://m.example/debian",), ("trixie",), ("main", "contrib"))],
        ),
        (
            "deb [arch=amd64 signed-by=/k.gpg] http://m.example/debian trixie main",
            [Source(("http://m.example/debian",), ("trixie",), ("main",), "/k.gpg")],
        ),
        ("# deb http://m.example/debian trixie main", []),
        ("deb-src http://m.example/debian trixie main", []),
        ("", []),
    ],
)
def test_one_line(line: str, expected: list[Source]) -> None:
    assert parse_one_line(line) == expected


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (
            [MAIN, SECURITY],
            Mirror("http://mirror.example/debian", "http://mirror.example/debian-security", MAIN.signed_by),
        ),
        ([Source(("http://tool.example",), ("nodistro",), ("main",)), MAIN], Mirror(MAIN.uris[0], "", MAIN.signed_by)),
        ([SECURITY], None),
        ([Source(("http://m.example",), ("bookworm",), ("contrib",))], None),
        ([], None),
    ],
)
def test_pick_mirror(sources: list[Source], expected: Mirror | None) -> None:
    assert pick_mirror(sources) == expected


def test_mirror_lines_for_another_suite() -> None:
    mirror = Mirror("http://m.example/debian", "http://s.example/debian-security", "/k.gpg")
    assert mirror.lines("trixie") == [
        "deb [signed-by=/k.gpg] http://m.example/debian trixie main",
        "deb [signed-by=/k.gpg] http://s.example/debian-security trixie-security main",
    ]
    assert Mirror("http://m.example/debian").lines("trixie") == ["deb http://m.example/debian trixie main"]


def test_machine_mirror_reads_both_forms(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "debian.sources").write_text(DEB822)
    (parts / "other.list.disabled").write_text("deb http://never.example trixie main")
    assert machine_mirror(tmp_path).main == "http://mirror.example/debian"
    (tmp_path / "sources.list").write_text("deb http://first.example/debian bookworm main")
    assert machine_mirror(tmp_path).main == "http://first.example/debian"


def test_no_mirror_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="add one to sources"):
        machine_mirror(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('ID=debian\nVERSION_CODENAME=bookworm\nNAME="Debian"', "bookworm"),
        ("ID=ubuntu\nVERSION_CODENAME=noble", ""),
        ("ID=debian", ""),
    ],
)
def test_codename(text: str, expected: str) -> None:
    assert codename(text) == expected


def test_private_apt_uses_its_own_sources(tmp_path: Path) -> None:
    PrivateApt(tmp_path, Mirror("http://m.example/debian"), "trixie")
    assert (tmp_path / "trixie" / "sources.list").read_text() == "deb http://m.example/debian trixie main\n"
    assert (tmp_path / "trixie" / "lists" / "partial").is_dir()
