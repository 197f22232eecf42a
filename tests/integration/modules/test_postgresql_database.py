# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""postgresql_database on PostgreSQL 15 and 17, as superuser and as the CREATEROLE and CREATEDB user of a managed service."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.modules.postgresql_server import ADMIN, SUPERUSER, Server

Result = dict[str, Any]
pytestmark = pytest.mark.engine
PASSWORD = "canary-role-1"
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module", params=[15, 17])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(request.param, tmp_path_factory.mktemp("postgres"))
    yield server
    server.remove()


class Database:
    """A name for role and database that no other test has, and the module on it."""

    def __init__(self, run: Any, server: Server, login: dict[str, str]) -> None:
        self._run = run
        self._server = server
        self.name = f"lf{next(_NUMBERS)}"
        self.options = {**server.where, **login, "database": self.name, "role": self.name}

    def __call__(self, **options: Any) -> Result:
        wanted = {"state": "present", **self.options, **options}
        if wanted["state"] == "present":
            wanted = {"password": PASSWORD, **wanted}
        result: Result = self._run("postgresql_database", **{k: v for k, v in wanted.items() if v is not None})
        return result

    def answers(self, password: str = PASSWORD) -> bool:
        return self._server.answers(self.name, password, self.name)

    def sql(self, *statements: str) -> list[Any]:
        """As the role."""
        return self._server.sql(*statements, database=self.name, user=self.name, password=PASSWORD)

    def unchanged(self, **options: Any) -> Result:
        """Run it again: no change told, and no write seen by the server."""
        mark = self._server.mark()
        result = self(**options)
        assert not result.get("failed"), result
        assert (result["changed"], result["steps"]) == (False, [])
        assert self._server.writes_since(mark) == []
        return result


@pytest.fixture(params=["superuser", "admin"])
def database(run: Any, server: Server, request: pytest.FixtureRequest) -> Database:
    return Database(run, server, SUPERUSER if request.param == "superuser" else ADMIN)


@pytest.fixture
def owned(run: Any, server: Server) -> Database:
    """The same for tests in which it does not matter who signs in."""
    return Database(run, server, SUPERUSER)


def test_check_run_again_change_absent(database: Database, server: Server) -> None:
    superuser = database.options["login_user"] == "postgres"
    steps = ["create_role", *([] if superuser else ["join_role"]), "create_database", "timezone", "private"]
    mark = server.mark()
    planned = database(check=True, diff=True)
    assert (planned["changed"], planned["steps"], planned["login"]) == (True, steps, "unchecked")
    assert planned["diff"]["before"] == {"role": None, "database": None}
    assert planned["diff"]["after"]["database"]["owner"] == database.name
    assert server.writes_since(mark) == [], "a check wrote"
    looked = server.log_since(mark)
    assert looked.count("BEGIN") == looked.count("BEGIN READ ONLY") > 0

    done = database()
    assert (done["changed"], done["steps"], done["login"], done["password"]) == (True, steps, "ok", "set"), done
    assert database.sql("SHOW timezone") == [("UTC",)]
    assert database.sql("SHOW server_encoding") == [("UTF8",)]
    database.sql("CREATE TYPE kind AS ENUM ('a')", "CREATE TABLE traces (id kind)", "INSERT INTO traces VALUES ('a')")
    assert not server.answers(database.name, "wrong", database.name)

    second = server.mark()
    again = database.unchanged()
    assert server.log_since(second).count("BEGIN READ ONLY") == 3, "one transaction each: admin, inside, as the role"
    assert (again["login"], again["password"], again["catalog"]) == (
        "ok",
        "as given",
        "open" if superuser else "closed",
    )
    assert not again["notices"]
    database.unchanged(check=True)

    limited = database(connection_limit=7, check=True, diff=True)
    assert limited["steps"] == ["alter_role"]
    assert [limited["diff"][when]["role"]["connection_limit"] for when in ("before", "after")] == [-1, 7]
    assert database(connection_limit=7)["changed"]
    database.unchanged(connection_limit=7)
    assert server.sql(f"SELECT rolconnlimit FROM pg_roles WHERE rolname = '{database.name}'") == [(7,)]

    changed = database(password="canary-role-2", diff=True)
    assert (changed["steps"], changed["password"], changed["login"]) == (["alter_role"], "set", "ok")
    assert changed["diff"]["after"]["role"]["password"] == "as given"
    assert (database.answers("canary-role-2"), database.answers(PASSWORD)) == (True, False)
    database.unchanged(password="canary-role-2")
    told = server.log_since(mark)
    assert "canary-role" not in told, "the server's log holds a password"
    assert told.count("SCRAM-SHA-256$") == 2

    for check in (True, False):
        refused = database(state="absent", check=check)
        assert (refused["failed"], refused["code"]) == (True, "database_not_empty"), refused
    assert database(state="absent", confirm=database.name, check=True)["changed"]
    assert database.answers("canary-role-2")
    gone = database(state="absent", confirm=database.name)
    assert gone["steps"] == ["drop_database", "drop_role"]
    assert server.sql(f"SELECT FROM pg_roles WHERE rolname = '{database.name}'") == []
    assert server.sql(f"SELECT FROM pg_database WHERE datname = '{database.name}'") == []
    database.unchanged(state="absent")


def test_an_empty_database_goes_without_a_word(database: Database) -> None:
    database()
    database.sql("CREATE TABLE empty (id int)")
    assert database(state="absent")["steps"] == ["drop_database", "drop_role"]


def test_other_roles_may_not_connect_unless_it_is_told(database: Database, server: Server) -> None:
    server.sql(f"CREATE ROLE {database.name}_other LOGIN PASSWORD 'other'")
    assert "private" not in database(private=False)["steps"]
    assert server.answers(f"{database.name}_other", "other", database.name)
    database.unchanged(private=False)
    assert database()["steps"] == ["private"]
    assert not server.answers(f"{database.name}_other", "other", database.name)
    database.unchanged()


def test_what_was_changed_by_hand_is_repaired(database: Database, server: Server) -> None:
    database()
    name = database.name
    server.sql(
        f"ALTER DATABASE {name} SET timezone = 'Europe/Berlin'",
        f"ALTER ROLE {name} SET timezone = 'Europe/Berlin'",
        f"ALTER ROLE {name} NOLOGIN VALID UNTIL '2020-01-01'",
        f"GRANT TEMPORARY ON DATABASE {name} TO PUBLIC",
        f"REVOKE CONNECT ON DATABASE {name} FROM {name}",
    )
    server.sql("REVOKE ALL ON SCHEMA public FROM pg_database_owner", database=name)
    steps = ["alter_role", "timezone", "role_timezone", "private", "grant_database", "grant_schema"]
    planned = database(check=True)
    # Without CONNECT, only the run, which grants it first, can see what is wrong inside.
    blind = database.options["login_user"] != "postgres"
    assert planned["steps"] == (steps[:-1] if blind else steps)
    assert any("could not be looked into" in notice for notice in planned["notices"]) == blind
    done = database()
    assert (done["steps"], done["login"], done["notices"]) == (steps, "ok", []), done
    assert database.sql("SHOW timezone") == [("UTC",)]
    database.unchanged()
    server.sql("DROP SCHEMA public", database=name)
    assert database()["steps"] == ["create_schema"]
    database.unchanged()


def test_a_foreign_database_is_taken_only_by_force(database: Database, server: Server) -> None:
    name, alice = database.name, f"alice_{database.name}"
    server.sql(
        f"CREATE ROLE {alice} LOGIN PASSWORD 'alice'",
        f"GRANT {alice} TO admin",
        f"CREATE DATABASE {name} OWNER {alice}",
    )
    tables = (
        "CREATE TYPE \"odd {Kind}\" AS ENUM ('a')",
        "CREATE TABLE _prisma_migrations (id serial)",
        "CREATE VIEW v AS SELECT 1",
    )
    routine = "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'"
    server.sql(*tables, routine, database=name, user=alice, password="alice")
    server.sql("CREATE EXTENSION pgcrypto SCHEMA public", database=name)
    server.sql(f"ALTER DATABASE {name} SET search_path = elsewhere")
    for check in (True, False):
        refused = database(check=check)
        assert (refused["failed"], refused["code"], refused["owner"]) == (True, "database_foreign_owner", alice)
        assert alice in refused["msg"] and "_prisma" not in refused["msg"]
    assert server.sql(f"SELECT FROM pg_roles WHERE rolname = '{name}'") == [], "a role was made before the refusal"
    assert database(force=True, check=True)["steps"][-1] == "take_objects"
    taken = database(force=True)
    assert taken["login"] == "ok" and {"owner", "take_objects"} <= set(taken["steps"]), taken
    server.sql(f"ALTER DATABASE {name} RESET search_path")
    database.sql(
        "ALTER TYPE \"odd {Kind}\" ADD VALUE 'b'",
        "ALTER TABLE _prisma_migrations ADD x int",
        "DROP VIEW v",
        "DROP FUNCTION f",
    )
    database.unchanged(force=True)
    database.unchanged()


def test_tables_that_a_superuser_restored_are_named(owned: Database, server: Server) -> None:
    owned()
    server.sql("CREATE TABLE theirs (id int)", database=owned.name)
    warned = owned()
    assert not warned["changed"] and "postgres: 1" in warned["notices"][0]
    server.sql("CREATE TABLE _prisma_migrations (id int)", database=owned.name)
    refused = owned()
    assert refused["code"] == "database_foreign_objects" and "postgres: 2" in refused["msg"]
    assert owned(force=True)["steps"] == ["take_objects"]
    owned.sql("DROP TABLE theirs")
    owned.unchanged()


def test_an_admin_that_may_not_look_inside_looks_as_the_role(owned: Database, run: Any, server: Server) -> None:
    owned()
    outsider = Database(run, server, ADMIN)
    outsider.name, outsider.options = owned.name, {**owned.options, **ADMIN}
    outsider.unchanged()
    server.sql("CREATE TABLE _prisma_migrations (id int)", database=owned.name)
    assert outsider()["code"] == "database_foreign_objects"


def test_everything_in_the_way_is_told_at_once(owned: Database, server: Server) -> None:
    name = owned.name
    server.sql(f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    refused = owned(needed_connections=50)
    for words in ("encoding LATIN1", "belongs to postgres", "The server has 37 connections, Langfuse needs 50"):
        assert words in refused["msg"]
    assert refused["code"] == "database_encoding"
    assert server.sql(f"SELECT FROM pg_roles WHERE rolname = '{name}'") == []
    wrong = owned(database="postgres", role="pg_x" + "x" * 60, ca_path="/no/such", connection_limit=-2)
    assert wrong["code"] == "bad_option"
    for words in ("63 bytes", "reserved", "server's own", "ca_path does nothing", "does not exist", "connection_limit"):
        assert words in wrong["msg"]


def test_connections_are_counted(database: Database, server: Server) -> None:
    result = database(needed_connections=37)
    assert result["server"]["max_connections"] == 40 and result["server"]["reserved"] == 3
    assert database(needed_connections=5, connection_limit=4)["code"] == "database_connections"
    open_connections = [server.connect("postgres", SUPERUSER["login_password"]) for _ in range(5)]
    try:
        busy = database(needed_connections=35)
        assert not busy["changed"] and "Only 32 of 37 connections are free" in busy["notices"][0]
        assert busy["server"]["free"] == 32
        database.unchanged(needed_connections=30)
        # The role's own sessions are Langfuse's.
        own = [server.connect(database.name, PASSWORD, database.name) for _ in range(3)]
        assert "Only 32 of 37" in database(needed_connections=35)["notices"][0]
        for one in own:
            one.close()
    finally:
        for one in open_connections:
            one.close()


def test_a_role_whose_sessions_are_all_in_use_is_no_failure(database: Database, server: Server) -> None:
    database(connection_limit=1)
    session = server.connect(database.name, PASSWORD, database.name)
    full = database.unchanged(connection_limit=1)
    assert full["login"] == "unchecked"
    assert "too many connections for role" in full["notices"][-1]
    session.close()


def test_a_new_database_has_nothing_of_the_template(owned: Database, server: Server) -> None:
    server.sql("CREATE TABLE stray (id int)", database="template1")
    try:
        owned()
        assert owned.sql("SELECT to_regclass('public.stray')") == [(None,)]
    finally:
        server.sql("DROP TABLE stray", database="template1")


def test_open_sessions_keep_a_database(owned: Database, server: Server) -> None:
    owned()
    session = server.connect(owned.name, PASSWORD, owned.name)
    refused = owned(state="absent")
    assert (refused["code"], "1 open session" in refused["msg"]) == ("database_in_use", True)
    assert owned(state="absent", force=True)["changed"]
    session.close()


def test_a_role_that_is_used_elsewhere_is_kept(owned: Database, server: Server) -> None:
    owned()
    server.sql(f"CREATE DATABASE {owned.name}_b OWNER {owned.name}")
    kept = owned(state="absent")
    assert kept["steps"] == ["drop_database"] and f"{owned.name}_b" in kept["notices"][0]
    owned.unchanged(state="absent")


@pytest.mark.parametrize(
    ("wrong", "code", "says"),
    [
        ({"login_password": "canary-wrong"}, "database_password", "does not let postgres in"),
        ({"login_user": "barred", "login_password": "canary-barred"}, "database_denied", "pg_hba"),
        ({"login_database": "nowhere"}, "database_missing", '"nowhere" does not exist'),
        ({"login_host": "no-such-host.invalid"}, "database_unreachable", "no-such-host.invalid"),
        ({"password": ""}, "bad_option", "password is empty"),
        ({"state": "absent", "confirm": "other"}, "bad_option", "confirm must be the name"),
    ],
)
def test_what_is_wrong_is_named(owned: Database, wrong: Result, code: str, says: str) -> None:
    result = owned(**{"wait": 20 if code == "database_password" else 0, **wrong})
    assert (result["failed"], result["code"], says in result["msg"]) == (True, code, True), result
    assert result["cure"] in result["msg"]


def test_a_server_that_is_not_there_is_waited_for_and_no_longer(owned: Database, closed_port: str) -> None:
    host, port = closed_port.split(":")
    began = time.monotonic()
    result = owned(login_host=host, login_port=int(port), wait=2)
    assert result["code"] == "database_unreachable"
    assert 2 <= time.monotonic() - began < 30


def test_tls(owned: Database, server: Server) -> None:
    verified = {"sslmode": "verify-full", "ca_path": server.ca}
    assert owned(**verified)["login"] == "ok"
    owned.unchanged(**verified)
    for wrong in (
        {**verified, "login_host": "127.0.0.1"},
        {"sslmode": "verify-full"},
        {"sslmode": "verify-full", "ca_path": __file__},
    ):
        result = owned(**wrong)
        assert result["code"] == "database_tls", (wrong, result)
    owned.unchanged(sslmode="verify-ca", ca_path=server.ca, login_host="127.0.0.1")
    owned.unchanged(sslmode="require")
    server.sql("CREATE ROLE encrypted SUPERUSER LOGIN PASSWORD 'canary-encrypted'")
    only = {"login_user": "encrypted", "login_password": "canary-encrypted"}
    try:
        assert owned(sslmode="disable", **only)["code"] == "database_denied"
        owned.unchanged(sslmode="require", **only)
    finally:
        server.sql("DROP ROLE encrypted")


def test_trust_cannot_be_compared_unless_the_catalog_is_open(run: Any, server: Server) -> None:
    """Whoever signs in as `trusted` needs no password there."""
    closed = Database(run, server, ADMIN)
    closed.options.update(role="trusted")
    try:
        assert closed()["steps"][0] == "create_role"
        second = closed(password="canary-other")
        assert (second["changed"], second["password"], second["catalog"]) == (False, "unknown", "closed")
        assert "trust" in second["notices"][0]
        opened = Database(run, server, SUPERUSER)
        opened.options = {**closed.options, **SUPERUSER}
        opened.unchanged()
        assert opened(password="canary-other")["steps"] == ["alter_role"]
    finally:
        assert closed(state="absent")["changed"]


def test_a_rule_that_bars_only_this_host_is_a_warning(run: Any, server: Server) -> None:
    for login in (SUPERUSER, ADMIN):
        barred = Database(run, server, login)
        barred.options.update(role="barred")
        done = barred()
        assert (done["changed"], done["login"]) == (True, "unchecked")
        assert "pg_hba" in done["notices"][0]
        assert not barred()["changed"]
        assert barred(state="absent")["changed"]


@pytest.mark.parametrize(
    "password",
    [
        "päss\u00a0wört\u00ad",  # SASLprep makes a space of the one, and nothing of the other
        "\u212bngström ﬁ",  # compatibility forms
        "schloss😀",  # not in the Unicode of SASLprep: taken as it is
        "quote'\"\\ ${x} %s",
        "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy",
        "md5" + "0" * 32,
    ],
)
def test_any_password_signs_in(database: Database, password: str) -> None:
    assert database(password=password)["login"] == "ok"
    assert database.answers(password)
    database.unchanged(password=password)
    assert database(password=password + "!")["steps"] == ["alter_role"]
    database(state="absent")


def test_odd_names(database: Database) -> None:
    odd = {"database": 'Lang "fuse" %s {0}', "role": "Röle-1;--"}
    if database.options["login_user"] == "admin":
        odd["role"] += "admin"
    assert database(**odd)["login"] == "ok"
    database.unchanged(**odd)
    assert database(state="absent", **odd)["steps"] == ["drop_database", "drop_role"]


def test_what_the_server_refuses_is_told_in_its_words(owned: Database) -> None:
    refused = owned(role="public")
    assert (refused["code"], refused["sqlstate"]) == ("database_refused", "42939"), refused
    assert 'refused to create the role: role name "public" is reserved' in refused["msg"]
    assert "SCRAM" not in str(refused)


def test_a_password_that_clients_prepare_differently_is_refused(owned: Database, server: Server) -> None:
    refused = owned(password="zero\u200bwidth")
    assert (refused["code"], "different ways" in refused["msg"]) == ("bad_option", True)
    assert server.sql(f"SELECT FROM pg_roles WHERE rolname = '{owned.name}'") == []


def test_an_md5_password_becomes_scram(owned: Database, server: Server) -> None:
    server.sql("SET password_encryption = md5", f"CREATE ROLE {owned.name} LOGIN PASSWORD '{PASSWORD}'")
    done = owned(diff=True)
    assert done["diff"]["before"]["role"]["password"] == "stored as MD5"
    assert server.sql(f"SELECT rolpassword ~ '^SCRAM' FROM pg_authid WHERE rolname = '{owned.name}'") == [(True,)]


def test_an_admin_without_the_rights_is_refused_before_anything_is_made(run: Any, server: Server) -> None:
    weak = Database(run, server, {"login_user": "weak", "login_password": "canary-weak"})
    server.sql("CREATE ROLE weak LOGIN NOINHERIT PASSWORD 'canary-weak'")
    try:
        refused = weak()
        assert refused["code"] == "database_rights"
        assert "weak lacks CREATEDB and CREATEROLE" in refused["msg"]
        server.sql("ALTER ROLE weak CREATEROLE")
        assert "weak lacks CREATEDB" in weak()["msg"]
        assert server.sql(f"SELECT FROM pg_roles WHERE rolname = '{weak.name}'") == []
        # A role that another one made: since PostgreSQL 16 CREATEROLE alone is not enough.
        server.sql(f"CREATE ROLE {weak.name} LOGIN PASSWORD 'other'", "ALTER ROLE weak CREATEDB")
        result = weak()
        if server.major < 16:
            assert "weak lacks INHERIT." in result["msg"]
            server.sql("ALTER ROLE weak INHERIT")
            assert weak()["login"] == "ok"
        else:
            assert result["code"] == "database_rights" and f"administer role {weak.name}" in result["msg"]
            server.sql(f"GRANT {weak.name} TO weak WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
            done = weak()
            assert (done["steps"][1], done["login"]) == ("join_role", "ok")
        weak(state="absent")
    finally:
        server.sql("DROP ROLE weak")


@pytest.mark.parametrize("granted", ["", "inherit", "set"])
def test_a_membership_is_completed(run: Any, server: Server, granted: str) -> None:
    """Since PostgreSQL 16 whoever makes a role administers it, and is no more of a member than this setting says."""
    if server.major < 16:
        pytest.skip("memberships have no options before 16")
    database = Database(run, server, {"login_user": "half", "login_password": "canary-half"})
    server.sql("CREATE ROLE half LOGIN NOINHERIT CREATEROLE CREATEDB PASSWORD 'canary-half'")
    half = {"user": "half", "password": "canary-half"}
    server.sql(f"SET createrole_self_grant = '{granted}'", f"CREATE ROLE {database.name} LOGIN", **half)
    try:
        assert database()["steps"][:2] == ["alter_role", "join_role"]
        database.unchanged()
        assert database(state="absent")["steps"] == ["drop_database", "drop_role"]
    finally:
        server.sql("DROP ROLE half")


def test_the_role_alone_checks_what_others_made(run: Any, server: Server, owned: Database) -> None:
    """Where the application's own account is all that one was given."""
    owned()
    alone = Database(run, server, {})
    alone.name = owned.name
    alone.options = {
        **owned.options,
        "login_user": owned.name,
        "login_password": PASSWORD,
        "login_database": owned.name,
    }
    checked = alone.unchanged()
    assert (checked["login"], checked["password"]) == ("ok", "as given")
    assert alone(password="canary-role-9")["steps"] == ["alter_role"]
    assert owned.answers("canary-role-9")


def test_an_older_server_is_refused(run: Any, tmp_path: Any) -> None:
    """PostgreSQL 13 from Debian 11; skipped where that is no longer on the mirror."""
    from tests.bench.shell import BenchError

    try:
        server = Server(13, tmp_path)
    except BenchError as error:
        pytest.skip(f"no Debian 11: {error}")
    try:
        result = Database(run, server, SUPERUSER)()
        assert result["code"] == "database_version" and "PostgreSQL 13" in result["msg"] and "15" in result["cure"]
    finally:
        server.remove()


def test_a_standby_is_refused(run: Any, tmp_path: Any) -> None:
    server = Server(17, tmp_path, standby=True)
    try:
        assert Database(run, server, SUPERUSER)()["code"] == "database_standby"
    finally:
        server.remove()


def test_a_server_that_was_set_read_only_is_refused(owned: Database, server: Server) -> None:
    server.sql("CREATE ROLE stuck SUPERUSER LOGIN PASSWORD 'canary-stuck'")
    server.sql("ALTER ROLE stuck SET default_transaction_read_only = on")
    try:
        refused = owned(login_user="stuck", login_password="canary-stuck")
        assert (refused["code"], "read-only" in refused["msg"]) == ("database_read_only", True)
    finally:
        server.sql("DROP ROLE stuck")
