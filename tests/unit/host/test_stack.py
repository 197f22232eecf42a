"""What is found in a Compose project that an instance joins, by images or by names of services."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import compose, stack


def container(service: str, image: str, state: str = "running", **networks: dict[str, Any]) -> compose.Container:
    return compose.parse(
        {
            "Name": f"/shop-{service}-1",
            "Config": {"Labels": {"com.docker.compose.service": service}, "Image": image},
            "Image": "sha256:1",
            "State": {"Status": state, "ExitCode": 0},
            "NetworkSettings": {"Networks": networks or {"shop_default": {"Aliases": [service]}}},
        }
    )


SHOP = [
    container("app", "shop:1"),
    container("db", "postgres:17"),
    container("cache", "valkey/valkey:8"),
    container("events", "clickhouse/clickhouse-server:25.8", analytics={"Aliases": ["events"]}),
    container("files", "minio/minio"),
]


@pytest.mark.parametrize(
    ("store", "service", "port", "network"),
    [
        ("postgres", "db", 5432, "shop_default"),
        ("redis", "cache", 6379, "shop_default"),
        ("clickhouse", "events", 8123, "analytics"),
        ("s3", "files", 9000, "shop_default"),
    ],
)
def test_each_store_is_found_by_its_image(store: str, service: str, port: int, network: str) -> None:
    found = stack.describe("shop", SHOP, {})
    one = found["stores"][store]
    assert (one["service"], one["host"], one["port"], one["network"]) == (service, service, port, network)
    assert found["ambiguous"] == {}


def test_of_several_none_is_taken_unless_it_is_named() -> None:
    more = [*SHOP, container("events2", "clickhouse/clickhouse-server:25.8")]
    found = stack.describe("shop", more, {})
    assert found["ambiguous"] == {"clickhouse": ["events", "events2"]} and "clickhouse" not in found["stores"]
    assert stack.describe("shop", more, {"clickhouse": "events2"})["stores"]["clickhouse"]["service"] == "events2"


def test_a_service_that_is_not_there_is_named_with_its_variable() -> None:
    (problem,) = stack.missing("shop", SHOP, {"clickhouse": "ch"})
    assert problem["variable"] == "langfuse_shared_clickhouse_service"
    assert "no service ch" in problem["wrong"] and "events" in problem["cure"]


def test_one_name_in_two_directories_is_told() -> None:
    """Several containers of one service are no matter; two projects of one name are."""
    found = [container("db", "postgres:17") for _ in range(3)]
    for one, directory in zip(found, ("/srv/a/shop", "/srv/a/shop", "/srv/b/shop"), strict=True):
        one.details["Config"]["Labels"]["com.docker.compose.project.working_dir"] = directory
    assert stack.missing("shop", found[:2], {}) == []
    (problem,) = stack.missing("shop", found, {})
    assert problem["variable"] == "langfuse_shared_project"
    assert "with db in /srv/a/shop and in /srv/b/shop" in problem["wrong"] and problem["cure"]
