"""Another source under data is refused, and so are new keys for an old database."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.molecule import playbook, snapshot
from tests.molecule.instance import Instance, docker
from tests.molecule.shared import shop

SECOND = {"langfuse_instance": "second", "langfuse_web_port": 3431, "langfuse_s3_port": 9491}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"langfuse_postgres_source": "bundled"}, ["The data of postgres is at pgsql:5432/langfuse", "say bundled"]),
        ({"langfuse_redis_key_prefix": "other:"}, ["The data of redis is at redis:6379 shopfuse:"]),
        (
            {
                "langfuse_clickhouse_source": "existing",
                "langfuse_clickhouse_host": "ch",
                "langfuse_clickhouse_password": "x" * 12,
            },
            ["The data of clickhouse is at bundled", "langfuse_moved_stores: [clickhouse]"],
        ),
    ],
)
def test_another_place_of_a_store(shared: Instance, variables: dict[str, Any], said: list[str]) -> None:
    before = snapshot.host(shared)
    playbook.site(shared, variables=variables, fails=True).mentions(*said)
    snapshot.assert_same(before, snapshot.host(shared))


def test_a_second_instance_on_the_same_network(shared: Instance) -> None:
    """Whoever calls http://langfuse-web:3000 would reach one of two by chance."""
    refused = playbook.site(shared, variables=SECOND, fails=True)
    refused.mentions("the name langfuse-web is the container shopfuse-langfuse-web-1", "langfuse_compose_networks")


def test_new_keys_for_an_old_database(shared: Instance) -> None:
    """The host and its secrets are gone, the database of the stack is not."""
    kept = shared.secrets_file.read_text()
    aside = shared.home.with_name("aside")
    shared.secrets_file.unlink()
    shutil.move(shared.directory, aside)
    containers = {one.service: one.name for one in shared.containers() if one.service.startswith("langfuse-")}
    for name in containers.values():
        docker("network", "disconnect", shop.NETWORK, name)
    try:
        refused = playbook.site(shared, variables=SECOND, fails=True)
        refused.mentions("Database langfuse on pgsql holds a Langfuse instance", "langfuse_encryption_key")
    finally:
        for service, name in containers.items():
            docker("network", "connect", "--alias", service, shop.NETWORK, name)
        shutil.rmtree(shared.directory, ignore_errors=True)
        shutil.move(aside, shared.directory)
        shared.secrets_file.write_text(kept)
    assert shop.sql("SELECT count(*) FROM _prisma_migrations", "langfuse") != "0"
