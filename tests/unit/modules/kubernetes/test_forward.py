"""Which names are Services, which pod is behind one, and where it is listened. Connections are an integration test."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.forward import (
    _bind,
    pod_behind,
    service_of,
)

from .support import condition


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("langfuse-web.ai-system.svc.cluster.local", ("langfuse-web", "ai-system")),
        ("langfuse-web.ai-system.svc.other.example", None),
        ("a.langfuse-clickhouse.ai-system.svc.cluster.local", None),
        ("langfuse-web", None),
        ("db.example.com", None),
        ("svc.cluster.local", None),
        # As pods may write it.
        ("dragonfly.cache.svc", ("dragonfly", "cache")),
        ("langfuse-web.cluster.local", None),
    ],
)
def test_names_of_services(name: str, place: tuple[str, str] | None) -> None:
    assert service_of(name, "cluster.local") == place


def test_a_name_without_a_namespace_is_one_of_the_instance() -> None:
    assert service_of("postgres", "cluster.local", "ai-system") == ("postgres", "ai-system")
    assert service_of("db.example", "cluster.local", "ai-system") is None


def _pod(name: str, ready: bool = True, phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    ports = [{"name": "metrics", "containerPort": 9090}, {"name": "http", "containerPort": 3000}]
    status = {"phase": phase, "conditions": [condition("Ready", str(ready))]}
    return {"metadata": {"name": name, **metadata}, "spec": {"containers": [{"ports": ports}]}, "status": status}


WEB = {"port": 80, "targetPort": "http"}


@pytest.mark.parametrize(
    ("pods", "port", "found"),
    [
        ([_pod("a")], WEB, ("a", 3000)),
        ([_pod("a")], {"port": 80, "targetPort": 8080}, ("a", 8080)),
        ([_pod("a")], {"port": 80}, ("a", 80)),
        ([_pod("a", ready=False), _pod("b")], WEB, ("b", 3000)),
        # It may answer although it is not ready, which is for whoever asks to see.
        ([_pod("a", ready=False)], WEB, ("a", 3000)),
        ([_pod("a", phase="Succeeded"), _pod("b", deletionTimestamp="2026")], WEB, None),
        ([_pod("a")], {"port": 80, "targetPort": "https"}, None),
        ([], WEB, None),
    ],
)
def test_the_pod_behind_a_port(pods: list[dict[str, Any]], port: dict[str, Any], found: tuple[str, int] | None) -> None:
    assert pod_behind(pods, port) == found


def test_each_service_has_its_own_address_with_its_own_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    first, listeners = _bind([port])
    second, others = _bind([port])
    assert first != second and first.startswith("127.")
    assert [one.getsockname() for one in (*listeners, *others)] == [(first, port), (second, port)]
    for one in (*listeners, *others):
        one.close()
