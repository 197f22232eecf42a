# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""existing_stores on real engines: all checked before one is changed, in the words of the collection's variables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.modules import conftest
from tests.integration.modules.clickhouse_server import ADMIN as CLICKHOUSE_ADMIN
from tests.integration.modules.clickhouse_server import ADMIN_PASSWORD as CLICKHOUSE_PASSWORD
from tests.integration.modules.clickhouse_server import start as start_clickhouse
from tests.integration.modules.clickhouse_server import statement
from tests.integration.modules.postgresql_server import SUPERUSER
from tests.integration.modules.postgresql_server import Server as Postgres
from tests.integration.modules.redis_servers import ADMIN as REDIS_ADMIN
from tests.integration.modules.redis_servers import Engine, Server, folder
from tests.integration.modules.stack import wait

Result = dict[str, Any]
pytestmark = pytest.mark.engine
OWN = "canary-of-the-instance-1"


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(17, tmp_path_factory.mktemp("postgres"))
    yield server
    server.remove()


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield start_clickhouse("existing-clickhouse", tmp_path_factory.mktemp("clickhouse"))
    conftest.stop("existing-clickhouse")


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Any]:
    """Starts servers that keep their users in a file."""
    engine, servers = Engine("valkey"), []

    def start(*flags: str) -> Server:
        place = folder(tmp_path / f"data{len(servers)}", users_acl=f"user default on >{REDIS_ADMIN} ~* &* +@all\n")
        servers.append(Server(engine, "--aclfile", "/data/users.acl", *flags, mounts=(f"{place}:/data",)))
        servers[-1].client()
        return servers[-1]

    yield start
    for server in servers:
        server.remove()


@pytest.fixture
def names(request: pytest.FixtureRequest) -> str:
    """A name for role, database and user that no other test has."""
    return f"ex{abs(hash(request.node.name)) % 10**8}"


def options_of_redis(server: Server, **changes: Any) -> Result:
    return {
        "redis": {
            "host": server.host,
            "username": "langfuse",
            "prefix": "langfuse:",
            "admin_user": "default",
            **changes,
        },
        "redis_password": OWN,
        "redis_admin_password": REDIS_ADMIN,
    }


@pytest.fixture
def everything(postgres: Postgres, clickhouse: str, valkey: Any, store: Result, names: str) -> Iterator[Result]:
    yield {
        "postgres": {
            "host": "localhost",
            "port": postgres.port,
            "sslmode": "disable",
            "database": names,
            "user": names,
            "admin_user": SUPERUSER["login_user"],
        },
        "postgres_password": OWN,
        "postgres_admin_password": SUPERUSER["login_password"],
        "clickhouse": {
            "url": f"http://{clickhouse}",
            "database": names,
            "user": names,
            "admin_user": CLICKHOUSE_ADMIN,
        },
        "clickhouse_password": OWN,
        "clickhouse_admin_password": CLICKHOUSE_PASSWORD,
        **options_of_redis(valkey()),
        "s3": {"endpoint": store["endpoint_url"], "buckets": [f"{names}-events", f"{names}-media"]},
        "s3_access_key": store["access_key"],
        "s3_secret_key": store["secret_key"],
    }


def test_all_are_made_and_a_second_run_changes_nothing(run: Any, everything: Result) -> None:
    planned = run("existing_stores", check=True, diff=True, **everything)
    assert planned.get("changed"), planned.get("msg")
    assert {name for name, row in planned["stores"].items() if row["changed"]} == {
        "postgres",
        "clickhouse",
        "redis",
        "s3",
    }
    assert run("existing_stores", check=True, **everything)["changed"], "the check made something"
    made = run("existing_stores", diff=True, **everything)
    assert made["changed"], made
    again = run("existing_stores", diff=True, **everything)
    assert (again["changed"], again["diff"]) == (False, [])
    assert again["stores"]["postgres"]["version"].startswith("17.")
    assert {part["before_header"] for part in made["diff"]} == {"postgres", "clickhouse", "redis", "s3"}
    for secret in (OWN, REDIS_ADMIN, CLICKHOUSE_PASSWORD, SUPERUSER["login_password"]):
        assert secret not in str((planned, made, again))


def test_nothing_is_made_where_one_is_unfit(
    run: Any, everything: Result, postgres: Postgres, clickhouse: str, names: str
) -> None:
    wrong = {
        "postgres_admin_password": "canary-wrong-1",
        "redis_admin_password": "canary-wrong-2",
        "s3_secret_key": "canary-wrong-3",
    }
    result = run("existing_stores", **{**everything, **wrong})
    assert result["failed"], result
    for part in ("PostgreSQL on localhost", "Redis at", f"bucket {names}-events"):
        assert part in result["msg"]
    assert f"'{names}'" not in statement(clickhouse, "SELECT groupArray(name) FROM system.databases")
    assert not postgres.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{names}'")
    repaired = run("existing_stores", **everything)
    assert repaired.get("changed"), repaired.get("msg")


def test_users_of_somebody_else(run: Any, everything: Result, postgres: Postgres, clickhouse: str, names: str) -> None:
    """A user that is used elsewhere keeps its password."""
    postgres.sql(f"CREATE ROLE {names} LOGIN PASSWORD 'of-the-books'", f"CREATE DATABASE {names}_books OWNER {names}")
    for text in (f"CREATE USER {names} IDENTIFIED BY 'of-the-books'", f"GRANT SELECT ON books.* TO {names}"):
        statement(clickhouse, text)
    refused = run("existing_stores", **everything)
    assert refused["failed"], refused
    for text in (f"things of it are in {names}_books", "rights on books"):
        assert text in refused["msg"]
    assert postgres.answers(names, "of-the-books", f"{names}_books")
    assert f"'{names}'" not in statement(clickhouse, "SELECT groupArray(name) FROM system.databases")


def test_variables_are_named_and_not_options(run: Any, everything: Result, closed_port: str) -> None:
    host, port = closed_port.split(":")
    everything["postgres"].update(host=host, port=int(port))
    result = run("existing_stores", postgres=everything["postgres"], postgres_password=OWN)
    assert result["code"] == "database_unreachable"
    assert "langfuse_postgres_host and langfuse_postgres_port" in result["msg"]
    assert "login_" not in result["msg"]


def test_without_an_administrator_it_says_what_is_missing(run: Any, everything: Result, names: str) -> None:
    """And takes what somebody else has made."""
    only = {name: everything[name] for name in ("postgres", "postgres_password", "postgres_admin_password")}
    alone = {**only, "postgres": {**only["postgres"], "admin_user": None}, "postgres_admin_password": None}
    refused = run("existing_stores", **alone)
    assert (refused["failed"], refused["code"]) == (True, "database_password"), refused
    assert run("existing_stores", **only)["changed"]
    assert not run("existing_stores", **alone)["changed"]


def test_new_keys_for_an_old_database(run: Any, everything: Result, postgres: Postgres, names: str) -> None:
    only = {name: everything[name] for name in ("postgres", "postgres_password", "postgres_admin_password")}
    drawn = {"new_secrets": ["langfuse_salt"]}
    assert run("existing_stores", **only, **drawn)["changed"]
    with contextlib.closing(postgres.connect(names, OWN, names)) as connection:
        connection.execute("CREATE TABLE _prisma_migrations (id int)")
    refused = run("existing_stores", check=True, **only, **drawn)
    assert (refused["code"], "langfuse_salt" in refused["msg"]) == ("keys_lost", True)
    assert not run("existing_stores", **only)["changed"]


def until(ready: Any) -> None:
    wait(lambda: bool(ready()), 60)


def users(server: Server) -> list[str]:
    return list(server.client().acl_users())


def test_every_node_of_a_cluster_gets_the_user(run: Any, valkey: Any) -> None:
    nodes = [valkey("--cluster-enabled", "yes") for _ in range(2)]
    nodes[0].client().execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    given = options_of_redis(nodes[0], mode="cluster", host=None, nodes=[f"{node.host}:6379" for node in nodes])
    # The second one knows no slots, as one that was just added.
    nodes[1].client().execute_command("CLUSTER", "MEET", nodes[0].host, 6379)
    for node in nodes:
        until(lambda node=node: "cluster_state:ok" in str(node.client().execute_command("CLUSTER", "INFO")))
    assert run("existing_stores", check=True, **given)["changed"]
    made = run("existing_stores", **given)
    assert made.get("changed"), made.get("msg")
    assert all("langfuse" in users(node) for node in nodes)
    assert not run("existing_stores", **given)["changed"]
    assert "%R" not in str(given) and "~{langfuse:*" in str(nodes[0].client().acl_getuser("langfuse")["keys"])


def test_master_and_replica_behind_sentinels_get_the_user(run: Any, valkey: Any, tmp_path: Path) -> None:
    master = valkey("--masterauth", REDIS_ADMIN)
    replica = valkey("--masterauth", REDIS_ADMIN, "--replicaof", master.host, "6379")
    monitor = f"sentinel monitor mymaster {master.host} 6379 1\nsentinel auth-pass mymaster {REDIS_ADMIN}\n"
    place = folder(tmp_path / "sentinel", sentinel_conf=monitor)
    sentinel = Server(Engine("valkey"), "--sentinel", config="/data/sentinel.conf", mounts=(f"{place}:/data",))
    try:
        client = sentinel.client(port=26379)
        until(lambda: client.execute_command("SENTINEL", "REPLICAS", "mymaster"))
        given = options_of_redis(
            master, mode="sentinel", host=None, nodes=[f"{sentinel.host}:26379"], sentinel_master="mymaster"
        )
        given["redis_sentinel_password"] = REDIS_ADMIN
        assert run("existing_stores", **given)["changed"]
        assert "langfuse" in users(master) and "langfuse" in users(replica)
        assert not run("existing_stores", **given)["changed"]
        given["redis"]["sentinel_master"] = "other"
        refused = run("existing_stores", **given)
        assert (refused["code"], "langfuse_redis_sentinel_master" in refused["msg"]) == ("redis_no_master", True)
    finally:
        sentinel.remove()


def test_the_applications_own_key_is_tried(run: Any, store: Result, names: str) -> None:
    """The administrator makes the buckets, and a key that may not use them is refused."""
    given = {
        "s3": {"endpoint": store["endpoint_url"], "buckets": [f"{names}-events"]},
        "s3_access_key": "nobody",
        "s3_secret_key": OWN,
        "s3_admin_access_key": store["access_key"],
        "s3_admin_secret_key": store["secret_key"],
    }
    refused = run("existing_stores", **given)
    assert (refused["failed"], refused["code"]) == (True, "s3_wrong_keys"), refused
    assert urlsplit(store["endpoint_url"]).netloc in refused["msg"]
    own = {"s3_access_key": store["access_key"], "s3_secret_key": store["secret_key"]}
    assert not run("existing_stores", **{**given, **own})["changed"], "the buckets had been made"


def test_a_server_of_one_user_and_no_password_is_taken_as_it_is(run: Any) -> None:
    """As many stacks have it. Only the prefix keeps the instance from other keys, and that is said."""
    name = f"{conftest.PREFIX}-open"
    options = ("run", "-d", "--name", name, conftest.image("valkey/valkey"))
    conftest.docker(
        *options, "valkey-server", "--protected-mode", "no", "--appendonly", "yes", "--maxmemory-policy", "noeviction"
    )
    try:
        address = conftest.docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
        conftest.wait_for_port(f"{address}:6379")
        result = run("existing_stores", redis={"host": address, "prefix": "langfuse:"})
        assert result.get("changed") is False, result.get("msg")
        assert "keys of others" in " ".join(result["notices"])
    finally:
        conftest.docker("rm", "-f", "-v", name)
