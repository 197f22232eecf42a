# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done to a PostgreSQL server for Langfuse's database and role, and what is in the way. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import postgresql
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.postgresql_state import (
    MD5,
    NONE,
    OTHER,
    SAME,
    UNKNOWN,
    UTC,
    Database,
    Inside,
    Role,
    Server,
    Wanted,
)

OLDEST = 150000
# Steps that only the owner of the database, or a member of that role, may take.
_OWNERS = ("create_database", "owner", "timezone", "private", "grant_database", "drop_database", "inside")


@dataclass
class Plan:
    """``steps``: (name, detail) in order."""

    steps: list[tuple[str, Any]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def step(self, name: str, detail: Any = None) -> None:
        self.steps.append((name, detail))

    def fail(self, code: str, message: str, cure: str, **details: Any) -> None:
        self.failures.append(Failure(code, message, cure, **details))

    @property
    def names(self) -> list[str]:
        return [name for name, _detail in self.steps]


def judge_probe(given: tuple[str, str] | None, bad: tuple[str, str] | None) -> str:
    """What two logins tell of a password: one with it, one with a known-bad one. Each is (kind, text), None if it got in.

    The texts are compared too, because a server may speak another language than the kinds are found by.
    """
    passed = (postgresql.MISSING, postgresql.FORBIDDEN)
    if bad is None or bad[0] in passed:
        return UNKNOWN
    if given is None or given[0] in passed:
        return SAME
    if given[0] == postgresql.PASSWORD or (given == bad and given[0] == postgresql.OTHER):
        return OTHER
    return UNKNOWN


def create_clauses(server: Server) -> dict[str, str]:
    """Encoding and locale of a new database. A locale of another encoding cannot hold UTF8; C can hold any."""
    clauses = {"ENCODING": "UTF8"}
    if server.template_encoding != "UTF8" and server.template_ctype not in ("C", "POSIX"):
        clauses.update(LC_COLLATE="C", LC_CTYPE="C")
    return clauses


def check_server(server: Server) -> None:
    """Raises the Failure of a server that is not looked at any further."""
    if server.number < OLDEST:
        raise Failure(
            "database_version",
            f"PostgreSQL {server.version} is too old for Langfuse.",
            "Use PostgreSQL 15 or newer.",
        )


def present(
    wanted: Wanted, server: Server, role: Role | None, database: Database | None, inside: Inside | None
) -> Plan:
    """``inside`` is None for a database that does not exist or that the admin cannot look into."""
    plan = Plan()
    _writable(plan, server)
    _role(plan, wanted, server, role)
    if database is None:
        plan.step("create_database", create_clauses(server))
        plan.step("timezone")
        if wanted.private:
            plan.step("private")
    else:
        _database(plan, wanted, server, role, database)
        if inside is not None:
            look_inside(plan, wanted, database, inside)
    if database is None or database.connection_limit < 0:
        _connections(plan, wanted, server, role)
    else:
        _connections(plan, wanted, server, role, database.connection_limit)
    _rights(plan, wanted, server, role, database)
    return plan


def verified(
    wanted: Wanted, server: Server, role: Role | None, database: Database | None, inside: Inside | None
) -> Plan:
    """What keeps the role, which is the one that looks, from running Langfuse; what would only be better is a notice."""
    plan = Plan()
    _writable(plan, server)
    if role is not None:
        _expires(plan, wanted, role)
    if database is not None:
        _encoding(plan, wanted, database)
        if server.timezone.lower() not in UTC:
            plan.step("role_timezone" if database.role_timezone else "timezone")
        if database.public:
            plan.notices.append(
                f"Every role of this server may connect to database {wanted.database}. To have it for {wanted.role} alone: "
                f"REVOKE CONNECT, TEMPORARY ON DATABASE {wanted.database} FROM PUBLIC."
            )
    if inside is not None:
        if inside.schema is None:
            plan.step("inside", "create_schema")
        elif not inside.usable:
            plan.step("inside", "grant_schema")
        if inside.foreign_migrations:
            _foreign_migrations(plan, wanted, inside, "Let a superuser give them to it: ALTER ... OWNER.")
    _connections(plan, wanted, server, role, database.connection_limit if database is not None else -1)
    return plan


def absent(wanted: Wanted, server: Server, role: Role | None, database: Database | None, inside: Inside | None) -> Plan:
    plan = Plan()
    if database is not None:
        plan.step("drop_database")
        if database.owner != wanted.role and not wanted.force:
            _foreign_owner(plan, wanted, database)
        if (inside is None or inside.rows is not False) and wanted.confirm != wanted.database:
            known = inside is not None and inside.rows is not None
            plan.fail(
                "database_not_empty",
                f"Database {wanted.database} {'holds rows' if known else 'cannot be looked into'} and is not dropped.",
                f"Keep a backup, then set confirm: {wanted.database} to drop it for good.",
            )
        if database.sessions and not wanted.force:
            plan.fail(
                "database_in_use",
                f"Database {wanted.database} has {database.sessions} open session(s) and is not dropped.",
                "Stop Langfuse first, or set force: true to end them.",
            )
    if role is not None:
        kept = ""
        if wanted.role == server.admin:
            kept = "it is the one that signed in"
        elif role.superuser:
            kept = "it is a superuser"
        elif role.elsewhere:
            kept = f"things of it are in {', '.join(role.elsewhere)}"
        if kept:
            plan.notices.append(f"Role {wanted.role} is kept, because {kept}.")
        else:
            plan.step("drop_role")
    if plan.steps:
        _writable(plan, server)
    _rights(plan, wanted, server, role, database)
    return plan


def _writable(plan: Plan, server: Server) -> None:
    if server.standby:
        plan.fail("database_standby", "This PostgreSQL is a standby.", "Set login_host to the primary.")
    elif server.read_only:
        plan.fail(
            "database_read_only",
            "This PostgreSQL is set read-only (default_transaction_read_only).",
            "Free its disk or end its maintenance; managed services set it when the disk is full.",
        )


def _role(plan: Plan, wanted: Wanted, server: Server, role: Role | None) -> None:
    if role is None:
        if not wanted.password:
            plan.fail("bad_option", f"Role {wanted.role} does not exist and no password was given.", "Set password.")
        plan.step("create_role", wanted.connection_limit)
        return
    changes: dict[str, Any] = {}
    if not role.login:
        changes["login"] = True
    if wanted.password and role.password in (OTHER, MD5, NONE):
        changes["password"] = role.password
    if role.expired:
        changes["expires"] = "never"
    if wanted.connection_limit is not None and wanted.connection_limit != role.connection_limit:
        changes["connection_limit"] = wanted.connection_limit
    if changes:
        plan.step("alter_role", changes)
    if changes.get("password") == OTHER and role.elsewhere and not wanted.force:
        plan.fail(
            "database_foreign_role",
            f"Role {wanted.role} has another password, and things of it are in {', '.join(role.elsewhere)}: it is somebody else's.",
            "Name another one in the option role, or give the password that it has.",
        )
    if role.superuser and wanted.role != server.admin:
        plan.notices.append(f"Role {wanted.role} is a superuser. Langfuse needs no more than its own database.")
    _expires(plan, wanted, role)
    if wanted.password and role.password == UNKNOWN and role.login and not role.expired:
        plan.notices.append(
            f"The password of role {wanted.role} was left as it is: it could not be compared, because {server.admin} may not read "
            "stored passwords and the server lets the role in here with any password (trust), or not at all. Under trust whoever "
            f"reaches the server is {wanted.role}. Sign in as a superuser, or set the password by ALTER ROLE."
        )


def _expires(plan: Plan, wanted: Wanted, role: Role) -> None:
    if role.expires and not role.expired:
        plan.notices.append(f"The password of role {wanted.role} expires at {role.expires}; Langfuse stops then.")


def _encoding(plan: Plan, wanted: Wanted, database: Database) -> None:
    if database.encoding != "UTF8":
        plan.fail(
            "database_encoding",
            f"Database {wanted.database} has the encoding {database.encoding}, Langfuse needs UTF8.",
            "Name another one in the option database, or dump it, drop it and restore it into one made with ENCODING 'UTF8'.",
        )


def _database(plan: Plan, wanted: Wanted, server: Server, role: Role | None, database: Database) -> None:
    if database.connection_limit == -2:
        plan.fail(
            "database_invalid",
            f"Database {wanted.database} is the rest of an interrupted DROP DATABASE.",
            f"Drop it: DROP DATABASE {wanted.database}.",
        )
    elif not database.accepts:
        plan.fail(
            "database_closed",
            f"Database {wanted.database} accepts no connections.",
            f"Allow them: ALTER DATABASE {wanted.database} ALLOW_CONNECTIONS true.",
        )
    _encoding(plan, wanted, database)
    if database.owner != wanted.role:
        if not wanted.force:
            _foreign_owner(plan, wanted, database)
        elif not database.usable:
            plan.fail(
                "database_rights",
                f"{server.admin} may not take database {wanted.database} from {database.owner}.",
                f"Sign in as a superuser, or: GRANT {database.owner} TO {server.admin}.",
            )
        plan.step("owner", database.owner)
    if (database.timezone or "").lower() not in UTC:
        plan.step("timezone")
    if database.role_timezone and database.role_timezone.lower() not in UTC:
        plan.step("role_timezone")
    if wanted.private and database.public:
        plan.step("private")
    if role is not None and database.owner == wanted.role and not database.granted:
        plan.step("grant_database")


def look_inside(plan: Plan, wanted: Wanted, database: Database, inside: Inside) -> None:
    """Add what the schema public needs."""
    if inside.schema is None:
        plan.step("inside", "create_schema")
    elif not inside.usable and not (database.owner != wanted.role and inside.schema == "pg_database_owner"):
        plan.step("inside", "grant_schema")
    if not inside.foreign:
        return
    if wanted.force:
        plan.step("inside", "take_objects")
    elif inside.foreign_migrations:
        _foreign_migrations(plan, wanted, inside, "Set force: true to take them over, or ALTER ... OWNER by hand.")
    else:
        plan.notices.append(f"{_foreign_objects(wanted, inside)}. Set force: true to take them over.")


def _foreign_objects(wanted: Wanted, inside: Inside) -> str:
    told = ", ".join(f"{owner}: {count}" for owner, count in sorted(inside.foreign.items()))
    return f"Objects in schema public of {wanted.database} belong to others than {wanted.role} ({told})"


def _foreign_migrations(plan: Plan, wanted: Wanted, inside: Inside, cure: str) -> None:
    what = f"{_foreign_objects(wanted, inside)}, Langfuse's tables among them, so that its migrations would fail."
    plan.fail("database_foreign_objects", what, cure)


def _foreign_owner(plan: Plan, wanted: Wanted, database: Database) -> None:
    plan.fail(
        "database_foreign_owner",
        f"Database {wanted.database} belongs to {database.owner}, not to {wanted.role}, and is left alone.",
        "Name another one in the option database, or set force: true if it is Langfuse's.",
        owner=database.owner,
    )


def _connections(plan: Plan, wanted: Wanted, server: Server, role: Role | None, of_database: int = -1) -> None:
    needed = wanted.needed_connections
    limit = wanted.connection_limit if wanted.connection_limit is not None else role.connection_limit if role else -1
    raise_role = "Raise it: ALTER ROLE ... CONNECTION LIMIT."
    if wanted.connection_limit is not None:
        raise_role = "Raise connection_limit."
    room = server.max_connections - server.reserved
    for what, most, cure in (
        ("The server has", room, "Raise max_connections, or put a pooler in front."),
        (f"Role {wanted.role} has", limit, raise_role),
        (f"Database {wanted.database} has", of_database, "Raise it: ALTER DATABASE ... CONNECTION LIMIT."),
    ):
        if 0 <= most < needed:
            plan.fail("database_connections", f"{what} {most} connections, Langfuse needs {needed}.", cure)
            return
    free = room - server.in_use + (role.sessions if role else 0)
    if free < needed:
        plan.notices.append(f"Only {free} of {room} connections are free for Langfuse, which needs up to {needed}.")


def _rights(plan: Plan, wanted: Wanted, server: Server, role: Role | None, database: Database | None) -> None:
    """Put the membership that a managed service's admin needs before its steps, and refuse what it may not do."""
    if server.superuser:
        return
    names, lacking = plan.names, []
    itself = wanted.role == server.admin
    if not itself and any(name in _OWNERS for name in names) and not (role and role.member):
        plan.steps.insert(1 if names[0] in ("create_role", "alter_role") else 0, ("join_role", None))
    if "create_database" in names and not server.createdb:
        lacking.append("CREATEDB")
    if "create_role" in names and not server.createrole:
        lacking.append("CREATEROLE")
    elif role and not role.manageable and any(name in ("alter_role", "join_role", "drop_role") for name in plan.names):
        alone = plan.names == ["alter_role"] and itself and set(dict(plan.steps)["alter_role"]) <= {"password"}
        if not alone:
            lacking.append(f"the right to administer role {wanted.role}")
    if "join_role" in plan.names and not server.inherit and server.number < 160000:
        # Since 16 the membership itself says that it inherits.
        lacking.append("INHERIT")
    if not lacking:
        return
    cure = f"Sign in as a superuser, or let one grant it: ALTER ROLE {server.admin} CREATEROLE CREATEDB INHERIT"
    if role and server.number >= 160000:
        cure += f"; GRANT {wanted.role} TO {server.admin} WITH ADMIN OPTION"
    plan.fail("database_rights", f"{server.admin} lacks {' and '.join(lacking)}.", f"{cure}.")


_GIVEN = "as given"
_STORED = {OTHER: "another one", MD5: "stored as MD5", NONE: "none"}
_WORDS = {
    "grant_database": "rights of the owner on the database",
    "create_schema": "schema public",
    "grant_schema": "rights on the schema public",
    "take_objects": "ownership of the objects in the schema public",
}


def told(wanted: Wanted, role: Role | None, database: Database | None, plan: Plan) -> dict[str, dict[str, Any]]:
    """The state before the steps and after them, for people, without secrets."""
    before: dict[str, Any] = {"role": None, "database": None}
    if role is not None:
        before["role"] = {"login": role.login, "connection_limit": role.connection_limit}
    if database is not None:
        zones = {"timezone": database.timezone, "timezone_of_role": database.role_timezone}
        before["database"] = {"owner": database.owner, **zones, "private": not database.public}
    after: dict[str, Any] = {key: dict(value) if value else None for key, value in before.items()}
    for name, detail in plan.steps:
        if name == "create_role":
            limit = -1 if detail is None else detail
            after["role"] = {"login": True, "connection_limit": limit, "password": _GIVEN}
        elif name == "alter_role":
            after["role"].update(detail)
            if "password" in detail:
                before["role"]["password"], after["role"]["password"] = _STORED[detail["password"]], _GIVEN
            if "expires" in detail:
                before["role"]["expires"] = role.expires if role else None
        elif name == "join_role":
            after["administered_by"] = "the one that signs in"
        elif name == "create_database":
            after["database"] = {"encoding": "UTF8", "owner": wanted.role}
        elif name in ("drop_role", "drop_database"):
            after[name[len("drop_") :]] = None
        else:
            change = {"owner": wanted.role, "timezone": "UTC", "role_timezone": "UTC", "private": True}
            key = {"role_timezone": "timezone_of_role"}.get(name, name)
            if name in change:
                after["database"][key] = change[name]
            else:
                after["database"].setdefault("also", []).append(_WORDS[detail or name])
    return {"before": before, "after": after}
