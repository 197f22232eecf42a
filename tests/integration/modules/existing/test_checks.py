# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""existing_stores on real engines: all checked before one is changed, in the words of the collection's variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration import certificates
from tests.integration.modules import conftest
from tests.integration.modules.clickhouse_server import ADMIN_PASSWORD as CLICKHOUSE_PASSWORD
from tests.integration.modules.clickhouse_server import statement
from tests.integration.modules.existing.stores import OWN, without_administrator
from tests.integration.modules.postgresql_server import SUPERUSER
from tests.integration.modules.postgresql_server import Server as Postgres
from tests.integration.modules.redis_servers import ADMIN as REDIS_ADMIN
from tests.integration.modules.redis_servers import Engine, Server, folder

Result = dict[str, Any]
pytestmark = pytest.mark.engine


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


def test_without_any_login_the_variable_to_give_is_named(run: Any, valkey: Any) -> None:
    refused = run("existing_stores", redis={"host": valkey().host, "prefix": "langfuse:"})
    assert (refused["code"], "The password is langfuse_redis_password." in refused["msg"]) == (
        "redis_wrong_password",
        True,
    )


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
