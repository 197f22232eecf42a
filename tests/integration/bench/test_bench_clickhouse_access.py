from __future__ import annotations

import threading

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
