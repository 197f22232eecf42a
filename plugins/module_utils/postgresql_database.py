# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Langfuse's database and role on a PostgreSQL server: look, plan, apply, sign in. What is decided is in postgresql_plan."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import postgresql, postgresql_client, scram
from ansible_collections.llmops.langfuse.plugins.module_utils import postgresql_plan as planner
from ansible_collections.llmops.langfuse.plugins.module_utils import postgresql_state as state
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure, joined

_SYSTEM_DATABASES = ("postgres", "template0", "template1")
_CURES = {
    postgresql.PASSWORD: ("database_password", "Check user and password."),
    postgresql.DENIED: ("database_denied", "Add a rule for this host, user and database to the server's pg_hba.conf."),
    postgresql.FORBIDDEN: ("database_denied", "Let the user sign in: LOGIN, and CONNECT on the database."),
    postgresql.TLS: ("database_tls", "Correct sslmode, ca_path or the host, which must be a name in the certificate."),
    postgresql.MISSING: ("database_missing", "Set login_database to a database that exists."),
    postgresql.DISK: ("database_disk", "Free space on its disk and run again."),
    postgresql.FULL: ("database_full", "Raise max_connections or the connection limit, or end sessions."),
    postgresql.UNREACHABLE: ("database_unreachable", "Start the server, or correct login_host and login_port."),
}
_PASSING = ("database_unreachable", "database_full")
_PLANNERS = {"present": planner.present, "absent": planner.absent, "verified": planner.verified}


def explain(refused: postgresql.Refused, where: str, user: str) -> Failure:
    """The failure that a refused login of the admin is. Pure."""
    code, cure = _CURES.get(refused.kind, ("database_refused", "See the server's log."))
    users = [user] if refused.kind == postgresql.PASSWORD else []
    return Failure(
        code, f"PostgreSQL on {where} does not let {user} in: {refused.text.rstrip('.')}.", cure, users=users
    )


def check_options(params: Mapping[str, Any]) -> None:
    """Refuse, all at once, what PostgreSQL would cut off, misread or take for something else."""
    wrong: list[Failure] = []

    def refuse(message: str, cure: str) -> None:
        wrong.append(Failure("bad_option", message, cure))

    for option in ("database", "role"):
        name = params[option]
        if not name or "\0" in name or len(name.encode(errors="replace")) > 63:
            refuse(f"{option} must have 1 to 63 bytes; PostgreSQL cuts longer names off.", "Choose another name.")
    if params["role"].startswith("pg_"):
        refuse(f"role {params['role']} is reserved by PostgreSQL (pg_).", "Choose another name.")
    if params["database"] in _SYSTEM_DATABASES:
        refuse(f"database {params['database']} is one of the server's own.", "Choose another name.")
    password = params["password"]
    if password is not None and (not password or not _storable(password)):
        refuse("password is empty, or holds characters that PostgreSQL cannot take.", "Choose another one.")
    if not -1 <= (params["connection_limit"] or 0) < 2**31:
        refuse("connection_limit must be -1 (none) or more.", "Correct it.")
    if params["ca_path"] and params["sslmode"] not in postgresql.VERIFYING:
        refuse(f"ca_path does nothing with sslmode {params['sslmode']}.", "Set sslmode: verify-full.")
    if params["ca_path"] and not os.path.exists(params["ca_path"]):
        refuse(f"ca_path {params['ca_path']} does not exist on this host.", "Correct it.")
    if params["confirm"] is not None and params["confirm"] != params["database"]:
        refuse(f"confirm must be the name of the database, {params['database']}.", "Correct it.")
    if params["state"] == "absent" and params["login_database"] == params["database"]:
        refuse(f"login_database is {params['database']}, which is to be dropped.", "Set login_database: postgres.")
    if wrong:
        raise joined(wrong)


def ensure(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The result of the module; ``params`` are its options, all of them. Raises Failure, one for all that is wrong.

    With the state ``verified``, which the module has not, the role itself looks, and what it lacks is a failure.
    """
    check_options(params)
    return _Run(params, check_mode).result()


class _Run:
    def __init__(self, params: Mapping[str, Any], check_mode: bool) -> None:
        self._params = params
        self._check_mode = check_mode
        self._state = params["state"]
        self._present = self._state != "absent"
        self._password: str | None = params["password"] if self._present else None
        self._admin_password = params["login_password"]
        self._where = f"{params['login_host']}:{params['login_port']}"
        self._wanted = state.Wanted(
            database=params["database"],
            role=params["role"],
            password=self._password is not None,
            connection_limit=params["connection_limit"],
            private=params["private"],
            force=params["force"],
            confirm=params["confirm"],
            needed_connections=params["needed_connections"],
        )

    def result(self) -> dict[str, Any]:
        with self._admin() as session:
            with postgresql_client.reading(session):
                server = postgresql_client.server(session)
                planner.check_server(server)
                self._refuse_ambiguous(session)
                database = postgresql_client.database(session, self._wanted)
                role = self._role(session, server, database)
            with self._inside_connection(role, database) as inner:
                inside = postgresql_client.inside(inner, self._wanted, rows=not self._present) if inner else None
            plan = _PLANNERS[self._state](self._wanted, server, role, database, inside)
            if self._state == "verified" and plan.steps:
                plan.failures.append(self._incomplete(session, server, plan))
            if plan.failures:
                raise joined(plan.failures)
            blind = self._present and database is not None and inside is None
            if not self._check_mode:
                self._apply(session, server, plan, blind)
            elif blind and plan.steps:
                plan.notices.append(
                    f"Database {self._wanted.database} could not be looked into; a run does so after the other steps."
                )
        login = self._prove(plan) if self._present else "unchecked"
        return {
            "changed": bool(plan.steps),
            "steps": [detail if name == "inside" else name for name, detail in plan.steps],
            "server": {
                "version": server.version,
                "max_connections": server.max_connections,
                "reserved": server.reserved,
                "in_use": server.in_use,
                "free": server.max_connections - server.reserved - server.in_use,
            },
            "catalog": "open" if server.catalog_open else "closed",
            "password": self._told_password(role, plan),
            "login": login,
            "notices": plan.notices,
            "diff": planner.told(self._wanted, role, database, plan) if plan.steps else {"before": {}, "after": {}},
        }

    # Connections

    def _open(self, user: str, password: str | None, database: str) -> Any:
        options: dict[str, Any] = postgresql.tls(self._params["sslmode"], self._params["ca_path"])
        if password is not None:
            options["password"] = password
        return postgresql.open_connection(
            host=self._params["login_host"],
            port=self._params["login_port"],
            user=user,
            dbname=database,
            autocommit=True,
            application_name="llmops.langfuse",
            **options,
        )

    def _admin(self, database: str | None = None) -> Any:
        """The admin's connection; one that may come yet is waited for."""
        deadline = time.monotonic() + self._params["wait"]
        while True:
            try:
                user = self._params["login_user"]
                return self._open(user, self._admin_password, database or self._params["login_database"])
            except postgresql.Refused as refused:
                failure = explain(refused, self._where, self._params["login_user"])
                if failure.code not in _PASSING or time.monotonic() >= deadline:
                    raise failure from None
            time.sleep(0.2)

    def _inside_connection(self, role: state.Role | None, database: state.Database | None) -> Any:
        """The database as the admin sees it, or as the role does whose password is known; else nothing."""
        if database is None or not database.accepts or database.connection_limit == -2:
            return contextlib.nullcontext()
        users = [(self._params["login_user"], self._admin_password)]
        if self._password is not None and role is not None and role.password == state.SAME:
            users.append((self._wanted.role, self._password))
        for user, password in users:
            with contextlib.suppress(postgresql.Refused):
                return self._open(user, password, self._wanted.database)
        return contextlib.nullcontext()

    def _attempt(self, password: str, database: str) -> tuple[str, str] | None:
        """None when the role gets in, else (kind, text) of the reason."""
        try:
            self._open(self._wanted.role, password, database).close()
        except postgresql.Refused as refused:
            return refused.kind, refused.text
        return None

    # Looking

    def _incomplete(self, session: Any, server: state.Server, plan: planner.Plan) -> Failure:
        statements = postgresql_client.Writer(self._wanted, server, None, self._where).told(session, plan.steps)
        return Failure(
            "database_incomplete",
            f"Database {self._wanted.database} on {self._where} is not ready for Langfuse.",
            f"Run in it as its owner or as a superuser: {' '.join(statements)}",
            statements=statements,
        )

    def _refuse_ambiguous(self, session: Any) -> None:
        """PostgreSQL's own client and SASLprep differ in a few rare characters; such a password signs in with some clients only."""
        if self._password is None or self._password.isascii():
            return
        own = session.pgconn.encrypt_password(self._password.encode(), self._wanted.role.encode(), b"scram-sha-256")
        if not scram.matches(own.decode(), self._password):
            raise Failure(
                "bad_option",
                "password holds characters that clients of PostgreSQL prepare in different ways.",
                "Choose another one; letters and digits do.",
            )

    def _role(self, session: Any, server: state.Server, database: state.Database | None) -> state.Role | None:
        role = postgresql_client.role(session, server, self._wanted)
        if role is None or self._password is None:
            return role
        if server.catalog_open:
            return replace(
                role, password=_compare(postgresql_client.stored_password(session, self._wanted), self._password)
            )
        target = self._wanted.database if database else self._params["login_database"]
        given = self._attempt(self._password, target)
        bad = self._attempt(secrets.token_hex(16), target)
        return replace(role, password=planner.judge_probe(given, bad))

    def _told_password(self, role: state.Role | None, plan: planner.Plan) -> str:
        if self._password is None:
            return "not given"
        if "create_role" in plan.names or "password" in (dict(plan.steps).get("alter_role") or {}):
            return "set"
        return "unknown" if role is None or role.password == state.UNKNOWN else "as given"

    # Changing

    def _apply(self, session: Any, server: state.Server, plan: planner.Plan, blind: bool) -> None:
        password = None if self._password is None else scram.verifier(self._password, os.urandom(16))
        writer = postgresql_client.Writer(self._wanted, server, password, self._where)
        outside = [step for step in plan.steps if step[0] != "inside"]
        for name, detail in outside:
            writer.write(session, name, detail)
            if (
                name in ("create_role", "alter_role")
                and self._wanted.role == server.admin
                and self._password is not None
            ):
                self._admin_password = self._password
        if not self._present or not plan.steps:
            return
        with self._admin(self._wanted.database) as inner:
            # Looked at again, because who owns the database decides what is needed inside.
            inside = postgresql_client.inside(inner, self._wanted, rows=False)
            late = planner.Plan()
            planner.look_inside(late, self._wanted, state.Database(owner=self._wanted.role), inside)
            if late.failures:
                raise joined(late.failures)
            for _name, detail in late.steps:
                writer.write(inner, detail, None)
            plan.steps[:] = outside + late.steps
            plan.notices += late.notices if blind else []

    def _prove(self, plan: planner.Plan) -> str:
        """Sign in as Langfuse will, where nothing stands out that a check would only have predicted."""
        if self._password is None or (self._check_mode and plan.steps):
            return "unchecked"
        try:
            with self._open(self._wanted.role, self._password, self._wanted.database) as connection:
                problem = postgresql_client.usable(connection)
        except postgresql.Refused as refused:
            if refused.kind in (postgresql.DENIED, postgresql.FULL):
                plan.notices.append(f"Could not sign in as {self._wanted.role} from this host: {refused.text}.")
                return "unchecked"
            raise Failure(
                "database_login",
                f"{self._wanted.role} cannot sign in to {self._wanted.database} on {self._where} although all is set: {refused.text}.",
                "The server must let it in by scram-sha-256 (pg_hba.conf), and nothing in between may keep passwords of its own.",
            ) from None
        if problem:
            raise Failure("database_unusable", f"{self._wanted.role} {problem}.", "Grant it, or see who took it away.")
        return "ok"


def _compare(stored: str | None, password: str) -> str:
    if not stored:
        return state.NONE
    if scram.matches(stored, password):
        return state.SAME
    return state.MD5 if stored.startswith("md5") else state.OTHER


def _storable(password: str) -> bool:
    try:
        return b"\0" not in password.encode()
    except UnicodeEncodeError:
        return False
