# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose data a store holds, and which store it is, whatever its address."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import botocore.config
import botocore.session
import pytest
import redis

from tests.integration.modules.clickhouse_server import statement
from tests.integration.modules.existing.stores import OWN
from tests.integration.modules.postgresql_server import Server as Postgres

Result = dict[str, Any]
pytestmark = pytest.mark.engine


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
