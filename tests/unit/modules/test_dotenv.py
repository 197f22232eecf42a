"""Names set in a .env: what becomes of the other lines, and how a value is written."""

from __future__ import annotations

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import dotenv

A = {"A": "new"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "A=new\n"),
        ("B=1\n", "B=1\nA=new\n"),
        ("B=1", "B=1\nA=new\n"),
        ("# A=old\nA=old\nB=1\n", "# A=old\nA=new\nB=1\n"),
        ("  export A=old\n", "  export A=new\n"),
        ("A = old\n", "A=new\n"),
        ("A: old\n", "A=new\n"),
        ("A\nB=1\n", "A=new\nB=1\n"),
        ("A=\n", "A=new\n"),
        ("A='old'  # why\n", "A=new  # why\n"),
        ("A=old # why\n", "A=new  # why\n"),
        ("A=old#no-comment\n", "A=new\n"),
        ('A="old # no comment"\n', "A=new\n"),
        ("A=old\r\nB=1\r\n", "A=new\r\nB=1\r\n"),
        ("B=1\r\nC=2\r\n", "B=1\r\nC=2\r\nA=new\r\n"),
        ("B=1\r\nC=2", "B=1\r\nC=2\r\nA=new\r\n"),
        ("\ufeffA=old\n", "\ufeffA=new\n"),
        ("A=1\nB=2\nA=3\n", "A=new\nB=2\n"),
        ("A=old\nA=new\n", "A=new\n"),
        ('KEY="-----BEGIN\nA=inside\n-----END"\n', 'KEY="-----BEGIN\nA=inside\n-----END"\nA=new\n'),
        ('A="one\ntwo" # why\nB=1\n', "A=new  # why\nB=1\n"),
        ('B="never closed\nA=old\n', 'B="never closed\nA=new\n'),
        ("AA=1\nA_B=2\nB=$A\n", "AA=1\nA_B=2\nB=$A\nA=new\n"),
        ("not a line at all {}\n\n\n", "not a line at all {}\n\n\nA=new\n"),
        ("caf\udce9=1\n", "caf\udce9=1\nA=new\n"),
    ],
)
def test_merge(before: str, after: str) -> None:
    assert dotenv.merge(before, A) == after
    assert dotenv.merge(after, A) == after


@pytest.mark.parametrize(
    "text", ["A=new\n", "A='new'\n", 'A="new"\n', "export A=new # why\n", "A=new\nA='new'\n", "A=new", " A = new\r\n"]
)
def test_a_line_that_says_it_already_stays(text: str) -> None:
    assert dotenv.merge(text, A) == text


@pytest.mark.parametrize(("text", "value"), [("A=a$b\n", "a$b"), ('A="a$b"\n', "a$b")])
def test_a_line_that_readers_take_differently_does_not(text: str, value: str) -> None:
    assert dotenv.merge(text, {"A": value}) == "A='a$b'\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A=1\nB=2\n# A\nA='3'\n", "B=2\n# A\n"),
        ('A="1\n2"\nB=2\n', "B=2\n"),
        ("AA=1\n", "AA=1\n"),
        ("", ""),
    ],
)
def test_absent(before: str, after: str) -> None:
    assert dotenv.merge(before, {}, ["A"]) == after


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("pk-lf-1", "pk-lf-1"),
        ("http://langfuse-web:3000", "http://langfuse-web:3000"),
        ("cGs6c2s+/w==", "cGs6c2s+/w=="),
        ("", ""),
        ("two words", "'two words'"),
        ("a#b", "'a#b'"),
        ("~home", "'~home'"),
        ('a"b$c`d', "'a\"b$c`d'"),
        ("a\\b", "'a\\b'"),
        ("ü", "'ü'"),
    ],
)
def test_quote(value: str, written: str) -> None:
    assert dotenv.quote(value) == written
    assert dotenv.parse(f"A={written}") == {"A": value}


@pytest.mark.parametrize("value", ["it's", "two\nlines", "ends\\", "a${b}", "a\\\\b", "\x00"])
def test_what_no_form_holds_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(ValueError, match=r"^A ") as caught:
        dotenv.merge("", {"A": value})
    assert value not in str(caught.value)


def test_a_name_that_is_none() -> None:
    with pytest.raises(ValueError, match="'A B'"):
        dotenv.merge("", {"A B": "1"})


def test_several_names_in_their_order() -> None:
    text = dotenv.merge("B=old\n", {"A": "1", "B": "2", "C": "3"}, ["D"])
    assert text == "B=2\nA=1\nC=3\n"


_BEFORE = "A=one\nE=\n"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${A}", "one"),
        ("$A-x", "one-x"),
        ('"${A} b"', "one b"),
        ("'${A}'", "${A}"),
        ("${N:-d}", "d"),
        ("${E:-d}", "d"),
        ("${E-d}", ""),
        ("${A:-d}", "one"),
        ("${N:-${A}z}", "onez"),
        ("${A:+y}${N:+y}${E+z}", "yz"),
        ("${A:?must be}", "one"),
        ("pa$$word", "pa$word"),
        ('"pa\\$word"', "pa$word"),
        ('"a\\\\$A"', "a\\one"),
        ("pa$1$", "pa$1$"),
        ("a#b # c", "a#b"),
        ('"a\\nb\\"c\\x"', 'a\nb"c\\x'),
        ('"two\nlines"', "two\nlines"),
    ],
)
def test_references_are_read_as_compose_reads_them(written: str, value: str) -> None:
    """Each was held against `docker compose config`."""
    assert dotenv.read(f"{_BEFORE}X={written}\nB=2\n") == ({"A": "one", "E": "", "X": value, "B": "2"}, {})


@pytest.mark.parametrize(
    "written", ["${N}", "$N", "${N:?}", "${A", "${}", "${A!}", "${E:?must be}", "${X}", "a${N:-${M}}"]
)
def test_what_the_file_alone_does_not_tell(written: str) -> None:
    values, unclear = dotenv.read(f"{_BEFORE}# X\nX={written}\nY=${{X}}\nX2=2\n")
    assert (values, unclear) == ({"A": "one", "E": "", "X2": "2"}, {"X": 4, "Y": 5})
    assert dotenv.read(f"X={written}\nX=plain") == ({"X": "plain"}, {})
