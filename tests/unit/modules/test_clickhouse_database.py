# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""clickhouse_database: grants as sets, the statements that are still needed, and what a server is refused for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import clickhouse, http_client
from ansible_collections.llmops.langfuse.plugins.module_utils import clickhouse_grants as grants
from ansible_collections.llmops.langfuse.plugins.module_utils import clickhouse_plan as plan
from ansible_collections.llmops.langfuse.plugins.module_utils.clickhouse_grants import Holdings, Name, Right
from ansible_collections.llmops.langfuse.plugins.module_utils.clickhouse_plan import (
    Account,
    Cluster,
    Effective,
    Facts,
    Wanted,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

RAW = clickhouse.RAW_VALUE
IDENTIFIED = "IDENTIFIED WITH sha256_hash BY 'AB' SALT 'CD'"
WANTED = Wanted("langfuse", "app", "", {}, False)
CLUSTERED = WANTED._replace(cluster="default")
FACTS = Facts("26.4.1.1", "UTC", "Atomic")
ONE_SHARD = Cluster(1, ("replica", "shard"), False)
ALL = Holdings(WANTED.rights)
READY = Account("local_directory", ALL, ALL, {}, True)
ABSENT = Account("", Holdings(), Holdings(), {}, False)
DATABASE_GRANT = (
    "SELECT, INSERT, ALTER UPDATE, ALTER DELETE, CREATE TABLE, DROP TABLE, ALTER ADD COLUMN, ALTER MODIFY COLUMN, "
    "ALTER ADD INDEX, ALTER DROP INDEX, ALTER MATERIALIZE INDEX, ALTER VIEW MODIFY QUERY, "
    "ALTER SETTINGS ON langfuse.*"
)
SCRATCH_GRANT = "SYSTEM MERGES, SYSTEM SYNC REPLICA ON langfuse.observations_pid_tid_sorting"
SINGLE = [
    DATABASE_GRANT,
    SCRATCH_GRANT,
    "SELECT(active, database, name, partition, partition_id, rows, `table`) ON system.parts",
    "SELECT(database, is_done, `table`) ON system.mutations",
    "SELECT(database, engine, name) ON system.tables",
    "SELECT ON system.processes",
    "SELECT ON system.query_log*",
]
IN_A_CLUSTER = [
    DATABASE_GRANT,
    SCRATCH_GRANT,
    *(f"SELECT ON system.{table}" for table in ("parts", "mutations", "tables", "processes", "query_log*", "replicas")),
    "READ ON REMOTE",
    "CLUSTER ON *.*",
]


def held(*lines: str) -> Holdings:
    return grants.read(lines)


def sql(steps: list[plan.Step]) -> list[str]:
    return [step.sql for step in steps]


@pytest.mark.parametrize(("clustered", "expected"), [(False, SINGLE), (True, IN_A_CLUSTER)])
def test_what_is_needed(clustered: bool, expected: list[str]) -> None:
    assert grants.phrases(grants.needed("langfuse", clustered)) == expected


@pytest.mark.parametrize("clustered", [False, True])
def test_what_is_written_is_read_back_equal(clustered: bool) -> None:
    wanted = grants.needed("la-ng`fuse", clustered)
    lines = [f"GRANT {phrase} TO `a b`" for phrase in grants.phrases(wanted)]
    assert set(grants.read(lines).granted) == set(wanted)


SELECT = Right("SELECT", Name("langfuse"))
COLUMN = Right("SELECT", Name("system"), Name("parts"), "active")
LOG = Right("SELECT", Name("system"), Name("query_log", True))
ADD = Right("ALTER ADD COLUMN", Name("langfuse"))
REMOTE = grants.READ_REMOTE
MERGES = Right("SYSTEM MERGES", Name("langfuse"), Name("observations_pid_tid_sorting"))


@pytest.mark.parametrize(
    ("line", "right", "holds"),
    [
        ("GRANT SELECT ON langfuse.* TO app", SELECT, True),
        ("GRANT SELECT ON langfuse.t TO app", SELECT, False),
        ("GRANT SELECT ON other.* TO app", SELECT, False),
        ("GRANT INSERT, SELECT ON `langfuse`.* TO app", SELECT, True),
        ("GRANT SELECT ON lang*.* TO app", SELECT, True),
        ("GRANT SELECT ON *.* TO app", SELECT, True),
        ("GRANT ALL ON *.* TO app WITH GRANT OPTION", SELECT, True),
        ("GRANT ALL ON langfuse.* TO app", SELECT, True),
        ("GRANT adm, `SELECT ON x` TO app", SELECT, False),
        ("nonsense", SELECT, False),
        ("GRANT SELECT(a, active) ON system.parts TO app", COLUMN, True),
        ("GRANT SELECT(a, rows) ON system.parts TO app", COLUMN, False),
        ("GRANT SELECT ON system.parts TO app", COLUMN, True),
        ("GRANT SELECT(active) ON system.parts TO app", COLUMN._replace(column=""), False),
        ("GRANT SELECT ON system.query_log TO app", LOG, False),
        ("GRANT SELECT ON system.query_log* TO app", LOG, True),
        ("GRANT SELECT ON system.query* TO app", LOG, True),
        ("GRANT SELECT ON system.* TO app", LOG, True),
        ("GRANT SELECT ON `system`.`query_log*` TO app", LOG, False),
        ("GRANT ALTER COLUMN ON langfuse.* TO app", ADD, True),
        ("GRANT ALTER TABLE ON langfuse.* TO app", ADD, True),
        ("GRANT ALTER ON langfuse.* TO app", ADD, True),
        ("GRANT ALTER INDEX, ALTER VIEW ON langfuse.* TO app", ADD, False),
        ("GRANT SYSTEM ON *.* TO app", MERGES, True),
        ("GRANT READ ON REMOTE TO app", REMOTE, True),
        ("GRANT READ, WRITE ON * TO app", REMOTE, True),
        ("GRANT REMOTE ON *.* TO app", REMOTE, True),
        ("GRANT SOURCES ON *.* TO app", REMOTE, True),
        ("GRANT READ ON S3 TO app", REMOTE, False),
        ("GRANT WRITE ON REMOTE TO app", REMOTE, False),
        ("GRANT CREATE USER ON * TO app", Right("CREATE USER", grants.NOWHERE, Name("u")), True),
        ("GRANT CREATE USER ON u TO app", Right("CREATE USER", grants.NOWHERE, Name("u")), True),
        ("GRANT CREATE USER ON v TO app", Right("CREATE USER", grants.NOWHERE, Name("u")), False),
        ("GRANT ACCESS MANAGEMENT ON *.* TO app", Right("CREATE USER", grants.NOWHERE, Name("u")), True),
    ],
)
def test_a_line_of_show_grants_holds_a_right(line: str, right: Right, holds: bool) -> None:
    assert held(line).holds(right) is holds


@pytest.mark.parametrize(
    ("revoke", "holds"),
    [
        ("REVOKE SELECT ON langfuse.t FROM app", False),
        ("REVOKE SELECT(a) ON langfuse.t FROM app", False),
        ("REVOKE ALL ON langfuse.* FROM app", False),
        ("REVOKE INSERT ON langfuse.* FROM app", True),
        ("REVOKE SELECT ON system.* FROM app", True),
    ],
)
def test_what_was_revoked_again_is_not_held(revoke: str, holds: bool) -> None:
    assert held("GRANT ALL ON *.* TO app", revoke).holds(SELECT) is holds


def test_passing_on_needs_the_option() -> None:
    assert not held("GRANT SELECT ON langfuse.* TO adm").holds(SELECT, grantable=True)
    assert held("GRANT ALL ON *.* TO adm WITH GRANT OPTION").holds(SELECT, grantable=True)


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("GRANT ALL ON *.* TO app", ["ALL ON *.*"]),
        ("GRANT SELECT, TRUNCATE ON langfuse.* TO app", ["TRUNCATE ON langfuse.*"]),
        ("GRANT SELECT ON langfuse.t TO app", []),
        ("GRANT SELECT ON system.parts TO app", ["SELECT ON system.parts"]),
        ("GRANT SELECT(active) ON system.parts TO app", []),
        ("GRANT CREATE VIEW, DROP VIEW, CREATE DATABASE ON langfuse.* TO app", ["CREATE DATABASE ON langfuse.*"]),
        ("GRANT URL ON *.* TO app", ["URL ON *.*"]),
        ("GRANT TABLE ENGINE ON MergeTree TO app", ["TABLE ENGINE ON MergeTree"]),
    ],
)
def test_what_is_held_beyond_need(line: str, more: list[str]) -> None:
    assert grants.phrases(grants.surplus(WANTED.rights, held(line))) == more


def test_a_ready_server_needs_nothing() -> None:
    assert plan.steps(WANTED, FACTS, READY, IDENTIFIED) == []


def test_from_nothing_the_account_comes_first_and_no_hash_is_told() -> None:
    steps = plan.steps(WANTED._replace(settings={RAW: "1"}), FACTS._replace(engine=""), ABSENT, IDENTIFIED)
    assert sql(steps) == [
        f"CREATE USER IF NOT EXISTS app {IDENTIFIED} SETTINGS {RAW} = 1",
        *(f"GRANT {phrase} TO app" for phrase in SINGLE),
        "CREATE DATABASE IF NOT EXISTS langfuse",
    ]
    assert not any("AB" in step.told.split("'") or "CD" in step.told for step in steps)


def test_the_same_on_a_cluster() -> None:
    facts = FACTS._replace(engine="", cluster=ONE_SHARD)
    steps = plan.steps(CLUSTERED._replace(settings={"max_threads": "4"}), facts, ABSENT, IDENTIFIED)
    assert sql(steps) == [
        f"CREATE USER IF NOT EXISTS app ON CLUSTER default {IDENTIFIED} SETTINGS max_threads = 4",
        *(f"GRANT ON CLUSTER default {phrase} TO app" for phrase in IN_A_CLUSTER),
        "CREATE DATABASE IF NOT EXISTS langfuse ON CLUSTER default ENGINE = Atomic",
    ]


def test_accounts_that_keeper_holds_are_made_once() -> None:
    facts = FACTS._replace(engine="", cluster=ONE_SHARD._replace(shared_accounts=True))
    steps = sql(plan.steps(CLUSTERED, facts, ABSENT, IDENTIFIED))
    assert ["ON CLUSTER" in step for step in steps] == [False] * (len(steps) - 1) + [True]


def test_a_node_without_user_or_database_gets_them() -> None:
    account = READY._replace(own=Holdings(CLUSTERED.rights), held=Holdings(CLUSTERED.rights))
    facts = FACTS._replace(cluster=ONE_SHARD)
    assert plan.steps(CLUSTERED, facts, account, IDENTIFIED) == []
    without_database = facts._replace(cluster=ONE_SHARD._replace(lacks_database=True))
    assert sql(plan.steps(CLUSTERED, without_database, account, IDENTIFIED)) == [
        "CREATE DATABASE IF NOT EXISTS langfuse ON CLUSTER default ENGINE = Atomic"
    ]
    without_user = facts._replace(cluster=ONE_SHARD._replace(lacks_user=True))
    assert sql(plan.steps(CLUSTERED, without_user, account, IDENTIFIED)) == [
        f"CREATE USER IF NOT EXISTS app ON CLUSTER default {IDENTIFIED}",
        *(f"GRANT ON CLUSTER default {phrase} TO app" for phrase in IN_A_CLUSTER),
    ]


@pytest.mark.parametrize(
    ("account", "wanted", "expected"),
    [
        (READY._replace(accepts=False), WANTED, [f"ALTER USER app {IDENTIFIED}"]),
        (READY._replace(open=True), WANTED, [f"ALTER USER app {IDENTIFIED}"]),
        (
            READY,
            WANTED._replace(settings={"max_threads": "4", "s": "it's"}),
            [r"ALTER USER app MODIFY SETTINGS max_threads = 4, s = 'it\'s'"],
        ),
        (READY._replace(settings={"max_threads": "4"}), WANTED._replace(settings={"max_threads": "4"}), []),
        (READY._replace(settings={RAW: "true"}), WANTED._replace(settings={RAW: "1"}), []),
        (
            READY._replace(held=Holdings(tuple(r for r in WANTED.rights if r != ADD))),
            WANTED,
            ["GRANT ALTER ADD COLUMN ON langfuse.* TO app"],
        ),
        (READY._replace(own=held("GRANT ALL ON *.* TO app")), WANTED, []),
        (
            READY._replace(own=held("GRANT ALL ON *.* TO app", "GRANT boss TO app")),
            WANTED._replace(exclusive=True),
            [f"GRANT {', '.join(SINGLE)} TO app WITH REPLACE OPTION", "REVOKE boss FROM app"],
        ),
        (READY, WANTED._replace(exclusive=True), []),
    ],
)
def test_only_what_differs_is_changed(account: Account, wanted: Wanted, expected: list[str]) -> None:
    assert sql(plan.steps(wanted, FACTS, account, IDENTIFIED)) == expected


@pytest.mark.parametrize("right", WANTED.rights, ids=lambda right: grants.phrases([right])[0])
def test_each_right_that_is_taken_away_is_named_with_its_cure(right: Right) -> None:
    left = Holdings(tuple(one for one in WANTED.rights if one != right))
    (failure,) = plan.problems(WANTED, FACTS, Effective(left, {"readonly": "0"}))
    (phrase,) = grants.phrases([right])
    assert (failure.code, failure.details["missing"]) == ("clickhouse_grants", [phrase])
    assert f"GRANT {phrase} TO app;" in failure.cure


@pytest.mark.parametrize(
    ("facts", "effective", "codes"),
    [
        (FACTS, Effective(ALL, {"readonly": "0"}), []),
        (FACTS._replace(engine=""), Effective(ALL, {"readonly": "0"}), ["clickhouse_no_database"]),
        (FACTS, Effective(ALL, {"readonly": "1"}), ["clickhouse_readonly"]),
        (FACTS, Effective(ALL, {"readonly": "2"}), ["clickhouse_readonly"]),
        (FACTS, Effective(Holdings(), {"readonly": "1"}), ["clickhouse_readonly", "clickhouse_grants"]),
    ],
)
def test_problems_are_told_together(facts: Facts, effective: Effective, codes: list[str]) -> None:
    assert [failure.code for failure in plan.problems(WANTED, facts, effective)] == codes


def test_the_setting_that_loses_traces_is_told_as_such() -> None:
    wanted = WANTED._replace(settings={RAW: "1"})
    facts = FACTS._replace(version="26.9.2.1")
    (failure,) = plan.problems(wanted, facts, Effective(ALL, {"readonly": "0", RAW: "0"}))
    assert failure.code == "clickhouse_setting"
    assert "loses every trace" in failure.message
    assert f"ALTER USER app MODIFY SETTINGS {RAW} = 1" in failure.cure
    assert plan.problems(wanted, facts, Effective(ALL, {RAW: "1"})) == []


@pytest.mark.parametrize(
    ("version", "given", "expected"),
    [
        ("25.12.1.1", {}, {}),
        ("26.7.9.9", {"max_threads": "4"}, {"max_threads": "4"}),
        ("26.8.1.1", {}, {RAW: "1"}),
        ("26.10.1.1", {"max_threads": "4"}, {"max_threads": "4", RAW: "1"}),
        ("27.1.1.1", {RAW: "true"}, {RAW: "1"}),
    ],
)
def test_settings_of_a_version(version: str, given: dict[str, str], expected: dict[str, str]) -> None:
    assert plan.settings_for(version, given) == expected


def test_the_setting_may_not_be_switched_off() -> None:
    with pytest.raises(Failure, match="lose every trace"):
        plan.settings_for("26.8.1.1", {RAW: "0"})


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ("1", "1", True),
        ("true", "1", True),
        ("false", "0", True),
        ("60.", "60", True),
        ("'zstd'", "zstd", True),
        (r"'it\'s'", "it's", True),
        ("0", "1", False),
        ("10000000000", "1e10", True),
        (None, "1", False),
    ],
)
def test_spellings_of_a_value(left: str | None, right: str, equal: bool) -> None:
    assert plan.same(left, right) is equal


def test_settings_out_of_show_create_user() -> None:
    text = "CREATE USER app IDENTIFIED WITH sha256_password HOST IP '10.0.0.0/8' SETTINGS PROFILE `p`, a = true, ab = 'x, a = 2' CONST"
    assert plan.settings_of(text, ["a", "ab", "b"]) == {"a": "true", "ab": "'x, a = 2'"}
    assert plan.settings_of("CREATE USER app IDENTIFIED WITH sha256_password", ["a"]) == {}


BOSS = held("GRANT ALL ON *.* TO boss WITH GRANT OPTION")


@pytest.mark.parametrize(
    ("login", "admin", "storage", "expected"),
    [
        ("", Holdings(), "", plan.OWN),
        ("boss", BOSS, "", plan.MANAGE),
        ("boss", BOSS, "local_directory", plan.MANAGE),
        ("boss", BOSS, "replicated", plan.MANAGE),
        ("boss", BOSS, "users_xml", plan.VERIFY),
        ("boss", held("GRANT ALL ON *.* TO boss", "REVOKE ACCESS MANAGEMENT ON *.* FROM boss"), "", plan.VERIFY),
        ("boss", held("GRANT CREATE USER ON * TO boss"), "", plan.VERIFY),
        ("boss", held("GRANT CREATE USER, ALTER USER ON * TO boss"), "", plan.MANAGE),
    ],
)
def test_what_may_be_done_with_the_account(login: str, admin: Holdings, storage: str, expected: str) -> None:
    assert plan.mode(login, admin, "app", storage) == expected


@pytest.mark.parametrize(
    ("grant", "changes", "said"),
    [
        ("SELECT ON books.*", {}, ["rights on books:"]),
        ("ALL ON *.*", {}, ["rights on *:"]),
        ("SELECT ON books.*", {"accepts": True}, []),
        ("SELECT ON books.*", {"storage": ""}, []),
        ("SELECT ON langfuse.*", {}, []),
        ("SELECT ON system.*", {}, []),
        ("CREATE USER ON *", {}, []),
    ],
)
def test_the_user_of_somebody_else(grant: str, changes: dict[str, Any], said: list[str]) -> None:
    """Another password would lock out whoever uses it."""
    account = READY._replace(own=held(f"GRANT {grant} TO app"), accepts=False)._replace(**changes)
    failures = plan.foreign(WANTED, account)
    assert [failure.code for failure in failures] == ["clickhouse_foreign_user"] * len(said)
    assert all(text in failure.message for failure, text in zip(failures, said, strict=True))
    assert plan.foreign(WANTED._replace(exclusive=True), account) == []


@pytest.mark.parametrize(
    ("admin", "account", "engine", "lacking"),
    [
        (BOSS, ABSENT, "", []),
        (held("GRANT CREATE USER, ALTER USER ON * TO boss"), READY, "Atomic", []),
        (held("GRANT CREATE USER, ALTER USER ON * TO boss"), READY, "", ["CREATE DATABASE ON langfuse.*"]),
        (held("GRANT ALL ON *.* TO boss"), ABSENT, "", [f"{phrase} (WITH GRANT OPTION)" for phrase in SINGLE]),
        (
            held("GRANT ALL ON langfuse.* TO boss WITH GRANT OPTION", "GRANT CREATE USER, ALTER USER ON * TO boss"),
            ABSENT,
            "",
            [f"{phrase} (WITH GRANT OPTION)" for phrase in SINGLE[2:]],
        ),
    ],
)
def test_what_the_administrator_lacks(admin: Holdings, account: Account, engine: str, lacking: list[str]) -> None:
    assert plan.not_permitted(admin, WANTED, FACTS._replace(engine=engine), account) == lacking


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"version": "25.12.0.1"}, []),
        ({"version": "25.11.9.9"}, ["clickhouse_version"]),
        ({"version": "24.3.1.1"}, ["clickhouse_version"]),
        ({"version": "unknown"}, ["clickhouse_version"]),
        ({"timezone": "Etc/UTC"}, []),
        ({"timezone": "Europe/Berlin"}, ["clickhouse_timezone"]),
        ({"version": "24.8.1.1", "timezone": "Asia/Tokyo"}, ["clickhouse_version", "clickhouse_timezone"]),
        ({"cluster": ONE_SHARD}, []),
        ({"cluster": Cluster(0, (), False)}, ["clickhouse_cluster"]),
        ({"cluster": ONE_SHARD._replace(shards=2)}, ["clickhouse_cluster"]),
        ({"cluster": ONE_SHARD._replace(macros=("shard",))}, ["clickhouse_cluster"]),
        ({"cluster": ONE_SHARD, "engine": "Replicated"}, ["clickhouse_cluster"]),
        ({"engine": "Replicated"}, []),
    ],
)
def test_servers_that_langfuse_cannot_use(changes: dict[str, Any], codes: list[str]) -> None:
    assert [failure.code for failure in plan.unfit(FACTS._replace(**changes), WANTED)] == codes


@pytest.mark.parametrize(
    ("storage", "engine", "rows", "confirm", "expected"),
    [
        ("", "", {}, None, []),
        (
            "local_directory",
            "Atomic",
            {},
            None,
            ["DROP USER IF EXISTS app", "DROP DATABASE IF EXISTS langfuse SYNC"],
        ),
        ("users_xml", "Atomic", {"scores": 1}, "langfuse", ["DROP DATABASE IF EXISTS langfuse SYNC"]),
        ("local_directory", "", {}, None, ["DROP USER IF EXISTS app"]),
    ],
)
def test_absent(storage: str, engine: str, rows: dict[str, int], confirm: str | None, expected: list[str]) -> None:
    assert sql(plan.drops(WANTED, FACTS._replace(engine=engine), storage, rows, confirm)) == expected


@pytest.mark.parametrize("confirm", [None, "other", "Langfuse"])
def test_rows_are_kept(confirm: str | None) -> None:
    with pytest.raises(Failure) as caught:
        plan.drops(WANTED, FACTS, "", {"scores": 2, "events_full": 30, "traces": 2}, confirm)
    assert caught.value.code == "clickhouse_not_empty"
    assert caught.value.details["tables"] == ["events_full", "scores", "traces"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (clickhouse.QueryError(516, "Code: 516. app: Authentication failed"), "clickhouse_login"),
        (clickhouse.QueryError(497, "Code: 497. Not enough privileges"), "clickhouse_denied"),
        (clickhouse.QueryError(495, "Code: 495. this storage is readonly"), "clickhouse_fixed_user"),
        (clickhouse.QueryError(392, "Code: 392. Replicated DDL queries are disabled"), "clickhouse_cluster"),
        (clickhouse.QueryError(0, "<html>"), "clickhouse_error"),
        (clickhouse.QueryError(241, "Code: 241. Memory limit"), "clickhouse_error"),
        (http_client.Unreachable("refused", "h:1", "refused"), "clickhouse_down"),
        (http_client.Unreachable("tls", "h:1", "self-signed"), "clickhouse_tls"),
    ],
)
def test_errors_have_a_cause_and_a_cure(error: Any, code: str) -> None:
    failure = clickhouse.explain(error, clickhouse.Server("http://h:1", "app", "secret"))
    assert failure.code == code
    assert failure.cure
    assert "secret" not in str(failure.as_result())
