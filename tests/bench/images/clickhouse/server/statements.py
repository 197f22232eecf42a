"""Just enough of ClickHouse's grammar to route a statement; everything else is the engine's business."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|\#!?[ ][^\n]*|/\*.*?\*/)
      | (?P<string>'(?:[^'\\]|\\.|'')*')
      | (?P<quoted>`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*")
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
# Data may follow an INSERT for megabytes: what decides is always near the start.
_HEAD_BYTES = 65536


@dataclass(frozen=True)
class Insert:
    """`INSERT INTO … FORMAT x` with the data that stood behind it in the same text."""

    head: str
    format: str
    data: bytes


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "word" else ""


def tokens(text: str) -> Iterator[Token]:
    """Without white space and comments."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        if kind != "space":
            yield Token(kind, match[0], match.start(), match.end())


def split_insert(query: bytes) -> Insert | None:
    """The parts of an INSERT whose data is in a named format; None for any other statement."""
    # latin-1 keeps one character a byte, so positions in the text are positions in the query.
    head = query[:_HEAD_BYTES].decode("latin-1")
    stream = tokens(head)
    first = next(stream, None)
    if first is None or first.word != "INSERT":
        return None
    for token in stream:
        if token.word in ("SELECT", "WITH", "VALUES", "INFILE", "EXPLAIN"):
            return None
        if token.word == "FORMAT":
            name = next(stream, None)
            if name is None or name.kind != "word":
                return None
            data = re.sub(rb"\A[ \t]*;?[ \t]*(?:\r?\n)?", b"", query[name.end :], count=1)
            return Insert(query[: token.start].decode(), name.text, data)
    return None


def output_format(query: str) -> str | None:
    """The FORMAT a statement asks for itself, outside of strings and subqueries."""
    found, depth, previous = None, 0, ""
    for token in tokens(query):
        if token.text in "()" and token.kind == "other":
            depth += 1 if token.text == "(" else -1
        elif previous == "FORMAT" and token.kind == "word" and depth == 0:
            found = token.text
        previous = token.word
    return found


def single_statement(query: str) -> str:
    """Without the closing semicolon. ValueError where a second statement follows it."""
    end = None
    for token in tokens(query):
        if token.kind == "other" and token.text == ";":
            end = token.start if end is None else end
        elif end is not None:
            raise ValueError("Multi-statements are not allowed")
    return query if end is None else query[:end]


def quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def quote_name(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"
