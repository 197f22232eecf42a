# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to a PostgreSQL server for Langfuse, and what is refused: tables over what was seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import postgresql
from ansible_collections.llmops.langfuse.plugins.module_utils import postgresql_database as module
from ansible_collections.llmops.langfuse.plugins.module_utils import postgresql_plan as plan
from ansible_collections.llmops.langfuse.plugins.module_utils import postgresql_state as state
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

WANTED = state.Wanted("lf", "lf")
SERVER = state.Server(170002, "17.2", False, False, 100, 3, 5, "postgres", True, True, True, True)
MANAGED = replace(SERVER, admin="admin", superuser=False, catalog_open=False)
ROLE = state.Role()
MADE = state.Role(member=False)
DATABASE = state.Database(owner="lf")
INSIDE = state.Inside()
FRESH = ["create_role", "create_database", "timezone", "private"]


def present(
    server: state.Server = SERVER,
    role: state.Role | None = ROLE,
    database: state.Database | None = DATABASE,
    inside: state.Inside | None = INSIDE,
    **wanted: Any,
) -> plan.Plan:
    return plan.present(replace(WANTED, **wanted), server, role, database, inside)


def absent(
    server: state.Server = SERVER,
    role: state.Role | None = ROLE,
    database: state.Database | None = DATABASE,
    inside: state.Inside | None = INSIDE,
    **wanted: Any,
) -> plan.Plan:
    return plan.absent(replace(WANTED, **wanted), server, role, database, inside)


@pytest.mark.parametrize(
    ("seen", "steps"),
    [
        ({}, []),
        ({"role": None, "database": None}, FRESH),
        ({"role": None, "database": None, "private": False}, FRESH[:-1]),
        ({"server": MANAGED, "role": None, "database": None}, ["create_role", "join_role", *FRESH[1:]]),
        ({"server": MANAGED, "role": MADE, "database": None}, ["join_role", *FRESH[1:]]),
        ({"server": MANAGED, "role": ROLE, "database": None}, FRESH[1:]),
        ({"server": replace(MANAGED, inherit=False), "role": MADE, "database": None}, ["join_role", *FRESH[1:]]),
        ({"server": MANAGED, "role": MADE}, []),
        ({"server": MANAGED, "role": replace(MADE, connection_limit=3), "connection_limit": 5}, ["alter_role"]),
        ({"server": replace(MANAGED, admin="lf", createdb=True), "role": MADE, "database": None}, FRESH[1:]),
        ({"role": replace(ROLE, login=False)}, ["alter_role"]),
        ({"role": replace(ROLE, expired=True)}, ["alter_role"]),
        ({"role": replace(ROLE, password=state.OTHER)}, ["alter_role"]),
        ({"role": replace(ROLE, password=state.MD5)}, ["alter_role"]),
        ({"role": replace(ROLE, password=state.NONE)}, ["alter_role"]),
        ({"role": replace(ROLE, password=state.UNKNOWN)}, []),
        ({"role": replace(ROLE, password=state.OTHER), "password": False}, []),
        ({"connection_limit": -1}, []),
        ({"connection_limit": 5}, ["alter_role"]),
        ({"database": replace(DATABASE, timezone=None)}, ["timezone"]),
        ({"database": replace(DATABASE, timezone="Etc/UTC")}, []),
        ({"database": replace(DATABASE, role_timezone="UTC")}, []),
        ({"database": replace(DATABASE, role_timezone="Asia/Tokyo")}, ["role_timezone"]),
        ({"database": replace(DATABASE, public=True)}, ["private"]),
        ({"database": replace(DATABASE, public=True), "private": False}, []),
        ({"database": replace(DATABASE, granted=False)}, ["grant_database"]),
        ({"database": replace(DATABASE, owner="al", granted=False), "force": True}, ["owner"]),
        ({"inside": state.Inside(None)}, ["inside"]),
        ({"inside": state.Inside(usable=False)}, ["inside"]),
        ({"inside": state.Inside(usable=False), "database": state.Database("al"), "force": True}, ["owner"]),
        (
            {"inside": state.Inside("al", usable=False), "database": state.Database("al"), "force": True},
            ["owner", "inside"],
        ),
        ({"inside": state.Inside(foreign={"al": 1})}, []),
        ({"inside": state.Inside(foreign={"al": 1}), "force": True}, ["inside"]),
        ({"inside": None}, []),
        # Two instances may share a role; whose password differs is the question.
        ({"role": replace(ROLE, elsewhere=("langfuse2",))}, []),
        ({"role": replace(ROLE, password=state.OTHER)}, ["alter_role"]),
        ({"role": replace(ROLE, password=state.OTHER, elsewhere=("shop",)), "force": True}, ["alter_role"]),
    ],
)
def test_steps(seen: dict[str, Any], steps: list[str]) -> None:
    planned = present(**seen)
    assert planned.names == steps
    assert planned.failures == []


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        ({"server": replace(SERVER, standby=True, read_only=True)}, "database_standby"),
        ({"server": replace(SERVER, read_only=True)}, "database_read_only"),
        ({"role": None, "password": False}, "bad_option"),
        ({"database": replace(DATABASE, encoding="SQL_ASCII")}, "database_encoding"),
        ({"database": replace(DATABASE, owner="al")}, "database_foreign_owner"),
        ({"database": replace(DATABASE, owner="al", usable=False), "force": True}, "database_rights"),
        ({"role": replace(ROLE, password=state.OTHER, elsewhere=("shop",))}, "database_foreign_role"),
        ({"database": replace(DATABASE, accepts=False)}, "database_closed"),
        ({"database": replace(DATABASE, connection_limit=-2)}, "database_invalid"),
        ({"inside": state.Inside(foreign={"al": 1}, foreign_migrations=True)}, "database_foreign_objects"),
        ({"needed_connections": 98}, "database_connections"),
        ({"needed_connections": 10, "connection_limit": 9}, "database_connections"),
        ({"needed_connections": 10, "role": replace(ROLE, connection_limit=9)}, "database_connections"),
        ({"needed_connections": 10, "database": replace(DATABASE, connection_limit=9)}, "database_connections"),
        ({"server": replace(MANAGED, createdb=False), "database": None}, "database_rights"),
        ({"server": replace(MANAGED, createrole=False), "role": None, "database": None}, "database_rights"),
        ({"server": MANAGED, "role": replace(MADE, manageable=False), "database": None}, "database_rights"),
        ({"server": replace(MANAGED, inherit=False, number=150000), "role": None, "database": None}, "database_rights"),
        ({"server": MANAGED, "role": replace(ROLE, manageable=False), "connection_limit": 5}, "database_rights"),
    ],
)
def test_what_is_in_the_way(seen: dict[str, Any], code: str) -> None:
    (failure,) = present(**seen).failures
    assert failure.code == code
    assert failure.cure


def test_a_limit_is_raised_where_it_is_set() -> None:
    (of_option,) = present(needed_connections=10, connection_limit=9).failures
    assert of_option.cure == "Raise connection_limit."
    (of_role,) = present(needed_connections=10, role=replace(ROLE, connection_limit=9)).failures
    assert of_role.cure == "Raise it: ALTER ROLE ... CONNECTION LIMIT."


def test_a_role_may_change_its_own_password_but_no_more() -> None:
    alone = replace(MANAGED, admin="lf", createrole=False, createdb=False)
    other = replace(MADE, manageable=False, password=state.OTHER)
    assert present(server=alone, role=other).failures == []
    assert [one.code for one in present(server=alone, role=other, connection_limit=5).failures] == ["database_rights"]


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"role": replace(ROLE, superuser=True)}, "is a superuser"),
        ({"role": replace(ROLE, expires="2030-01-01")}, "expires at 2030-01-01"),
        ({"role": replace(ROLE, password=state.UNKNOWN)}, "could not be compared"),
        ({"needed_connections": 93}, "Only 92 of 97 connections are free"),
        ({"inside": state.Inside(foreign={"al": 2})}, "(al: 2)"),
    ],
)
def test_what_is_said_without_stopping(seen: dict[str, Any], words: str) -> None:
    planned = present(**seen)
    assert planned.failures == []
    (notice,) = planned.notices
    assert words in notice


ITSELF = replace(MANAGED, admin="lf", createrole=False, createdb=False)


@pytest.mark.parametrize(
    ("seen", "steps", "codes", "notices"),
    [
        ({}, [], [], []),
        ({"database": replace(DATABASE, timezone=None)}, [], [], []),
        ({"database": replace(DATABASE, owner="al", timezone=None)}, [], [], []),
        ({"database": replace(DATABASE, public=True)}, [], [], ["REVOKE CONNECT"]),
        ({"role": replace(ROLE, expires="2030-01-01")}, [], [], ["expires at"]),
        ({"server": replace(ITSELF, timezone="Asia/Tokyo")}, ["timezone"], [], []),
        (
            {
                "server": replace(ITSELF, timezone="Asia/Tokyo"),
                "database": replace(DATABASE, role_timezone="Asia/Tokyo"),
            },
            ["role_timezone"],
            [],
            [],
        ),
        ({"inside": state.Inside(None)}, ["inside"], [], []),
        ({"inside": state.Inside(usable=False), "database": state.Database("al")}, ["inside"], [], []),
        ({"inside": state.Inside(foreign={"al": 1})}, [], [], []),
        ({"inside": state.Inside(foreign={"al": 1}, foreign_migrations=True)}, [], ["database_foreign_objects"], []),
        ({"database": replace(DATABASE, encoding="LATIN1")}, [], ["database_encoding"], []),
        (
            {"database": replace(DATABASE, connection_limit=5), "needed_connections": 9},
            [],
            ["database_connections"],
            [],
        ),
        ({"server": replace(ITSELF, read_only=True)}, [], ["database_read_only"], []),
    ],
)
def test_what_a_role_without_an_administrator_lacks(
    seen: dict[str, Any], steps: list[str], codes: list[str], notices: list[str]
) -> None:
    """What works is enough: rules of the database that the server's defaults have, and another owner, are no fault."""
    told = {"server": ITSELF, "role": ROLE, "database": DATABASE, "inside": INSIDE, **seen}
    wanted = replace(WANTED, needed_connections=told.pop("needed_connections", 0))
    planned = plan.verified(wanted, **told)
    assert (planned.names, [failure.code for failure in planned.failures]) == (steps, codes)
    assert len(planned.notices) == len(notices)
    assert all(part in text for part, text in zip(notices, planned.notices, strict=True))


def test_sessions_of_langfuse_itself_do_not_count() -> None:
    assert present(needed_connections=93, role=replace(ROLE, sessions=1)).notices == []


@pytest.mark.parametrize(
    ("seen", "steps", "codes"),
    [
        ({"role": None, "database": None, "inside": None}, [], []),
        ({}, ["drop_database", "drop_role"], []),
        ({"server": MANAGED, "role": MADE}, ["join_role", "drop_database", "drop_role"], []),
        ({"database": None, "inside": None}, ["drop_role"], []),
        ({"role": replace(ROLE, elsewhere=("b",))}, ["drop_database"], []),
        ({"role": replace(ROLE, superuser=True)}, ["drop_database"], []),
        ({"server": replace(SERVER, admin="lf")}, ["drop_database"], []),
        ({"inside": state.Inside(rows=True)}, None, ["database_not_empty"]),
        ({"inside": state.Inside(rows=None)}, None, ["database_not_empty"]),
        ({"inside": None}, None, ["database_not_empty"]),
        ({"inside": state.Inside(rows=True), "force": True}, None, ["database_not_empty"]),
        ({"inside": state.Inside(rows=True), "confirm": "lf"}, ["drop_database", "drop_role"], []),
        ({"database": replace(DATABASE, sessions=1)}, None, ["database_in_use"]),
        ({"database": replace(DATABASE, sessions=1), "force": True}, ["drop_database", "drop_role"], []),
        ({"database": replace(DATABASE, owner="al")}, None, ["database_foreign_owner"]),
        ({"database": replace(DATABASE, owner="al"), "force": True}, ["drop_database", "drop_role"], []),
        ({"server": replace(SERVER, standby=True)}, None, ["database_standby"]),
        ({"server": replace(SERVER, standby=True), "role": None, "database": None}, [], []),
        ({"server": MANAGED, "role": replace(ROLE, manageable=False)}, None, ["database_rights"]),
    ],
)
def test_absent(seen: dict[str, Any], steps: list[str] | None, codes: list[str]) -> None:
    planned = absent(**seen)
    assert [failure.code for failure in planned.failures] == codes
    if steps is not None:
        assert planned.names == steps


@pytest.mark.parametrize(("number", "refused"), [(140012, True), (149999, True), (150000, False), (180001, False)])
def test_versions(number: int, refused: bool) -> None:
    server = replace(SERVER, number=number)
    if not refused:
        return plan.check_server(server)
    with pytest.raises(Failure, match="too old"):
        plan.check_server(server)
    return None


@pytest.mark.parametrize(
    ("given", "bad", "known"),
    [
        (None, ("password", "no"), state.SAME),
        (("missing", "no database"), ("password", "no"), state.SAME),
        (("forbidden", "no right"), ("password", "no"), state.SAME),
        (("password", "no"), ("password", "no"), state.OTHER),
        (("other", "falsch"), ("other", "falsch"), state.OTHER),
        (("other", "falsch"), ("other", "anders"), state.UNKNOWN),
        (None, None, state.UNKNOWN),
        (None, ("missing", "no database"), state.UNKNOWN),
        (("denied", "no rule"), ("denied", "no rule"), state.UNKNOWN),
        (("full", "full"), ("password", "no"), state.UNKNOWN),
        (("unreachable", "away"), ("unreachable", "away"), state.UNKNOWN),
    ],
)
def test_what_two_logins_tell(given: tuple[str, str] | None, bad: tuple[str, str] | None, known: str) -> None:
    assert plan.judge_probe(given, bad) == known


@pytest.mark.parametrize(
    ("encoding", "ctype", "clauses"),
    [
        ("UTF8", "en_US.UTF-8", {"ENCODING": "UTF8"}),
        ("LATIN1", "C", {"ENCODING": "UTF8"}),
        ("SQL_ASCII", "POSIX", {"ENCODING": "UTF8"}),
        ("LATIN1", "de_DE", {"ENCODING": "UTF8", "LC_COLLATE": "C", "LC_CTYPE": "C"}),
    ],
)
def test_a_new_database_can_hold_utf8(encoding: str, ctype: str, clauses: dict[str, str]) -> None:
    server = replace(SERVER, template_encoding=encoding, template_ctype=ctype)
    assert plan.create_clauses(server) == clauses


@pytest.mark.parametrize(
    ("settings", "zones"),
    [
        ([], (None, None)),
        ([(True, False, ["search_path=x", "TimeZone=UTC"])], ("UTC", None)),
        ([(False, True, ["timezone=Asia/Tokyo"])], (None, "Asia/Tokyo")),
        ([(False, True, ["TimeZone=Asia/Tokyo"]), (True, True, ["TimeZone=UTC"])], (None, "UTC")),
    ],
)
def test_where_a_time_zone_is_set(
    settings: list[tuple[bool, bool, list[str]]], zones: tuple[str | None, str | None]
) -> None:
    assert state.set_timezones(settings) == zones


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ('FATAL:  password authentication failed for user "x"', "password", "database_password"),
        ("fe_sendauth: no password supplied", "password", "database_password"),
        (
            'FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "x", database "y", no encryption',
            "denied",
            "database_denied",
        ),
        ('FATAL:  permission denied for database "y"', "forbidden", "database_denied"),
        ('FATAL:  role "x" is not permitted to log in', "forbidden", "database_denied"),
        ("server does not support SSL, but SSL was required", "tls", "database_tls"),
        ('root certificate file "/x" does not exist', "tls", "database_tls"),
        ('server certificate for "a" does not match host name "b"', "tls", "database_tls"),
        ("SSL SYSCALL error: EOF detected", "unreachable", "database_unreachable"),
        ('FATAL:  database "y" does not exist', "missing", "database_missing"),
        ('FATAL:  too many connections for role "x"', "full", "database_full"),
        ("FATAL:  could not write init file: No space left on device", "disk", "database_disk"),
        ("FATAL:  the database system is starting up", "unreachable", "database_unreachable"),
        ("FATAL:  Passwort-Authentifizierung fehlgeschlagen", "other", "database_refused"),
    ],
)
def test_why_the_admin_is_not_let_in(text: str, kind: str, code: str) -> None:
    refused = postgresql.Refused(f"connection failed:\n\n{text}\n")
    assert (refused.kind, refused.text) == (kind, text)
    failure = module.explain(refused, "db:5432", "admin")
    assert failure.code == code
    assert text in failure.message


OPTIONS = {
    "database": "lf",
    "role": "lf",
    "login_database": "postgres",
    "password": "x",
    "connection_limit": None,
    "ca_path": None,
    "sslmode": "prefer",
    "confirm": None,
    "state": "present",
}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"database": "x" * 64}, "database must have 1 to 63 bytes"),
        ({"role": "ü" * 32}, "role must have 1 to 63 bytes"),
        ({"role": ""}, "role must have 1 to 63 bytes"),
        ({"role": "pg_x"}, "reserved"),
        ({"database": "template1"}, "one of the server's own"),
        ({"password": "a\0b"}, "cannot take"),
        ({"password": "\udc80"}, "cannot take"),
        ({"connection_limit": -2}, "connection_limit must be"),
        ({"connection_limit": 2**31}, "connection_limit must be"),
        ({"ca_path": __file__}, "does nothing with sslmode prefer"),
        ({"confirm": "other"}, "confirm must be the name"),
        ({"state": "absent", "login_database": "lf"}, "login_database"),
    ],
)
def test_options_are_refused_before_anything_is_opened(given: dict[str, Any], words: str) -> None:
    with pytest.raises(Failure) as caught:
        module.check_options({**OPTIONS, **given})
    assert (caught.value.code, words in caught.value.message) == ("bad_option", True)


def test_good_options() -> None:
    module.check_options(OPTIONS)
    module.check_options({**OPTIONS, "ca_path": __file__, "sslmode": "verify-ca", "confirm": "lf", "role": "x" * 63})


def test_the_diff_tells_what_changes_and_no_secret() -> None:
    role = replace(ROLE, password=state.OTHER, connection_limit=3, expires="2020-01-01", expired=True)
    database = replace(DATABASE, owner="al", role_timezone="Asia/Tokyo", public=True)
    wanted = replace(WANTED, connection_limit=5, force=True)
    planned = plan.present(wanted, SERVER, role, database, state.Inside(foreign={"al": 1}))
    told = plan.told(wanted, role, database, planned)
    assert told["before"]["role"] == {
        "login": True,
        "connection_limit": 3,
        "password": "another one",
        "expires": "2020-01-01",
    }
    assert told["after"]["role"] == {"login": True, "connection_limit": 5, "password": "as given", "expires": "never"}
    assert told["before"]["database"] == {
        "owner": "al",
        "timezone": "UTC",
        "timezone_of_role": "Asia/Tokyo",
        "private": False,
    }
    also = ["ownership of the objects in the schema public"]
    after = {"owner": "lf", "timezone": "UTC", "timezone_of_role": "UTC", "private": True, "also": also}
    assert told["after"]["database"] == after
