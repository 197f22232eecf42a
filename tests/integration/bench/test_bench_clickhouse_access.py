from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import pytest

from tests.integration.bench.clickhouse import Client, Refused, ready, start
from tests.integration.bench.containers import Bench

pytestmark = pytest.mark.engine


@pytest.fixture
def admin(bench: Bench) -> Client:
    server = start(bench)
    server("CREATE TABLE langfuse.t (a UInt32) ENGINE = MergeTree ORDER BY a")
    return server


def code(call: Client, sql: str) -> int:
    """0 when the statement is accepted."""
    try:
        call(sql)
    except Refused as refused:
        return refused.code
    return 0


def test_grants_are_enforced_and_kept(admin: Client) -> None:
    admin("CREATE USER app IDENTIFIED BY 'pw'")
    app = Client(admin.container, "app", "pw")
    assert code(app, "SELECT * FROM langfuse.t") == 497
    admin("GRANT SELECT, INSERT ON langfuse.* TO app")
    assert code(app, "INSERT INTO langfuse.t VALUES (1)") == 0
    assert code(app, "DROP TABLE langfuse.t") == 497
    assert app("SHOW GRANTS") == "GRANT SELECT, INSERT ON langfuse.* TO app"
    admin.container.kill_and_start()
    ready(admin.container)
    assert app("SELECT count() FROM langfuse.t") == "1"
    admin("REVOKE INSERT ON langfuse.* FROM app")
    assert code(app, "INSERT INTO langfuse.t VALUES (1)") == 497
    admin("DROP USER app")
    assert code(app, "SELECT 1") == 516


def test_users_are_made_once(admin: Client) -> None:
    admin("CREATE USER app IDENTIFIED BY 'one'")
    admin("GRANT SELECT ON langfuse.* TO app")
    assert code(admin, "CREATE USER app IDENTIFIED BY 'two'") == 493
    assert code(admin, "CREATE USER IF NOT EXISTS app IDENTIFIED BY 'two'") == 0
    assert code(Client(admin.container, "app", "one"), "SELECT * FROM langfuse.t") == 0
    admin("ALTER USER app IDENTIFIED BY 'three'")
    assert code(Client(admin.container, "app", "one"), "SELECT 1") == 516
    assert code(Client(admin.container, "app", "three"), "SELECT * FROM langfuse.t") == 0


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DROP USER nobody", 192),
        ("DROP USER IF EXISTS nobody", 0),
        ("DROP USER clickhouse", 495),
        ("GRANT SELECT ON langfuse.* TO nobody", 511),
        ("CREATE USER x IDENTIFIED BY", 62),
        ("GRANT NONSENSE ON langfuse.* TO clickhouse", 62),
    ],
)
def test_mistakes(admin: Client, sql: str, expected: int) -> None:
    assert code(admin, sql) == expected
    assert admin("SELECT 1") == "1"


def test_only_those_who_may_manage(admin: Client) -> None:
    admin("CREATE USER app IDENTIFIED BY 'pw'")
    admin("GRANT SELECT ON langfuse.* TO app")
    app = Client(admin.container, "app", "pw")
    for sql in ("CREATE USER other", "GRANT SELECT ON langfuse.* TO app", "DROP USER app", "CREATE ROLE r"):
        assert code(app, sql) == 497


def test_roles(admin: Client) -> None:
    for sql in (
        "CREATE USER app IDENTIFIED BY 'pw'",
        "CREATE ROLE w",
        "GRANT ALL ON langfuse.* TO w",
        "GRANT w TO app",
    ):
        admin(sql)
    app = Client(admin.container, "app", "pw")
    assert code(app, "INSERT INTO langfuse.t VALUES (1)") == 0
    admin("DROP ROLE w")
    assert code(app, "INSERT INTO langfuse.t VALUES (1)") == 497
    # A role of the same name is another one: nobody has it yet.
    admin("CREATE ROLE w")
    admin("GRANT ALL ON langfuse.* TO w")
    assert code(app, "INSERT INTO langfuse.t VALUES (1)") == 497


def test_a_change_waits_for_queries_and_breaks_none(admin: Client) -> None:
    failures: list[Exception] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                assert admin("SELECT sleepEachRow(0.05), 1 FROM numbers(2) LIMIT 1") == "0\t1"
            except Exception as error:
                failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    try:
        for number in range(5):
            admin(f"CREATE USER u{number} IDENTIFIED BY 'x'")
            # Only an engine that was really closed and opened again knows the user.
            assert Client(admin.container, f"u{number}", "x")("SELECT 1") == "1"
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert failures == []


def test_a_salted_hash(admin: Client) -> None:
    digest = hashlib.sha256(b"pwSALZ").hexdigest()
    admin(f"CREATE USER app IDENTIFIED WITH sha256_hash BY '{digest.upper()}' SALT 'SALZ'")
    assert code(Client(admin.container, "app", "pw"), "SELECT 1") == 0
    assert code(Client(admin.container, "app", "pwSALZ"), "SELECT 1") == 516
    admin("ALTER USER app IDENTIFIED BY 'other'")
    assert code(Client(admin.container, "app", "other"), "SELECT 1") == 0


def test_settings_of_a_user(admin: Client) -> None:
    admin("CREATE USER app IDENTIFIED BY 'pw' SETTINGS max_threads = 3, join_algorithm = 'hash'")
    app = Client(admin.container, "app", "pw")

    def value(name: str) -> str:
        return app(f"SELECT value FROM system.settings WHERE name = '{name}'")

    assert (value("max_threads"), value("join_algorithm")) == ("3", "hash")
    admin("ALTER USER app MODIFY SETTINGS max_threads = 4, max_execution_time = 60")
    assert (value("max_threads"), value("join_algorithm"), value("max_execution_time")) == ("4", "hash", "60")
    shown = json.loads(admin("SHOW CREATE USER app FORMAT JSONCompact"))["data"][0][0]
    assert shown.endswith("SETTINGS join_algorithm = 'hash', max_threads = 4, max_execution_time = 60.")
    admin("ALTER USER app DROP SETTINGS join_algorithm")
    admin.container.kill_and_start()
    ready(admin.container)
    assert (value("max_threads"), value("join_algorithm") == "hash") == ("4", False)
    admin("ALTER USER app SETTINGS max_execution_time = 5")
    assert (value("max_threads") == "4", value("max_execution_time")) == (False, "5")
    assert code(admin, "ALTER USER app MODIFY SETTINGS no_such_setting = 1") == 115
    assert code(app, "SHOW CREATE USER app") == 497
    assert code(admin, "SHOW CREATE USER nobody") == 192


def test_where_users_are_kept(admin: Client) -> None:
    admin("CREATE USER app IDENTIFIED BY 'pw'")
    rows = admin("SELECT name, storage FROM system.users WHERE name IN ('app', 'clickhouse') ORDER BY name")
    assert rows.splitlines() == ["app\tlocal_directory", "clickhouse\tusers_xml"]


def test_own_grants_with_those_of_roles(admin: Client) -> None:
    for sql in (
        "CREATE USER app IDENTIFIED BY 'pw'",
        "CREATE ROLE w",
        "GRANT INSERT ON langfuse.* TO w",
        "GRANT w TO app",
    ):
        admin(sql)
    app = Client(admin.container, "app", "pw")
    assert app("SHOW GRANTS") == "GRANT w TO app"
    assert app("SHOW GRANTS FINAL") == "GRANT INSERT ON langfuse.* TO app"
    assert json.loads(app("SHOW GRANTS FINAL", default_format="JSONCompact"))["data"] == [
        ["GRANT INSERT ON langfuse.* TO app"]
    ]
    assert "SHOW TABLES" in app("SHOW GRANTS WITH IMPLICIT FINAL")


def test_all_grants_replaced_by_one_statement(admin: Client) -> None:
    admin("CREATE USER app IDENTIFIED BY 'pw'")
    admin("GRANT TRUNCATE ON *.* TO app")
    admin("CREATE ROLE w")
    admin("GRANT w TO app")
    admin("GRANT SELECT ON langfuse.*, SELECT(name) ON system.tables TO app WITH REPLACE OPTION")
    assert admin("SHOW GRANTS FOR app").splitlines() == [
        "GRANT SELECT ON langfuse.* TO app",
        "GRANT SELECT(name) ON system.tables TO app",
        "GRANT w TO app",
    ]
    admin("REVOKE w FROM app")
    assert "GRANT w TO app" not in admin("SHOW GRANTS FOR app")


def test_a_node_knows_itself_in_a_cluster(bench: Bench, tmp_path: Path) -> None:
    cluster = tmp_path / "cluster.xml"
    replica = "<shard><replica><host>localhost</host><port>9000</port></replica></shard>"
    cluster.write_text(f"<clickhouse><remote_servers><one>{replica}</one></remote_servers></clickhouse>")
    cluster.chmod(0o644)
    tmp_path.chmod(0o755)
    server = start(bench, "-v", f"{cluster}:/etc/clickhouse-server/config.d/cluster.xml:ro")
    assert server("SELECT is_local FROM system.clusters") == "1"
    assert server("SELECT count() FROM clusterAllReplicas('one', system.one)") == "1"
    assert code(server, "CREATE DATABASE d ON CLUSTER one") == 392
