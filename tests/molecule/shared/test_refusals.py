"""What cannot work is said before anything is made in the stores, all of it at once; the next run repairs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.molecule import playbook, snapshot
from tests.molecule.instance import Instance
from tests.molecule.shared import shop
from tests.molecule.shared.refusal import refused, untouched


def test_a_check_of_a_fresh_host_is_a_plan(shared: Instance) -> None:
    before, stores = snapshot.host(shared), untouched()
    predicted = playbook.check(shared)
    assert "Write the Compose project" in predicted.changed_tasks
    snapshot.assert_same(before, snapshot.host(shared))
    assert untouched() == stores


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"langfuse_shared_project": "nobody"}, ["langfuse_shared_project: there is no Compose project nobody"]),
        ({"langfuse_shared_postgres_service": "mysql"}, ["has no service mysql", "pgsql"]),
        ({"langfuse_postgres_port": 5433}, ["pgsql:5433", "langfuse_postgres_port"]),
        (
            {
                "langfuse_postgres_admin_user": shop.DATABASE_USER,
                "langfuse_postgres_admin_password": "CanaryWrong1",
                "langfuse_redis_admin_password": "CanaryWrong2",
            },
            ["PostgreSQL on pgsql:5432 does not let sail in", "Redis at redis:6379 refuses the login of user default"],
        ),
        (
            {"langfuse_postgres_database": "shop", "langfuse_redis_host": "no-such-host"},
            ["shop", "Redis at no-such-host:6379 does not answer"],
        ),
        (
            {"langfuse_redis_admin_user": "shop", "langfuse_redis_admin_password": shop.REDIS_PASSWORD},
            ["User shop of Redis at redis:6379 may not"],
        ),
    ],
)
def test_what_cannot_work(shared: Instance, variables: dict[str, Any], said: list[str]) -> None:
    refused(shared, variables, *said)


def test_a_redis_that_evicts(shared: Instance) -> None:
    shop.redis("config", "set", "maxmemory-policy", "allkeys-lru")
    try:
        refused(shared, {}, "allkeys-lru", "noeviction")
    finally:
        shop.redis("config", "set", "maxmemory-policy", "noeviction")


def test_a_redis_that_forgets_its_users(shared: Instance) -> None:
    """Without a file for them the instance would stop working at the next restart of the stack."""
    shop.up({"command": ["valkey-server", "--requirepass", shop.REDIS_PASSWORD, "--maxmemory-policy", "noeviction"]})
    try:
        refused(shared, {}, "aclfile")
    finally:
        shop.up()


def test_a_database_of_somebody_else(shared: Instance) -> None:
    shop.sql("CREATE ROLE neighbour")
    shop.sql("CREATE DATABASE langfuse OWNER neighbour")
    try:
        refused(shared, {}, "neighbour")
    finally:
        shop.sql("DROP DATABASE langfuse")
        shop.sql("DROP ROLE neighbour")
