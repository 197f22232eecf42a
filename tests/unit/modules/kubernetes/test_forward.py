"""Which names are Services, which pod is behind one, and where it is listened. Connections are an integration test."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import resolver
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import ApiError
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.forward import (
    Forwards,
    _bind,
    pod_behind,
    service_of,
)

from .support import condition


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("langfuse-web.ai-system.svc.cluster.local", ("langfuse-web", "ai-system", "")),
        ("langfuse-web.ai-system.svc.other.example", None),
        ("redis-0.redis-headless.cache.svc.cluster.local", ("redis-headless", "cache", "redis-0")),
        ("b.redis-0.redis-headless.cache.svc.cluster.local", None),
        ("langfuse-web", None),
        ("db.example.com", None),
        ("svc.cluster.local", None),
        # As pods may write it.
        ("dragonfly.cache.svc", ("dragonfly", "cache", "")),
        ("redis-0.redis-headless.cache.svc", ("redis-headless", "cache", "redis-0")),
        ("langfuse-web.cluster.local", None),
    ],
)
def test_names_of_services(name: str, place: tuple[str, str, str] | None) -> None:
    assert service_of(name, "cluster.local") == place


def test_a_name_without_a_namespace_is_one_of_the_instance() -> None:
    assert service_of("postgres", "cluster.local", "ai-system") == ("postgres", "ai-system", "")
    for name in ("db.example", "localhost", "", "fd00::1", "2130706433", "10.42.0.7"):
        assert service_of(name, "cluster.local", "ai-system") is None


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


class Redis:
    """A cluster with sentinels and servers in pods, as the chart of Bitnami has them. A connection is told who answers."""

    hosts = ("api.example", "kubernetes.default.svc")

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.closed = False
        self.pods = [self.pod(number) for number in (0, 1)]
        self.forwards = Forwards(self, "cluster.local", "ai-system")  # type: ignore[arg-type]

    @staticmethod
    def pod(number: int) -> dict[str, Any]:
        found = _pod(f"redis-node-{number}", namespace="cache", labels={"app": "redis"})
        found["spec"] = {"containers": [{"ports": [{"name": "redis", "containerPort": 16379}]}]}
        found["status"]["podIPs"] = [{"ip": f"10.42.0.{number}"}, {"ip": f"fd42::{number}"}]
        return found

    def get(self, kind: Any, namespace: str, name: str) -> dict[str, Any] | None:
        # The client of the API server, while it asks: nothing waits for itself.
        assert self.forwards.get("keycloak.identity.svc") is None
        self.asked.append((namespace, name))
        if namespace != "cache" or name not in ("redis", "redis-headless"):
            return None
        ports = [{"port": 16379, "targetPort": "redis"}, {"port": 26379}, {"port": 53, "protocol": "UDP"}]
        metadata = {"name": name, "namespace": namespace}
        return {"metadata": metadata, "spec": {"selector": {"app": "redis"}, "ports": ports}}

    def list(self, kind: Any, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        if self.closed:
            raise ApiError({"code": 403})
        return self.pods if namespace == "cache" and selector in ("", "app=redis") else []

    def dial(self, namespace: str, pod: str, port: int) -> socket.socket:
        near, far = socket.socketpair()
        far.sendall(f"{namespace}/{pod}:{port}".encode())
        threading.Timer(0.0, far.close).start()
        return near

    def answers(self, host: str, port: int) -> str:
        with (
            resolver.known({}, lambda: self.forwards, self.forwards.claims),
            socket.create_connection((host, port), 5) as connection,
        ):
            return connection.makefile().read()


@pytest.fixture
def redis() -> Any:
    found = Redis()
    yield found
    found.forwards.close()


@pytest.mark.parametrize(
    ("host", "pod"),
    [
        ("redis-node-1.redis-headless.cache.svc.cluster.local", "redis-node-1"),
        ("10-42-0-1.redis-headless.cache.svc", "redis-node-1"),
        ("10.42.0.1", "redis-node-1"),
        ("fd42::0", "redis-node-0"),
    ],
)
def test_servers_that_a_store_names_are_reached_as_their_pods(redis: Redis, host: str, pod: str) -> None:
    """Sentinels and nodes of a cluster name pods, by names before their Service's or by addresses (facts 8)."""
    assert redis.answers("redis.cache.svc.cluster.local", 26379).endswith(":26379")
    for port in (16379, 26379):
        assert redis.answers(host, port) == f"cache/{pod}:{port}"


def test_an_address_is_a_pods_only_where_a_name_led_to_its_namespace(redis: Redis) -> None:
    assert redis.forwards.get("10.42.0.1") is None
    redis.forwards.get("redis.cache.svc")
    assert redis.forwards.get("10.42.0.9") is None
    redis.pods[0]["spec"]["hostNetwork"] = True
    assert redis.forwards.get("10.42.0.0") is None
    assert str(redis.forwards.get("10.42.0.1")).startswith("127.")


def test_a_pod_that_comes_back_is_found(redis: Redis) -> None:
    host, gone = "redis-node-1.redis-headless.cache.svc", redis.pods.pop()
    assert redis.forwards.get(host) is None
    redis.pods.append(gone)
    assert redis.answers(host, 16379) == "cache/redis-node-1:16379"


def test_pods_that_may_not_be_listed_are_not_known(redis: Redis) -> None:
    redis.closed = True
    redis.forwards.get("redis.cache.svc")
    assert redis.forwards.get("redis-node-1.redis-headless.cache.svc") is None
    assert redis.forwards.get("10.42.0.1") is None


def test_the_way_to_the_api_server_is_not_through_it(redis: Redis) -> None:
    assert redis.forwards.claims("kubernetes.default.svc")
    assert redis.forwards.get("kubernetes.default.svc") is None and not redis.asked
