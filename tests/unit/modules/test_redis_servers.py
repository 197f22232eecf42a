"""The nodes of a cluster, from what one of them answers (Valkey 8.1, and as the manual of Redis 7 has it)."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.redis_servers import Server, nodes_of


def _node(**changes: str) -> list[str]:
    values = {
        "id": "c0",
        "port": "6379",
        "ip": "10.0.0.2",
        "endpoint": "10.0.0.2",
        "role": "master",
        "health": "online",
    }
    return [text for pair in {**values, **changes}.items() for text in pair]


@pytest.mark.parametrize(
    ("node", "tls", "server"),
    [
        (_node(), False, Server("10.0.0.2", 6379)),
        (_node(role="replica"), False, Server("10.0.0.2", 6379, needed=False)),
        (_node(health="failed"), False, Server("10.0.0.2", 6379, needed=False)),
        (_node(health="fail"), False, Server("10.0.0.2", 6379, needed=False)),
        (_node(endpoint="redis-1.example.com"), False, Server("redis-1.example.com", 6379)),
        (_node(endpoint="?"), False, Server("10.0.0.2", 6379)),
        (_node(endpoint="", ip=""), False, Server("asked", 6379)),
        (_node(**{"tls-port": "6380"}), True, Server("10.0.0.2", 6380)),
        (_node(**{"tls-port": "6380"}), False, Server("10.0.0.2", 6379)),
    ],
)
def test_nodes(node: list[str], tls: bool, server: Server) -> None:
    shards: list[Any] = [["slots", [0, 16383], "nodes", [node]]]
    assert nodes_of(shards, "asked", tls) == [server]


def test_a_master_comes_first() -> None:
    shards = [
        ["slots", [0, 99], "nodes", [_node(health="fail"), _node(role="replica"), _node(endpoint="10.0.0.3")]],
        ["slots", [], "nodes", [_node(endpoint="10.0.0.4")]],
    ]
    assert [one.host for one in nodes_of(shards, "asked", False)] == [
        "10.0.0.3",
        "10.0.0.4",
        "10.0.0.2",
        "10.0.0.2",
    ]
