"""When a migration runs, and what a half-migrated schema is called."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import (
    compose,
    containers,
    schema_state,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.migration import explain, reason
from ansible_collections.llmops.langfuse.plugins.module_utils.schema_state import SchemaState

WANTED = {"image": "langfuse:4.16.0", "stores": ["postgres:5432/langfuse", "clickhouse:8123/langfuse"]}
CLEAN = SchemaState(434, None, 46, None)


@pytest.mark.parametrize(
    ("record", "state", "why"),
    [
        (WANTED, CLEAN, ""),
        (None, CLEAN, "no migration is on record"),
        ({**WANTED, "image": "langfuse:4.15.0"}, CLEAN, "the image changed"),
        ({**WANTED, "stores": []}, CLEAN, "the stores changed"),
        (WANTED, SchemaState(None, None, 46, None), "PostgreSQL has no schema yet"),
        (WANTED, SchemaState(434, None, None, None), "ClickHouse has no schema yet"),
    ],
)
def test_reason(record: dict[str, Any] | None, state: SchemaState, why: str) -> None:
    assert reason(record, WANTED, state) == why


def test_a_clean_schema_is_not_dirty() -> None:
    assert schema_state.dirty(CLEAN) is None


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        (SchemaState(400, "20260101_x", 46, None), "dirty_schema_postgres", ("_prisma_migrations", "20260101_x")),
        (SchemaState(434, None, 39, 39), "dirty_schema_clickhouse", ("schema_migrations", "39", "force 38")),
    ],
)
def test_a_dirty_schema_is_named_with_table_and_version(state: SchemaState, code: str, words: tuple[str, ...]) -> None:
    failure = schema_state.dirty(state)
    assert failure and failure.code == code
    assert all(word in failure.as_result()["msg"] for word in words)


def test_the_last_lines_explain() -> None:
    assert explain("\n".join(f"line {number}" for number in range(20)))[-1] == "line 19"
    assert len(explain("x\n" * 20)) == 8


def test_a_container_is_read_from_inspect() -> None:
    details = {
        "Name": "/langfuse-postgres-1",
        "Image": "sha256:1",
        "Config": {"Labels": {containers.SERVICE: "postgres"}, "Image": "postgres:17.6"},
        "State": {"Status": "running", "Health": {"Status": "healthy"}},
        "NetworkSettings": {"Networks": {"langfuse_default": {"IPAddress": "172.18.0.2"}}},
    }
    container = compose.parse(details)
    assert (container.name, container.service, container.health) == ("langfuse-postgres-1", "postgres", "healthy")
    assert compose.address([container], "postgres") == "172.18.0.2"
    with pytest.raises(compose.Failure) as caught:
        compose.address([container], "clickhouse")
    assert caught.value.code == "container_missing"
