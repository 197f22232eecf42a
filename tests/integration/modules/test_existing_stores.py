# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""existing_stores on real engines: all checked before one is changed, in the words of the collection's variables."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.config
import botocore.session
import pytest
import redis

from tests.integration import certificates
from tests.integration.modules import conftest
from tests.integration.modules.clickhouse_server import ADMIN as CLICKHOUSE_ADMIN
from tests.integration.modules.clickhouse_server import ADMIN_PASSWORD as CLICKHOUSE_PASSWORD
from tests.integration.modules.clickhouse_server import start as start_clickhouse
from tests.integration.modules.clickhouse_server import statement
from tests.integration.modules.postgresql_server import ADMIN, SUPERUSER
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
def only(postgres: Postgres, names: str) -> Result:
    """PostgreSQL with its administrator."""
    return {
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
    }


@pytest.fixture
def everything(only: Result, clickhouse: str, valkey: Any, store: Result, names: str) -> Iterator[Result]:
    yield {
        **only,
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
    for store in ("postgres", "redis"):
        assert f"The password is langfuse_{store}_admin_password." in result["msg"]
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


def test_variables_are_named_and_not_options(run: Any, only: Result, closed_port: str) -> None:
    host, port = closed_port.split(":")
    only["postgres"].update(host=host, port=int(port))
    result = run("existing_stores", postgres=only["postgres"], postgres_password=OWN)
    assert result["code"] == "database_unreachable"
    assert "langfuse_postgres_host and langfuse_postgres_port" in result["msg"]
    assert "login_" not in result["msg"]


def test_a_certificate_for_another_name(
    run: Any, everything: Result, postgres: Postgres, valkey: Any, tmp_path: Path
) -> None:
    """As where a stack with TLS is joined by the name of its service. The sentence says what to change."""
    theirs = tmp_path / "certificates"
    theirs.mkdir()
    certificates.write(theirs, "cache.test")
    folder(theirs)
    flags = "--port 0 --tls-port 6379 --tls-cert-file /tls/server.pem --tls-key-file /tls/server.key --tls-ca-cert-file /tls/ca.pem"
    mount = (f"{theirs}:/tls:ro",)
    server = Server(Engine("valkey"), *flags.split(), "--tls-auth-clients", "no", "--appendonly", "yes", mounts=mount)
    try:
        conftest.wait_for_port(f"{server.host}:6379")
        given: Result = {
            "postgres": {**everything["postgres"], "host": "pgsql", "sslmode": "verify-full"},
            **{name: everything[name] for name in ("postgres_password", "postgres_admin_password")},
            "redis": {"host": "redis", "prefix": "langfuse:", "tls": True},
            "redis_password": REDIS_ADMIN,
            "extra_hosts": {"pgsql": "127.0.0.1", "redis": server.host, "cache.test": server.host},
            "ca_certificates": Path(postgres.ca).read_text() + (theirs / "ca.pem").read_text(),
        }
        refused = run("existing_stores", **given)
        assert refused.get("code") == "database_tls", refused
        for store in ("postgres", "redis"):
            assert f"Write a name that the certificate has in langfuse_{store}_host" in refused["msg"]
        given["postgres"]["host"], given["redis"]["host"] = "localhost", "cache.test"
        made = run("existing_stores", **given)
        assert made.get("changed"), made.get("msg")
    finally:
        server.remove()


def test_without_an_administrator_it_says_what_is_missing(run: Any, only: Result, names: str) -> None:
    """And takes what somebody else has made."""
    alone = without_administrator(only)
    refused = run("existing_stores", **alone)
    assert (refused["failed"], refused["code"]) == (True, "database_password"), refused
    assert f"CREATE DATABASE {names} OWNER {names}" in refused["msg"] and OWN not in str(refused)
    assert run("existing_stores", **only)["changed"]
    assert not run("existing_stores", **alone)["changed"]


def used(everything: Result, postgres: Postgres, clickhouse: str, names: str) -> None:
    """As an instance leaves its stores: tables, queues, objects."""
    with contextlib.closing(postgres.connect(names, OWN, names)) as connection:
        connection.execute("CREATE TABLE _prisma_migrations (id int)")
    statement(clickhouse, f"CREATE TABLE {names}.schema_migrations (version Int64) ENGINE = MergeTree ORDER BY version")
    client = redis.Redis(everything["redis"]["host"], username="langfuse", password=OWN)
    client.hset("langfuse::event-propagation-queue:repeat", "a", "1")
    client.hset("langfuse::otel-ingestion-queue:meta", "version", "bullmq")
    store = botocore.session.get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=everything["s3"]["endpoint"],
        aws_access_key_id=everything["s3_access_key"],
        aws_secret_access_key=everything["s3_secret_key"],
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )
    store.put_object(Bucket=f"{names}-media", Key="one", Body=b"1")


def test_stores_with_the_data_of_another_instance(
    run: Any, everything: Result, postgres: Postgres, clickhouse: str, names: str
) -> None:
    """Empty ones are taken, used ones are not, all of them told at once, and nothing is made."""
    new = {"unclaimed": ["clickhouse", "postgres", "redis", "s3"]}
    assert run("existing_stores", **everything, **new)["changed"]
    assert not run("existing_stores", **everything, **new)["changed"]
    used(everything, postgres, clickhouse, names)
    refused = run("existing_stores", check=True, **everything, **new)
    assert refused.get("code") == "store_in_use", refused
    for said in (
        *(f"Database {names} on localhost", f"Database {names} of ClickHouse", "queues of Langfuse under langfuse:"),
        *(f"objects in {names}-media", "langfuse_moved_stores: [s3]", "Write another langfuse_redis_key_prefix"),
    ):
        assert said in refused["msg"]
    assert not run("existing_stores", **everything)["changed"]


def test_a_store_is_known_by_more_than_its_address(
    run: Any, everything: Result, postgres: Postgres, names: str, tmp_path: Path
) -> None:
    """A pooler, a sentinel or another node in front changes nothing; another store is refused before it is changed."""
    kept = {"directory": str(tmp_path), "places": {"postgres": f"pooler:6432/{names}"}}
    before = {store: f"old-{store}" for store in ("postgres", "clickhouse", "redis")}
    unknown = run("existing_stores", check=True, **everything, **kept, unclear=before)
    assert unknown.get("code") == "store_moved", unknown
    assert "The data of postgres is at old-postgres, and langfuse_postgres_source" in unknown["msg"]
    assert run("existing_stores", **everything, **kept)["changed"]
    again = run("existing_stores", **everything, **kept, unclear=before)
    assert again.get("changed") is False, again.get("msg")
    everything["postgres"].update(database=f"{names}b", user=f"{names}b")
    moved = run("existing_stores", **everything, **kept, unclear=before)
    assert (moved["code"], "old-redis" in moved["msg"]) == ("store_moved", False)
    assert not postgres.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{names}b'")


def without_administrator(only: Result) -> Result:
    """PostgreSQL as the instance's own role looks at it."""
    return {"postgres": {**only["postgres"], "admin_user": None}, "postgres_password": OWN}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("", ""),
        ("ALTER DATABASE {name} OWNER TO postgres; GRANT CREATE ON SCHEMA public TO {name}", ""),
        ("ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'", "ALTER DATABASE \"{name}\" SET timezone = 'UTC';"),
        (
            "ALTER ROLE {name} SET timezone = 'Asia/Tokyo'",
            'ALTER ROLE "{name}" IN DATABASE "{name}" SET timezone = \'UTC\';',
        ),
        ("ALTER DATABASE {name} OWNER TO postgres", 'GRANT USAGE, CREATE ON SCHEMA public TO "{name}";'),
        ("DROP SCHEMA public", 'CREATE SCHEMA public AUTHORIZATION "{name}";'),
    ],
)
def test_a_database_made_by_hand(run: Any, only: Result, postgres: Postgres, names: str, made: str, said: str) -> None:
    """As plain as somebody makes one. It is taken where Langfuse can run in it, else the statement is told that mends it."""
    postgres.sql(f"CREATE ROLE {names} LOGIN PASSWORD '{OWN}'")
    postgres.sql(f"CREATE DATABASE {names} OWNER {names} TEMPLATE template0")
    for statement_ in filter(None, made.format(name=names).split("; ")):
        postgres.sql(statement_, database=names)
    alone = without_administrator(only)
    if said:
        refused = run("existing_stores", **alone)
        assert (refused.get("code"), refused["statements"]) == ("database_incomplete", [said.format(name=names)])
        assert refused["statements"][0] in refused["msg"]
        postgres.sql(refused["statements"][0], database=names)
    taken = run("existing_stores", **alone)
    assert taken.get("changed") is False, taken.get("msg")
    assert "REVOKE CONNECT" in " ".join(taken["notices"])


def test_new_keys_for_a_database_that_cannot_be_looked_into(
    run: Any, only: Result, postgres: Postgres, names: str
) -> None:
    """Not knowing is no reason to draw new keys."""
    assert run("existing_stores", **only)["changed"]
    # May give the role another password, and may not connect to its database.
    postgres.sql(f"GRANT {names} TO {ADMIN['login_user']} WITH ADMIN OPTION, INHERIT FALSE, SET FALSE")
    other = {
        "postgres": {**only["postgres"], "admin_user": ADMIN["login_user"]},
        "postgres_password": f"{OWN}-new",
        "postgres_admin_password": ADMIN["login_password"],
    }
    refused = run("existing_stores", check=True, **other, new_secrets=["langfuse_salt"])
    assert (refused.get("code"), "langfuse_salt" in refused["msg"]) == ("keys_unknown", True), refused
    assert "User does not have CONNECT privilege" in refused["msg"]
    unclaimed = run("existing_stores", check=True, **other, unclaimed=["postgres"])
    assert unclaimed.get("code") == "database_unseen", unclaimed


def test_new_keys_for_an_old_database(run: Any, only: Result, postgres: Postgres, names: str) -> None:
    drawn = {"new_secrets": ["langfuse_salt"]}
    assert run("existing_stores", **only, **drawn)["changed"]
    with contextlib.closing(postgres.connect(names, OWN, names)) as connection:
        connection.execute("CREATE TABLE _prisma_migrations (id int)")
    refused = run("existing_stores", check=True, **only, **drawn)
    assert (refused["code"], "langfuse_salt" in refused["msg"]) == ("keys_lost", True)
    assert not run("existing_stores", **only)["changed"]


def test_without_any_login_the_variable_to_give_is_named(run: Any, valkey: Any) -> None:
    refused = run("existing_stores", redis={"host": valkey().host, "prefix": "langfuse:"})
    assert (refused["code"], "The password is langfuse_redis_password." in refused["msg"]) == (
        "redis_wrong_password",
        True,
    )


def until(ready: Any) -> None:
    wait(lambda: bool(ready()), 60)


def users(server: Server) -> list[str]:
    return list(server.client().acl_users())


def test_every_node_of_a_cluster_gets_the_user(run: Any, valkey: Any) -> None:
    """One is listed; a replica that is away blocks nothing, is named, and gets the user when it is back."""
    login = ("--masterauth", REDIS_ADMIN)
    nodes = [valkey("--cluster-enabled", "yes", "--cluster-config-file", "/data/nodes.conf", *login) for _ in range(3)]
    first, empty, replica = nodes
    first.client().execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    for node in (empty, replica):
        node.client().execute_command("CLUSTER", "MEET", first.host, 6379)
    for node in nodes:
        until(lambda node=node: "cluster_state:ok" in str(node.client().execute_command("CLUSTER", "INFO")))
        until(lambda node=node: "cluster_known_nodes:3" in str(node.client().execute_command("CLUSTER", "INFO")))
    replica.client().execute_command("CLUSTER", "REPLICATE", first.client().execute_command("CLUSTER", "MYID"))
    until(lambda: first.client().info("replication")["connected_slaves"] == 1)
    given = options_of_redis(first, mode="cluster", host=None, nodes=[f"{first.host}:6379"])
    assert run("existing_stores", check=True, **given)["changed"]
    conftest.docker("pause", replica.name)
    try:
        made = run("existing_stores", **given)
        assert made.get("changed"), made.get("msg")
        assert f"{replica.host}:6379 does not answer and lacks the user langfuse" in " ".join(made["notices"])
    finally:
        conftest.docker("unpause", replica.name)
    assert ["langfuse" in users(node) for node in nodes] == [True, True, False]
    mended = run("existing_stores", **given)
    assert mended.get("changed"), mended.get("msg")
    assert "does not answer" not in str(mended["notices"])
    assert all("langfuse" in users(node) for node in nodes)
    assert not run("existing_stores", **given)["changed"]
    assert "%R" not in str(given) and "~{langfuse:*" in str(first.client().acl_getuser("langfuse")["keys"])
    single = run("existing_stores", **options_of_redis(first))
    assert (single["code"], "langfuse_redis_mode: cluster" in single["msg"]) == ("redis_mode", True)


def test_a_single_server_is_no_cluster(run: Any, valkey: Any) -> None:
    server = valkey()
    refused = run(
        "existing_stores", **options_of_redis(server, mode="cluster", host=None, nodes=[f"{server.host}:6379"])
    )
    assert (refused["code"], "langfuse_redis_mode: single" in refused["msg"]) == ("redis_mode", True)
    assert users(server) == ["default"]


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
        inside = replica.client()
        # It listens elsewhere for a while: away at once.
        inside.config_set("port", 6390)
        made = run("existing_stores", **given)
        assert made.get("changed"), made.get("msg")
        assert "lacks the user langfuse" in " ".join(made["notices"])
        inside.config_set("port", 6379)
        assert run("existing_stores", **given)["changed"]
        assert "langfuse" in users(master) and "langfuse" in users(replica)
        assert not run("existing_stores", **given)["changed"]
        given["redis"]["sentinel_master"] = "other"
        refused = run("existing_stores", **given)
        assert (refused["code"], "langfuse_redis_sentinel_master" in refused["msg"]) == ("redis_no_master", True)
    finally:
        sentinel.remove()


@pytest.fixture
def own_key(run: Any, everything: Result, store: Result, names: str) -> Iterator[Result]:
    """Everything with an administrator of the object store, who made a key for the instance's buckets."""
    key = {"user_access_key": f"{names}key", "user_secret_key": OWN}
    user = {"name": names, "buckets": everything["s3"]["buckets"]}
    assert run("s3_user", **store, **key, **user)["changed"]
    yield {
        **everything,
        "s3_access_key": key["user_access_key"],
        "s3_secret_key": OWN,
        "s3_admin_access_key": store["access_key"],
        "s3_admin_secret_key": store["secret_key"],
    }
    run("s3_user", name=names, state="absent", **store)


def test_an_unfit_key_of_the_instance_stops_before_any_store_is_changed(
    run: Any, own_key: Result, postgres: Postgres, names: str
) -> None:
    """Not only the administrator's: it is tried before, whether the buckets are there or not."""
    for wrong, code in (({"s3_access_key": "nobody"}, "s3_wrong_keys"), ({"s3": "others"}, "s3_denied")):
        if "s3" in wrong:
            wrong = {"s3": {**own_key["s3"], "buckets": [f"{names}-others"]}}
        for check in (True, False):
            refused = run("existing_stores", check=check, **{**own_key, **wrong})
            assert (refused.get("code"), "With langfuse_s3_access_key" in refused["msg"]) == (code, True), refused
    assert not postgres.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{names}'")
    assert "default" in users_of(own_key) and "langfuse" not in users_of(own_key)
    assert run("existing_stores", check=True, **own_key)["changed"]
    assert run("existing_stores", **own_key)["changed"]
    assert not run("existing_stores", **own_key)["changed"]


def test_a_policy_that_was_cut_down_is_seen(
    run: Any, own_key: Result, store: Result, names: str, sent: list[str]
) -> None:
    """A run proves by writing, though nothing is to be changed; a check writes nothing and sees what reading shows."""
    assert run("existing_stores", **own_key)["changed"]
    iam = botocore.session.get_session().create_client(
        "iam",
        region_name="us-east-1",
        endpoint_url=store["endpoint_url"],
        aws_access_key_id=store["access_key"],
        aws_secret_access_key=store["secret_key"],
    )

    def may(*actions: str) -> None:
        resources = [f"arn:aws:s3:::{names}-*", f"arn:aws:s3:::{names}-*/*"]
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": resources}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        (policy,) = iam.list_user_policies(UserName=names)["PolicyNames"]
        iam.put_user_policy(UserName=names, PolicyName=policy, PolicyDocument=document)

    may("s3:ListBucket", "s3:GetObject")
    sent.clear()
    assert not run("existing_stores", check=True, **own_key)["changed"]
    assert sent and not [request for request in sent if not request.startswith("GET")]
    refused = run("existing_stores", **own_key)
    assert (refused.get("code"), "at write" in refused["msg"]) == ("s3_denied", True), refused
    may("s3:PutObject")
    refused = run("existing_stores", check=True, **own_key)
    assert (refused.get("code"), f"bucket {names}-media" in refused["msg"]) == ("s3_denied", True), refused


def users_of(given: Result) -> list[str]:
    client = redis.Redis(given["redis"]["host"], username="default", password=REDIS_ADMIN, decode_responses=True)
    return list(client.acl_users())


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
