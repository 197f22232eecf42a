from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.bench.containers import Bench, Container, docker, wait_for

pytestmark = pytest.mark.engine

OPTIONS = ("--user=999:999", "--tmpfs=/var/run/postgresql:uid=999,gid=999")
ENVIRONMENT = ("-e", "POSTGRES_USER=langfuse", "-e", "POSTGRES_PASSWORD=p'w \\x", "-e", "POSTGRES_DB=lf-db")


def connect(container: Container, **changes: Any) -> psycopg.Connection:
    settings = {"host": container.ip, "user": "langfuse", "password": "p'w \\x", "dbname": "lf-db", **changes}
    return psycopg.connect(connect_timeout=20, autocommit=True, **settings)


@pytest.fixture(scope="module")
def server(bench: Bench) -> Container:
    container = bench.run(
        "postgres",
        *OPTIONS,
        *ENVIRONMENT,
        "-e",
        "POSTGRES_INITDB_ARGS=--data-checksums --encoding=UTF8",
        "-v",
        f"{bench.volume()}:/var/lib/postgresql/data",
    )
    wait_for(lambda: connect(container).close())
    return container


def test_user_is_superuser_of_its_database(server: Container) -> None:
    with connect(server) as connection:
        row = connection.execute(
            "SELECT current_database(), usesuper, current_setting('data_checksums'), current_setting('port')"
            " FROM pg_user WHERE usename = current_user"
        ).fetchone()
        roles = connection.execute("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_'").fetchall()
    assert row == ("lf-db", True, "on", "5432")
    assert roles == [("langfuse",)]


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"user": "postgres"}])
def test_wrong_credentials_are_refused(server: Container, changes: dict[str, str]) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(server, **changes)


def test_socket_needs_no_password(server: Container) -> None:
    assert server.execute("psql", "-U", "langfuse", "-d", "lf-db", "-Atc", "SELECT 1").strip() == "1"
    assert "accepting connections" in server.execute("pg_isready", "-U", "langfuse")


def test_passwords_are_stored_as_scram(server: Container) -> None:
    hba = server.execute("tail", "-n1", "/var/lib/postgresql/data/pg_hba.conf")
    assert hba.split() == ["host", "all", "all", "all", "scram-sha-256"]
    with connect(server) as connection:
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'langfuse'").fetchone()
    assert row is not None
    assert row[0].startswith("SCRAM-SHA-256$")


def test_the_server_is_the_first_process(server: Container) -> None:
    assert server.execute("cat", "/proc/1/comm").strip() == "postgres"
    assert server.execute("id", "-u").strip() == "999"


def test_rows_survive_a_kill(server: Container) -> None:
    with connect(server) as connection:
        connection.execute("CREATE TABLE kept (a int)")
        connection.execute("INSERT INTO kept VALUES (7)")
    server.kill_and_start()
    connection = wait_for(lambda: connect(server))
    assert connection.execute("SELECT a FROM kept").fetchone() == (7,)
    assert "Skipping initialization" in server.logs


def test_stop_is_fast_and_clean(server: Container) -> None:
    wait_for(lambda: connect(server).close())
    docker("stop", "-t", "20", server.name)
    assert server.state("ExitCode") == "0"


def test_no_password_is_refused(bench: Bench) -> None:
    container = bench.run("postgres", *OPTIONS)
    assert container.wait() == 1
    assert "POSTGRES_PASSWORD" in container.logs


def test_trust_needs_no_password(bench: Bench) -> None:
    container = bench.run("postgres", *OPTIONS, "-e", "POSTGRES_HOST_AUTH_METHOD=trust")
    with wait_for(lambda: connect(container, user="postgres", password="", dbname="postgres")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_initialisation_files_run_before_anyone_can_connect(bench: Bench, tmp_path: Path) -> None:
    scripts = tmp_path / "init"
    scripts.mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    until = "WHILE (pg_stat_file('/tmp/go', true)).size IS NULL LOOP PERFORM pg_sleep(0.1); END LOOP"
    (scripts / "10-table.sql").write_text(f"CREATE TABLE made (a int); DO $$ BEGIN {until}; END $$;")
    (scripts / "20-row.sh").write_text("run_sql -c 'INSERT INTO made VALUES (1)'\n")
    for path in scripts.iterdir():
        path.chmod(0o644)
    container = bench.run("postgres", *OPTIONS, *ENVIRONMENT, "-v", f"{scripts}:/docker-entrypoint-initdb.d:ro")

    def is_running_first() -> None:
        assert "running /docker-entrypoint-initdb.d/10-table.sql" in container.logs

    wait_for(is_running_first)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((container.ip, 5432), timeout=20)
    container.execute("touch", "/tmp/go")
    with wait_for(lambda: connect(container)) as connection:
        assert connection.execute("SELECT a FROM made").fetchone() == (1,)


def test_root_becomes_postgres(bench: Bench) -> None:
    container = bench.run("postgres", *ENVIRONMENT, hardened=False)
    wait_for(lambda: connect(container).close())
    assert container.execute("stat", "-c", "%u", "/proc/1").strip() == "999"


def test_flags_go_to_the_server(bench: Bench) -> None:
    container = bench.run("postgres", *OPTIONS, *ENVIRONMENT, command=("-c", "timezone=Europe/Berlin"))
    with wait_for(lambda: connect(container)) as connection:
        assert connection.execute("SHOW timezone").fetchone() == ("Europe/Berlin",)
