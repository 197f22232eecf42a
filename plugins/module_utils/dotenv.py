# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of lines ``NAME=value``, as Compose and most frameworks read them (``.env``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_LINE = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_.]*)\s*=[^\S\n]*
    (?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<bare>[^\n]*?))
    [^\S\n]*(?P<comment>(?<=\s)\#.*|(?<=["'])\#.*)?\Z""",
    re.VERBOSE,
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Where a value begins. Compose also reads `NAME: value`, and a bare `NAME` as "from the environment".
_START = re.compile(
    r"(?P<lead>[^\S\n]*(?:export[^\S\n]+)?)(?P<name>[A-Za-z_][A-Za-z0-9_.]*)[^\S\n]*(?:[=:][^\S\n]*|(?=\r?\n|\Z))"
)
_QUOTED = {'"': re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL), "'": re.compile(r"'[^']*'")}
# What no reader takes for anything else, without quotes. `docker run --env-file` keeps quotes as part of the value.
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*\Z")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
# Those of Compose, which leaves any other as it is, and a dollar for the interpolation to leave alone.
_IN_QUOTES = {**_ESCAPES, "a": "\a", "b": "\b", "f": "\f", "v": "\v", '"': '"', "\\": "\\", "$": "$$"}
_REFERENCE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r"(?:(?P<colon>:?)(?P<sign>[-+?])(?P<word>.*))?\Z", re.DOTALL)


def parse(text: str) -> dict[str, str]:
    """Name → value; the last of several wins. Lines that are none are left out, ``${…}`` is kept as it is."""
    values = {}
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            continue
        if match["double"] is not None:
            value = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), match["double"])
        else:
            value = match["single"] if match["single"] is not None else match["bare"]
        values[match["name"]] = value
    return values


def read(text: str) -> tuple[dict[str, str], dict[str, int]]:
    """Name → value as Compose reads it, and name → line of each that only its reader's own environment could complete.

    ``$NAME``, ``${NAME}``, ``${NAME:-default}`` and the like stand for what the file has set before, but not in single
    quotes; ``$$`` and, in double quotes, ``\\$`` are a dollar.
    """
    values: dict[str, str] = {}
    unclear: dict[str, int] = {}
    line = 1
    for entry in _entries(text.removeprefix("\ufeff")):
        match = _LINE.match(entry.text.rstrip("\r\n")) if entry.name else None
        if match is not None:
            name = match["name"]
            try:
                values[name] = _value(match, values)
                unclear.pop(name, None)
            except ValueError:
                values.pop(name, None)
                unclear[name] = line
        line += entry.text.count("\n")
    return values, unclear


def _value(match: re.Match[str], values: Mapping[str, str]) -> str:
    if match["single"] is not None:
        return str(match["single"])
    if match["double"] is None:
        return _interpolated(match["bare"], values)
    unescaped = re.sub(r"\\(.)", lambda found: _IN_QUOTES.get(found[1], found[0]), match["double"], flags=re.DOTALL)
    return _interpolated(unescaped, values)


def _interpolated(text: str, values: Mapping[str, str]) -> str:
    """Raises ValueError for what is no reference, and for one to nothing."""
    parts, position = [], 0
    while (dollar := text.find("$", position)) >= 0:
        parts.append(text[position:dollar])
        position = dollar + 1
        if text.startswith("$", position):
            parts.append("$")
            position += 1
        elif name := _REFERENCE.match(text, position):
            parts.append(_referred(name[0], "", values))
            position = name.end()
        elif name := _REFERENCE.match(text, position + 1) if text.startswith("{", position) else None:
            end = _closing(text, name.end())
            parts.append(_referred(name[0], text[name.end() : end], values))
            position = end + 1
        elif text.startswith("{", position):
            raise ValueError("a brace without a name")
        else:
            parts.append("$")
    return "".join(parts) + text[position:]


def _closing(text: str, position: int) -> int:
    """Where the brace ends that is open at ``position``; others may be open inside of it."""
    depth = 1
    while position < len(text):
        depth += {"{": int(text[position - 1] == "$"), "}": -1}.get(text[position], 0)
        if not depth:
            return position
        position += 1
    raise ValueError("a brace that does not end")


def _referred(name: str, operation: str, values: Mapping[str, str]) -> str:
    operator = _OPERATOR.match(operation)
    if operator is None:
        raise ValueError("no reference")
    # With a colon an empty value counts as none.
    there = bool(values.get(name)) if operator["colon"] else name in values
    if operator["sign"] == "+":
        return _interpolated(operator["word"], values) if there else ""
    if operator["sign"] == "-" and not there:
        return _interpolated(operator["word"], values)
    if not there:
        raise ValueError("a name that is not set")
    return values[name]


class _Entry(NamedTuple):
    """One line with its end, or several where a quoted value spans them. ``name`` is empty for all that sets none."""

    name: str
    text: str


def quote(value: str) -> str:
    """The value as Compose, python-dotenv and a shell read it alike. Raises ValueError where there is no such form."""
    if _PLAIN.match(value):
        return value
    if any(character < " " or character == "\x7f" for character in value):
        raise ValueError("holds a line break or another control character")
    if "'" in value or "\\\\" in value or value.endswith("\\"):
        raise ValueError("holds a single quote, a doubled backslash or ends with one, which readers take differently")
    if "${" in value:
        # python-dotenv replaces it in single quotes too.
        raise ValueError("holds ${, which readers take differently")
    return f"'{value}'"


def merge(text: str, values: Mapping[str, str], absent: Iterable[str] = ()) -> str:
    """``text`` with these names set and those gone; all other lines, comments and their order stay.

    A name is set where it first stands, and its other lines go: readers differ in which of several they take. A line
    that says the value already stays as it is. New names come at the end. Raises ValueError, without a value in it.
    """
    for name in (*values, *absent):
        if not _NAME.match(name):
            raise ValueError(f"{name!r} is not a name")
    quoted = {}
    for name, value in values.items():
        try:
            quoted[name] = quote(value)
        except ValueError as error:
            raise ValueError(f"{name} {error}") from None
    mark, text = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
    newline = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    entries = _entries(text)
    settled = {
        name
        for name in values
        if (lines := [one.text for one in entries if one.name == name])
        and all(_says(line, values[name]) for line in lines)
    }
    gone, done, parts = frozenset(absent) - set(values), set(settled), []
    for entry in entries:
        if entry.name in gone or (entry.name in values and entry.name in done and entry.name not in settled):
            continue
        if entry.name in values and entry.name not in settled:
            done.add(entry.name)
            parts.append(_changed(entry, quoted[entry.name], newline))
        else:
            parts.append(entry.text)
    missing = [name for name in values if name not in done]
    if missing and parts and not parts[-1].endswith("\n"):
        parts.append(newline)
    parts += [f"{name}={quoted[name]}{newline}" for name in missing]
    return mark + "".join(parts)


def _entries(text: str) -> list[_Entry]:
    found, position = [], 0
    while position < len(text):
        end = text.find("\n", position) + 1 or len(text)
        start = _START.match(text, position)
        if start is not None:
            pattern = _QUOTED.get(text[start.end() : start.end() + 1])
            closed = pattern.match(text, start.end()) if pattern else None
            if closed is not None and closed.end() > end:
                end = text.find("\n", closed.end()) + 1 or len(text)
        found.append(_Entry(start["name"] if start else "", text[position:end]))
        position = end
    return found


def _says(line: str, value: str) -> bool:
    match = _LINE.match(line.rstrip("\r\n"))
    if match is None:
        return False
    if match["single"] is not None:
        return match["single"] == value
    raw = match["double"] if match["double"] is not None else match["bare"]
    # Readers differ about `$` and `\\` here.
    return raw == value and not set(value) & set("$\\")


def _changed(entry: _Entry, quoted: str, newline: str) -> str:
    start, line = _START.match(entry.text), entry.text.rstrip("\r\n")
    match = _LINE.match(line)
    comment = f"  {match['comment']}" if match is not None and match["comment"] else ""
    ending = entry.text[len(line) :] or newline
    return f"{start['lead'] if start else ''}{entry.name}={quoted}{comment}{ending}"
