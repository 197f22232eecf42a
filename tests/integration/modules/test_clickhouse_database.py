# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""clickhouse_database on ClickHouse's engine: check, run, run again, change, absent; and what can be wrong with one.

The accounts are kept by the bench's server, the grants are judged and enforced by the engine (docs/testing.md).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules import conftest
from tests.integration.modules.clickhouse_server import ADMIN, ADMIN_PASSWORD, Refused, start, statement, writing
from tests.integration.modules.front import Front, write_certificate

Result = dict[str, Any]
Query = Callable[..., str]
pytestmark = pytest.mark.engine

PASSWORD = "canaryAppPassword1"
RAW = "input_format_read_datetime_number_as_raw_value"


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    address = start("clickhouse", tmp_path_factory.mktemp("clickhouse"))
    proxy = Front(address)
    yield proxy
    proxy.shutdown()
    conftest.stop("clickhouse")


@pytest.fixture
def query(front: Front) -> Query:
    def ask(sql: str, **how: str) -> str:
        return statement(front.target, sql, **how)

    return ask


@pytest.fixture
def options(front: Front, query: Query) -> Iterator[Result]:
    yield {
        "login_url": front.url,
        "login_user": ADMIN,
        "login_password": ADMIN_PASSWORD,
        "database": "langfuse",
        "user": "app",
        "password": PASSWORD,
    }
    query("DROP USER IF EXISTS app")
    query("DROP DATABASE IF EXISTS langfuse SYNC")


@pytest.fixture
def made(run: Any, options: Result) -> Result:
    assert run("clickhouse_database", **options)["changed"]
    return options


def own(options: Result) -> Result:
    """The options without an administrator."""
    return {key: value for key, value in options.items() if not key.startswith("login_u") or key == "login_url"} | {
        "login_password": None
    }


def writes(front: Front) -> list[str]:
    return writing(front.seen)


def code(query: Query, sql: str, **how: str) -> int:
    try:
        query(sql, **how)
    except Refused as refused:
        return refused.code
    return 0


def test_check_run_again_change_absent(run: Any, front: Front, query: Query, options: Result) -> None:
    front.clear()
    planned = run("clickhouse_database", check=True, diff=True, **options)
    assert (planned["changed"], planned["mode"], writes(front)) == (True, "manage", [])
    assert planned["diff"]["before"]["user"] is False
    assert query("SELECT count() FROM system.users WHERE name = 'app'") == "0"
    done = run("clickhouse_database", **options)
    assert done["statements"] == planned["statements"]
    assert len(writes(front)) == len(done["statements"]) == 9
    assert query("SELECT engine FROM system.databases WHERE name = 'langfuse'") == "Atomic"
    assert query("SELECT 1", user="app", password=PASSWORD) == "1"
    front.clear()
    second = run("clickhouse_database", diff=True, **options)
    assert (second["changed"], second["statements"], writes(front)) == (False, [], [])
    front.clear()
    gone = {**options, "state": "absent"}
    assert run("clickhouse_database", check=True, **gone)["changed"]
    assert writes(front) == []
    assert run("clickhouse_database", **gone)["changed"]
    assert query("SELECT count() FROM system.users WHERE name = 'app'") == "0"
    assert query("SELECT count() FROM system.databases WHERE name = 'langfuse'") == "0"
    assert not run("clickhouse_database", **gone)["changed"]


def test_no_password_passes_in_a_statement(run: Any, front: Front, query: Query, made: Result) -> None:
    run("clickhouse_database", **{**made, "password": "canaryAppPassword2"})
    query("SYSTEM FLUSH LOGS")
    logged = query("SELECT query FROM system.query_log")
    for secret in (PASSWORD, "canaryAppPassword2", ADMIN_PASSWORD):
        assert not [sql for sql in front.seen if secret in sql]
        assert secret not in logged


def test_another_password(run: Any, front: Front, query: Query, made: Result) -> None:
    changed = {**made, "password": "canaryAppPassword2"}
    planned = run("clickhouse_database", check=True, **changed)
    assert planned["statements"] == ["ALTER USER app IDENTIFIED WITH sha256_hash BY '...'"]
    assert query("SELECT 1", user="app", password=PASSWORD) == "1"
    assert run("clickhouse_database", **changed)["statements"] == planned["statements"]
    assert code(query, "SELECT 1", user="app", password=PASSWORD) == 516
    assert query("SELECT 1", user="app", password="canaryAppPassword2") == "1"
    assert not run("clickhouse_database", **changed)["changed"]


def test_a_user_that_needs_no_password_gets_it(run: Any, query: Query, made: Result) -> None:
    """Any password is right for it, so that a login with the right one tells nothing."""
    query("ALTER USER app IDENTIFIED WITH no_password")
    alone = run("clickhouse_database", **own(made))
    assert alone.get("changed") is False and "logs in with any password" in " ".join(alone["notes"]), alone
    given = run("clickhouse_database", diff=True, **made)
    assert given["statements"] == ["ALTER USER app IDENTIFIED WITH sha256_hash BY '...'"]
    assert (given["diff"]["before"]["password"], given["notes"]) == ("none", [])
    assert code(query, "SELECT 1", user="app", password="canaryAnother1") == 516
    again = run("clickhouse_database", **own(made))
    assert (again["changed"], again["notes"]) == (False, [])


def test_an_old_version_is_told_before_what_it_does_not_know(
    run: Any, front: Front, query: Query, made: Result
) -> None:
    front.clear()
    front.answers = {query("SELECT version()").encode(): b"24.8.1.1"}
    try:
        results = [run("clickhouse_database", **options) for options in (made, own(made))]
    finally:
        front.answers = {}
    assert [result.get("code") for result in results] == ["clickhouse_version"] * 2, results
    assert not [sql for sql in front.seen if sql.startswith("SHOW GRANTS")]


def test_settings_are_added_and_kept(run: Any, query: Query, made: Result) -> None:
    def value(name: str) -> str:
        return query(f"SELECT value FROM system.settings WHERE name = '{name}'", user="app", password=PASSWORD)

    assert value(RAW) == "1"
    limited = {**made, "settings": {"max_execution_time": 60, "max_memory_usage": 10**9, "join_algorithm": "hash"}}
    planned = run("clickhouse_database", check=True, diff=True, **limited)
    assert planned["diff"]["after"]["settings"]["max_memory_usage"] == "1000000000"
    assert run("clickhouse_database", **limited)["statements"] == planned["statements"]
    assert len(planned["statements"]) == 1
    assert [value(name) for name in ("max_execution_time", "join_algorithm", RAW)] == ["60", "hash", "1"]
    assert not run("clickhouse_database", **limited)["changed"]
    query("ALTER USER app DROP SETTINGS max_execution_time")
    assert run("clickhouse_database", **limited)["statements"] == [
        "ALTER USER app MODIFY SETTINGS max_execution_time = 60"
    ]


@pytest.mark.parametrize(
    ("settings", "word"),
    [({"no_such_setting": 1}, "no_such_setting"), ({RAW: 0}, "lose every trace"), ({"readonly": 1}, "readonly")],
)
def test_settings_that_cannot_be(run: Any, front: Front, options: Result, settings: Result, word: str) -> None:
    front.clear()
    result = run("clickhouse_database", settings=settings, **options)
    assert (result["code"], writes(front)) == ("bad_option", [])
    assert word in result["msg"]


DATABASE = [
    *("SELECT", "INSERT", "ALTER UPDATE", "ALTER DELETE", "CREATE TABLE", "DROP TABLE"),
    *("ALTER ADD COLUMN", "ALTER MODIFY COLUMN", "ALTER ADD INDEX", "ALTER DROP INDEX", "ALTER MATERIALIZE INDEX"),
    *("ALTER VIEW MODIFY QUERY", "ALTER SETTINGS"),
]
EACH = [
    *(f"{privilege} ON langfuse.*" for privilege in DATABASE),
    "SYSTEM MERGES ON langfuse.observations_pid_tid_sorting",
    "SYSTEM SYNC REPLICA ON langfuse.observations_pid_tid_sorting",
    "SELECT(partition_id) ON system.parts",
    "SELECT(is_done) ON system.mutations",
    "SELECT(engine) ON system.tables",
    "SELECT ON system.processes",
    "SELECT ON system.query_log*",
]


def test_each_grant_that_is_taken_away_is_named_and_given_back(
    run: Any, front: Front, query: Query, made: Result
) -> None:
    """On one user, because it is the sum that must come out right again."""
    for phrase in EACH:
        query(f"REVOKE {phrase} FROM app")
        planned = run("clickhouse_database", check=True, **made)
        assert planned["grants"]["missing"] == [phrase]
        if "langfuse" in phrase:
            # The engine as a library opens its system tables to everybody: there, nothing is missing in effect.
            seen = run("clickhouse_database", **own(made))
            assert (seen["failed"], seen["code"], seen["missing"]) == (True, "clickhouse_grants", [phrase])
            assert f"GRANT {phrase} TO app;" in seen["msg"]
        assert run("clickhouse_database", **made)["statements"] == [f"GRANT {phrase} TO app"]
    front.clear()
    assert not run("clickhouse_database", **made)["changed"]
    assert not run("clickhouse_database", **own(made))["changed"]
    assert writes(front) == []


# What the migrations and the work of Langfuse v4 consist of, in an order that runs, with what each needs.
WORK = [
    (
        "CREATE TABLE",
        "CREATE TABLE t (a UInt32, s String, ts DateTime64(3)) ENGINE = ReplacingMergeTree(ts) ORDER BY a",
    ),
    ("CREATE TABLE", "CREATE TABLE u (a UInt32, s String) ENGINE = MergeTree ORDER BY a"),
    ("CREATE TABLE", "CREATE MATERIALIZED VIEW m TO u AS SELECT a, s FROM t"),
    ("CREATE TABLE", "CREATE VIEW v AS SELECT a FROM t"),
    ("ALTER VIEW MODIFY QUERY", "ALTER TABLE m MODIFY QUERY SELECT a, upper(s) AS s FROM t"),
    ("ALTER ADD COLUMN", "ALTER TABLE t ADD COLUMN b Nullable(String)"),
    ("ALTER MODIFY COLUMN", "ALTER TABLE t MODIFY COLUMN b String DEFAULT ''"),
    ("ALTER ADD INDEX", "ALTER TABLE t ADD INDEX i s TYPE bloom_filter() GRANULARITY 1"),
    ("ALTER MATERIALIZE INDEX", "ALTER TABLE t MATERIALIZE INDEX i"),
    ("ALTER DROP INDEX", "ALTER TABLE t DROP INDEX i"),
    ("ALTER SETTINGS", "ALTER TABLE t MODIFY SETTING enable_block_number_column = 1, enable_block_offset_column = 1"),
    ("INSERT", "INSERT INTO t (a, s, ts) VALUES (1, 'x', 1)"),
    ("SELECT", "SELECT a FROM v"),
    ("ALTER UPDATE", "ALTER TABLE t UPDATE s = 'y' WHERE a = 1"),
    ("ALTER DELETE", "ALTER TABLE t DELETE WHERE a = 2"),
    ("ALTER DELETE", "DELETE FROM t WHERE a = 3"),
    ("CREATE TABLE", "CREATE TABLE observations_pid_tid_sorting AS t"),
    ("SYSTEM MERGES", "SYSTEM STOP MERGES observations_pid_tid_sorting"),
    ("DROP TABLE", "DROP VIEW v"),
    ("DROP TABLE", "DROP TABLE m"),
    ("DROP TABLE", "DROP TABLE observations_pid_tid_sorting"),
]


def test_every_kind_of_statement_needs_its_grant_and_no_other(query: Query, made: Result) -> None:
    how = {"user": "app", "password": PASSWORD, "database": "langfuse"}
    for privilege, sql in WORK:
        place = "langfuse.observations_pid_tid_sorting" if privilege.startswith("SYSTEM") else "langfuse.*"
        query(f"REVOKE {privilege} ON {place} FROM app")
        assert code(query, sql, **how) == 497, f"{sql} without {privilege}"
        query(f"GRANT {privilege} ON {place} TO app")
        assert code(query, sql, **how) == 0, sql
    assert code(query, "TRUNCATE TABLE t", **how) == 497
    assert code(query, "CREATE DATABASE other", **how) == 497


def test_more_than_needed_is_told_or_taken_away(run: Any, query: Query, made: Result) -> None:
    query("GRANT TRUNCATE, SELECT ON *.* TO app")
    query("CREATE ROLE reader")
    query("GRANT reader TO app")
    told = run("clickhouse_database", **made)
    assert (told["changed"], told["grants"]["more"]) == (False, ["SELECT, TRUNCATE ON *.*"])
    assert "TRUNCATE" in told["notes"][0]
    exact = {**made, "exclusive": True}
    planned = run("clickhouse_database", check=True, diff=True, **exact)
    assert planned["diff"]["before"]["more"] == ["SELECT, TRUNCATE ON *.*", "reader"]
    done = run("clickhouse_database", **exact)
    assert done.get("statements") == planned["statements"], done
    assert not [line for line in query("SHOW GRANTS FOR app").splitlines() if "TRUNCATE" in line or "reader" in line]
    assert not run("clickhouse_database", **exact)["changed"]
    query("DROP ROLE reader")


def test_rights_that_come_by_a_role_are_enough(run: Any, query: Query, made: Result) -> None:
    query("CREATE ROLE writer")
    query("GRANT INSERT ON langfuse.* TO writer")
    query("GRANT writer TO app")
    query("REVOKE INSERT ON langfuse.* FROM app")
    assert not run("clickhouse_database", **made)["changed"]
    assert not run("clickhouse_database", **own(made))["changed"]
    query("DROP ROLE writer")
    assert run("clickhouse_database", **made)["statements"] == ["GRANT INSERT ON langfuse.* TO app"]


def test_rows_are_kept_unless_confirmed(run: Any, front: Front, query: Query, made: Result) -> None:
    query("CREATE TABLE langfuse.theirs (a UInt8) ENGINE = MergeTree ORDER BY a")
    query("INSERT INTO langfuse.theirs VALUES (1), (2)")
    front.clear()
    for wrong in (None, "other"):
        refused = run("clickhouse_database", **{**made, "state": "absent", "confirm": wrong})
        assert (refused["code"], refused["tables"], writes(front)) == ("clickhouse_not_empty", ["theirs"], [])
        assert "theirs (2)" in refused["msg"]
    assert run("clickhouse_database", **{**made, "state": "absent", "confirm": "langfuse"})["changed"]
    assert query("SELECT count() FROM system.databases WHERE name = 'langfuse'") == "0"


def test_absent_needs_another_administrator(run: Any, options: Result) -> None:
    for wrong in (own(options), {**options, "user": ADMIN}):
        assert run("clickhouse_database", **{**wrong, "state": "absent"})["code"] == "bad_option"


def test_a_user_of_the_servers_files_is_only_judged(run: Any, front: Front, query: Query, options: Result) -> None:
    written = {**options, "user": "written", "password": "canary-written-password"}
    front.clear()
    refused = run("clickhouse_database", **written)
    assert [problem["code"] for problem in refused["problems"]] == ["clickhouse_setting", "clickhouse_grants"]
    assert RAW in refused["msg"]
    assert "INSERT" in refused["missing"][0]
    assert "SELECT" not in refused["missing"][0].split(", ")
    assert writes(front) == []
    wrong = run("clickhouse_database", **{**written, "password": "canary-wrong"})
    assert wrong["code"] == "clickhouse_login"
    assert "GRANT SELECT ON system.processes TO written;" in wrong["msg"]


def test_an_administrator_without_access_management(run: Any, front: Front, query: Query, made: Result) -> None:
    maker = {**made, "login_user": "maker", "login_password": "canary-maker-password"}
    same = run("clickhouse_database", **maker)
    assert (same["changed"], same["mode"]) == (False, "verify")
    query("DROP DATABASE langfuse")
    front.clear()
    planned = run("clickhouse_database", check=True, **maker)
    assert planned["statements"] == ["CREATE DATABASE IF NOT EXISTS langfuse"]
    assert writes(front) == []
    assert run("clickhouse_database", **maker)["changed"]
    query("REVOKE INSERT ON langfuse.* FROM app")
    refused = run("clickhouse_database", **maker)
    assert (refused["code"], refused["missing"]) == ("clickhouse_grants", ["INSERT ON langfuse.*"])


def test_an_administrator_that_may_not_pass_on(run: Any, front: Front, query: Query, options: Result) -> None:
    query("CREATE USER half IDENTIFIED BY 'canary-half-password'")
    query("GRANT CREATE USER, ALTER USER ON * TO half")
    query("GRANT SHOW, CREATE DATABASE ON *.* TO half")
    query("GRANT SHOW USERS, SHOW ROLES ON *.* TO half")
    query("GRANT ALL ON langfuse.* TO half WITH GRANT OPTION")
    front.clear()
    refused = run("clickhouse_database", **{**options, "login_user": "half", "login_password": "canary-half-password"})
    query("DROP USER half")
    assert (refused["code"], writes(front)) == ("clickhouse_denied", []), refused
    assert "SELECT ON system.processes (WITH GRANT OPTION)" in refused["missing"]


def test_the_own_user_alone(run: Any, front: Front, query: Query, made: Result) -> None:
    front.clear()
    result = run("clickhouse_database", **own(made))
    assert (result["changed"], result["mode"], writes(front)) == (False, "own", [])
    query("ALTER USER app DROP SETTINGS " + RAW)
    refused = run("clickhouse_database", **own(made))
    assert (refused["code"], refused["settings"]) == ("clickhouse_setting", [RAW])
    assert f"ALTER USER app MODIFY SETTINGS {RAW} = 1;" in refused["msg"]
    query("DROP DATABASE langfuse")
    both = run("clickhouse_database", **own(made))
    assert [one["code"] for one in both["problems"]] == ["clickhouse_no_database", "clickhouse_setting"]
    assert run("clickhouse_database", **{**own(made), "user": "nobody"})["code"] == "clickhouse_login"


def test_a_cluster_of_one_node(run: Any, front: Front, query: Query, options: Result) -> None:
    clustered = {**options, "cluster": "default"}
    planned = run("clickhouse_database", check=True, **clustered)
    assert all("ON CLUSTER default" in sql for sql in planned["statements"])
    refused = run("clickhouse_database", **clustered)
    # The engine read and allowed the statement, and says that it has no queue to put it into.
    assert (refused["code"], refused["clickhouse_code"]) == ("clickhouse_cluster", 392)
    assert "sha256_hash BY '...'" in refused["statement"]
    for sql in planned["statements"]:
        given = sql.replace("'...'", "'" + "AB" * 32 + "'")
        assert code(query, given) == 392, sql
        query(given.replace(" ON CLUSTER default", "").replace("'" + "AB" * 32 + "'", f"'{_sha256(PASSWORD)}'"))
    same = run("clickhouse_database", **clustered)
    assert (same["changed"], same["statements"]) == (False, [])
    how = {"user": "app", "password": PASSWORD}
    for table in ("parts", "mutations", "tables", "processes", "replicas"):
        query(f"SELECT count() FROM clusterAllReplicas('default', system.{table})", **how)
    query("REVOKE SELECT ON system.parts FROM app")
    query("GRANT SELECT(database, table) ON system.parts TO app")
    columns = "SELECT database FROM clusterAllReplicas('default', system.parts)"
    assert code(query, columns, **how) == 497, "granted columns are enough now: grant no more than those"
    assert run("clickhouse_database", check=True, **clustered)["statements"] == [
        "GRANT ON CLUSTER default SELECT ON system.parts TO app"
    ]


def _sha256(text: str) -> str:
    return subprocess.run(["sha256sum"], input=text, capture_output=True, text=True, check=True).stdout.split()[0]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"login_password": "canary-wrong-password"}, "clickhouse_login"),
        ({"login_user": "nobody"}, "clickhouse_login"),
        ({"login_url": "http://no-such-host.invalid:8123"}, "clickhouse_down"),
        ({"login_url": "localhost:8123"}, "bad_option"),
        ({"database": "system"}, "bad_option"),
        ({"cluster": "mine"}, "bad_option"),
        ({"password": ""}, "bad_option"),
        ({"ca_path": "/no/such/file", "login_url": "https://localhost:1"}, "bad_option"),
    ],
)
def test_what_is_wrong_is_named(run: Any, front: Front, options: Result, wrong: Result, expected: str) -> None:
    front.clear()
    result = run("clickhouse_database", **{**options, "wait": 0, **wrong})
    assert (result["failed"], result["code"], writes(front)) == (True, expected, []), result
    assert result["cure"] in result["msg"]


def test_nothing_listens(run: Any, options: Result, closed_port: str) -> None:
    result = run("clickhouse_database", **{**options, "login_url": f"http://{closed_port}", "wait": 1})
    assert result["code"] == "clickhouse_down"


def test_another_time_zone(run: Any, tmp_path: Path, options: Result) -> None:
    config = "<clickhouse><timezone>Europe/Berlin</timezone></clickhouse>"
    address = start("clickhouse-zone", tmp_path, config=config)
    try:
        elsewhere = {**options, "login_url": f"http://{address}"}
        refused = run("clickhouse_database", **elsewhere)
        assert (refused["code"], "Europe/Berlin" in refused["msg"]) == ("clickhouse_timezone", True)
        assert statement(address, "SELECT count() FROM system.users WHERE name = 'app'") == "0"
        together = run("clickhouse_database", **{**elsewhere, "cluster": "default"})
        assert [one["code"] for one in together["problems"]] == ["clickhouse_timezone", "clickhouse_cluster"]
    finally:
        conftest.stop("clickhouse-zone")


def test_tls_with_an_authority_of_its_own(run: Any, front: Front, tmp_path: Path, options: Result) -> None:
    right, wrong = write_certificate(tmp_path / "right.pem"), write_certificate(tmp_path / "wrong.pem")
    secure = Front(front.target, right)
    over = {**options, "login_url": secure.url, "wait": 0}
    try:
        for given in ({}, {"ca_path": str(wrong)}):
            assert run("clickhouse_database", **over, **given)["code"] == "clickhouse_tls"
        assert secure.seen == []
        assert run("clickhouse_database", **over, ca_path=str(right))["changed"]
        assert not run("clickhouse_database", **over, ca_path=str(right))["changed"]
        assert not run("clickhouse_database", **over, validate_certs=False)["changed"]
        plain = {**over, "login_url": secure.url.replace("https", "http")}
        assert run("clickhouse_database", **plain)["code"] in ("clickhouse_down", "clickhouse_error")
        assert run("clickhouse_database", **{**over, "login_url": front.url.replace("http", "https")})["code"] == (
            "clickhouse_tls"
        )
    finally:
        secure.shutdown()


def test_the_result_can_be_printed(run: Any, made: Result) -> None:
    result = run("clickhouse_database", diff=True, **{**made, "password": "canaryAppPassword2"})
    text = json.dumps(result)
    assert not [secret for secret in (PASSWORD, "canaryAppPassword2", ADMIN_PASSWORD) if secret in text]
    assert "SALT" not in text
