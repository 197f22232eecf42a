# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wanted of a PostgreSQL server and what was seen on it, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

# What is known of the stored password of a role. MD5: of the right one or not, it is replaced.
SAME, OTHER, MD5, NONE, UNKNOWN = "same", "other", "md5", "none", "unknown"
UTC = ("utc", "etc/utc", "gmt", "uct", "zulu", "universal")


@dataclass(frozen=True)
class Wanted:
    """The options. ``password``: whether one was given. ``confirm``: the name of the database, once more."""

    database: str
    role: str
    password: bool = True
    connection_limit: int | None = None
    private: bool = True
    force: bool = False
    confirm: str | None = None
    needed_connections: int = 0


@dataclass(frozen=True)
class Server:
    """The server, and who looks at it. ``in_use`` counts sessions without the one that looks; ``timezone`` is that one's."""

    number: int
    version: str
    standby: bool
    read_only: bool
    max_connections: int
    reserved: int
    in_use: int
    admin: str
    superuser: bool
    createrole: bool
    createdb: bool
    catalog_open: bool
    inherit: bool = True
    template_encoding: str = "UTF8"
    template_ctype: str = "C.UTF-8"
    timezone: str = "UTC"


@dataclass(frozen=True)
class Role:
    """``member``: the admin acts as the role. ``manageable``: the admin may alter it. ``elsewhere``: databases where it owns things."""

    login: bool = True
    superuser: bool = False
    connection_limit: int = -1
    expires: str | None = None
    expired: bool = False
    password: str = SAME
    member: bool = True
    manageable: bool = True
    sessions: int = 0
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True)
class Database:
    """``timezone``: set on the database. ``role_timezone``: set on the role, which goes before. ``usable``: the admin acts as its owner."""

    owner: str
    encoding: str = "UTF8"
    timezone: str | None = "UTC"
    role_timezone: str | None = None
    accepts: bool = True
    connection_limit: int = -1
    public: bool = False
    granted: bool = True
    usable: bool = True
    sessions: int = 0


@dataclass(frozen=True)
class Inside:
    """``schema``: owner of the schema public, None without it. ``foreign``: owner → objects in it that are not the role's."""

    schema: str | None = "pg_database_owner"
    usable: bool = True
    foreign: dict[str, int] = field(default_factory=dict)
    foreign_migrations: bool = False
    rows: bool | None = False


def set_timezones(settings: Iterable[tuple[bool, bool, Sequence[str]]]) -> tuple[str | None, str | None]:
    """The time zones that are set on the database and on the role, None where none is.

    ``settings`` are rows of pg_db_role_setting as (of this database, of this role, its settings). For PostgreSQL the role in
    the database goes before the role everywhere, and that before the database.
    """
    found: dict[tuple[bool, bool], str] = {}
    for of_database, of_role, lines in settings:
        for line in lines:
            name, _separator, value = line.partition("=")
            if name.lower() == "timezone":
                found[of_database, of_role] = value
    return found.get((True, False)), found.get((True, True), found.get((False, True)))
