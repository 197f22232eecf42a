# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Grants of ClickHouse as sets: what Langfuse v4 needs, what ``SHOW GRANTS`` says, and what is between them. Pure.

Names match by prefix: ``*`` is the prefix of everything, so ``db.*``, ``system.query_log*`` and ``*.*`` are one case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class Name(NamedTuple):
    """A database or a table, or all whose names begin so."""

    text: str
    prefix: bool = False

    def covers(self, other: Name) -> bool:
        if self.prefix:
            return other.text.startswith(self.text)
        return self == other

    @property
    def sql(self) -> str:
        return (quote_name(self.text) if self.text else "") + ("*" if self.prefix else "")


ANY = Name("", True)
NOWHERE = Name("")


class Right(NamedTuple):
    """One privilege on one place. ``column`` is empty for all columns.

    What is granted on a name alone (``READ ON REMOTE``, ``CREATE USER ON *``) has that name as ``table``, in NOWHERE.
    """

    privilege: str
    database: Name = ANY
    table: Name = ANY
    column: str = ""
    grantable: bool = False

    def covers(self, other: Right) -> bool:
        """Whether who holds this holds ``other``, the option to pass it on aside."""
        return (
            (self.privilege == other.privilege or self.privilege in _groups_of(other.privilege))
            and self.database.covers(other.database)
            and self.table.covers(other.table)
            and self.column in ("", other.column)
        )

    def meets(self, other: Right) -> bool:
        """Whether taking this away takes something of ``other``."""
        return (
            (self.privilege == other.privilege or self.privilege in _groups_of(other.privilege))
            and (self.database.covers(other.database) or other.database.covers(self.database))
            and (self.table.covers(other.table) or other.table.covers(self.table))
            and ("" in (self.column, other.column) or self.column == other.column)
        )


class Holdings(NamedTuple):
    """What ``SHOW GRANTS`` listed. ``revoked`` are exceptions from ``granted``."""

    granted: tuple[Right, ...] = ()
    revoked: tuple[Right, ...] = ()
    roles: tuple[str, ...] = ()

    def holds(self, right: Right, grantable: bool = False) -> bool:
        given = any(held.covers(right) and (held.grantable or not grantable) for held in self.granted)
        return given and not any(taken.meets(right) for taken in self.revoked)


# Each privilege with the groups that contain it, as in system.privileges. Tables stand for their views: who may
# create or drop them may do so with views.
_TABLE = ("ALTER TABLE", "ALTER")
_GROUPS = {
    "ALTER UPDATE": _TABLE,
    "ALTER DELETE": _TABLE,
    "ALTER SETTINGS": _TABLE,
    "ALTER ADD COLUMN": ("ALTER COLUMN", *_TABLE),
    "ALTER MODIFY COLUMN": ("ALTER COLUMN", *_TABLE),
    "ALTER ADD INDEX": ("ALTER INDEX", *_TABLE),
    "ALTER DROP INDEX": ("ALTER INDEX", *_TABLE),
    "ALTER MATERIALIZE INDEX": ("ALTER INDEX", *_TABLE),
    "ALTER VIEW MODIFY QUERY": ("ALTER VIEW", "ALTER"),
    "CREATE DATABASE": ("CREATE",),
    "CREATE TABLE": ("CREATE",),
    "CREATE VIEW": ("CREATE TABLE", "CREATE"),
    "DROP DATABASE": ("DROP",),
    "DROP TABLE": ("DROP",),
    "DROP VIEW": ("DROP TABLE", "DROP"),
    "SYSTEM MERGES": ("SYSTEM",),
    "SYSTEM SYNC REPLICA": ("SYSTEM",),
    "CREATE USER": ("ACCESS MANAGEMENT",),
    "ALTER USER": ("ACCESS MANAGEMENT",),
    "DROP USER": ("ACCESS MANAGEMENT",),
    "READ": ("SOURCES",),
}


READ_REMOTE = Right("READ", NOWHERE, Name("REMOTE"))


def _groups_of(privilege: str) -> tuple[str, ...]:
    return (*_GROUPS.get(privilege, ()), "ALL")


_SCRATCH = "observations_pid_tid_sorting"
# What each is for: the application's own page on user permissions, and its migrations up to 48.
_ON_DATABASE = (
    "SELECT",
    "INSERT",
    # updates, retention, deletion of traces and projects
    "ALTER UPDATE",
    "ALTER DELETE",
    # migrations at every start
    "CREATE TABLE",
    "DROP TABLE",
    "ALTER ADD COLUMN",
    "ALTER MODIFY COLUMN",
    "ALTER ADD INDEX",
    "ALTER DROP INDEX",
    "ALTER MATERIALIZE INDEX",
    "ALTER VIEW MODIFY QUERY",
    # Migration 48 changes settings of scores; the page names this for the scratch table alone.
    "ALTER SETTINGS",
)
_ON_SCRATCH = ("SYSTEM MERGES", "SYSTEM SYNC REPLICA")
_SYSTEM_COLUMNS = {
    "parts": ("active", "database", "name", "partition", "partition_id", "rows", "table"),
    "mutations": ("database", "is_done", "table"),
    "tables": ("database", "engine", "name"),
}
_WHOLE_TABLES = (Name("processes"), Name("query_log", True))


def needed(database: str, clustered: bool) -> tuple[Right, ...]:
    """Exactly the rights that Langfuse v4 needs.

    In a cluster it reads system tables through ``clusterAllReplicas``, which asks for the whole table even where only
    granted columns are read (ClickHouse pull request 116904, seen on 26.9).
    """
    here, system = Name(database), Name("system")
    rights = [Right(privilege, here) for privilege in _ON_DATABASE]
    rights += [Right(privilege, here, Name(_SCRATCH)) for privilege in _ON_SCRATCH]
    for table, columns in _SYSTEM_COLUMNS.items():
        rights += [Right("SELECT", system, Name(table), column) for column in ([""] if clustered else columns)]
    rights += [Right("SELECT", system, table) for table in _WHOLE_TABLES]
    if clustered:
        rights += [Right("SELECT", system, Name("replicas")), READ_REMOTE, Right("CLUSTER")]
    return tuple(rights)


def missing(wanted: Iterable[Right], held: Holdings) -> list[Right]:
    return [right for right in wanted if not held.holds(right)]


def surplus(wanted: Iterable[Right], own: Holdings) -> list[Right]:
    """What is granted to the user itself and is not part of what it needs."""
    kept = tuple(wanted)
    return [held for held in own.granted if not any(right.covers(held) for right in kept)]


def phrases(rights: Iterable[Right]) -> list[str]:
    """``SELECT(a, b), INSERT ON db.t`` for each place, in the order of first mention."""
    places: dict[str, dict[str, list[str]]] = {}
    for right in rights:
        columns = places.setdefault(_place(right), {}).setdefault(right.privilege, [])
        if right.column:
            columns.append(right.column)
    told = []
    for place, privileges in places.items():
        names = [
            f"{name}({', '.join(quote_name(c) for c in cols)})" if cols else name for name, cols in privileges.items()
        ]
        told.append(f"{', '.join(names)} ON {place}")
    return told


def _place(right: Right) -> str:
    if right.database == NOWHERE:
        return right.table.sql
    return f"{right.database.sql}.{right.table.sql}"


def quote_name(name: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.upper() not in ("TABLE", "ALL", "NONE", "NULL"):
        return name
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


_TOKEN = re.compile(r"(?P<quoted>`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*')|(?P<word>\w+)|(?P<mark>[^\s\w])")
Token = tuple[str, str]


def read(lines: Iterable[str]) -> Holdings:
    """The lines of ``SHOW GRANTS``. One that is not understood gives nothing: a grant too little is told, not believed."""
    granted: list[Right] = []
    revoked: list[Right] = []
    roles: list[str] = []
    for line in lines:
        tokens = [(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(line)]
        words = [text.upper() if kind == "word" else "" for kind, text in tokens]
        if not words or words[0] not in ("GRANT", "REVOKE"):
            continue
        end = _last(words, "TO" if words[0] == "GRANT" else "FROM")
        at = _first_outside(tokens, "ON")
        if end is None:
            continue
        option = "OPTION" in words[end:]
        if at is None or at > end:
            roles += _names(tokens[1:end])
            continue
        found = _rights(tokens[1:at], tokens[at + 1 : end], option)
        (granted if words[0] == "GRANT" else revoked).extend(found)
    return Holdings(tuple(granted), tuple(revoked), tuple(roles))


def _last(words: list[str], word: str) -> int | None:
    return max((at for at, found in enumerate(words) if found == word), default=None)


def _first_outside(tokens: list[Token], word: str) -> int | None:
    depth = 0
    for at, (kind, text) in enumerate(tokens):
        if kind == "mark":
            depth += {"(": 1, ")": -1}.get(text, 0)
        elif kind == "word" and text.upper() == word and depth == 0:
            return at
    return None


def _names(tokens: list[Token]) -> list[str]:
    return [_unquote(token) for token in tokens if token[0] != "mark"]


def _unquote(token: Token) -> str:
    kind, text = token
    if kind != "quoted":
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _rights(privileges: list[Token], target: list[Token], option: bool) -> list[Right]:
    database, table = _target(target)
    rights = []
    for name, columns in _privileges(privileges):
        if name == "REMOTE":
            # Servers that keep the older words show READ ON REMOTE as REMOTE ON *.*.
            rights.append(READ_REMOTE._replace(grantable=option))
        else:
            rights += [Right(name, database, table, column, option) for column in columns or [""]]
    return rights


def _privileges(tokens: list[Token]) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    words: list[str] = []
    columns: list[str] = []
    inside = False
    for token in [*tokens, ("mark", ",")]:
        kind, text = token
        if kind == "mark" and text in "()":
            inside = text == "("
        elif inside and kind != "mark":
            columns.append(_unquote(token))
        elif kind == "mark" and text == "," and not inside:
            found.append((" ".join(words).replace("ALL PRIVILEGES", "ALL"), columns))
            words, columns = [], []
        elif kind == "word":
            words.append(text.upper())
    return found


def _target(tokens: list[Token]) -> tuple[Name, Name]:
    dot = next((at for at, token in enumerate(tokens) if token == ("mark", ".")), None)
    if dot is None:
        return NOWHERE, _name(tokens)
    return _name(tokens[:dot]), _name(tokens[dot + 1 :])


def _name(tokens: list[Token]) -> Name:
    text = "".join(_unquote(token) for token in tokens if token[0] != "mark")
    return Name(text, ("mark", "*") in tokens)
