"""Ports of pods behind the Services that policies open."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import ApiError
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.pod_ports import Closed, closed

from .support import made

HOST = "keycloak.identity.svc.cluster.local"


def _service(*ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return made("Service", "keycloak", "identity", spec={"selector": {"app": "keycloak"}, "ports": ports, **spec})


def _pod(**ports: int) -> dict[str, Any]:
    listens = [{"name": name, "containerPort": number} for name, number in ports.items()]
    return made("Pod", "keycloak-0", "identity", spec={"containers": [{"ports": listens}]}, status={"phase": "Running"})


class Cluster:
    """Has this Service and one pod, or refuses."""

    def __init__(self, service: dict[str, Any] | None, code: int = 0) -> None:
        self.service, self.code = service, code

    def get(self, kind: Any, namespace: str, name: str) -> dict[str, Any] | None:
        assert (kind.name, namespace, name) == ("Service", "identity", "keycloak")
        if self.code:
            raise ApiError({"code": self.code, "reason": "x", "message": "no"})
        return self.service

    def list(self, kind: Any, namespace: str, selector: str) -> list[dict[str, Any]]:
        assert (kind.name, namespace, selector) == ("Pod", "identity", "app=keycloak")
        return [_pod(http=8080)]


def _closed(cluster: Any, *ports: int) -> list[Closed]:
    return closed(cluster, [{"host": HOST, "name": "keycloak", "namespace": "identity", "ports": list(ports or (80,))}])


@pytest.mark.parametrize(
    ("service", "ports", "expected"),
    [
        (_service({"port": 80, "targetPort": 8080}), (80,), [(80, 8080)]),
        (_service({"port": 80, "targetPort": "http"}), (80,), [(80, 8080)]),
        # Opened by hand already.
        (_service({"port": 80, "targetPort": 8080}), (80, 8080), []),
        (_service({"port": 80, "targetPort": "nothing"}), (80,), []),
        (_service({"port": 80, "targetPort": 80}), (80,), []),
        (_service({"port": 80}), (80,), []),
        # Nobody uses that one.
        (_service({"port": 80}, {"port": 9000, "targetPort": 9999}), (80,), []),
        (_service({"port": 80, "targetPort": 8080}, clusterIP="None"), (80,), []),
        (_service({"port": 80, "targetPort": 8080}, selector=None), (80,), []),
        (_service({"port": 80, "targetPort": 8080}, type="ExternalName", externalName="x"), (80,), []),
        (None, (80,), []),
    ],
)
def test_a_port_of_pods_that_is_not_open_is_told(service: Any, ports: tuple[int, ...], expected: list[Any]) -> None:
    assert _closed(Cluster(service), *ports) == [Closed(HOST, *one) for one in expected]


def test_what_may_not_be_looked_at_is_left_out() -> None:
    assert _closed(Cluster(None, 403)) == []
    with pytest.raises(Failure):
        _closed(Cluster(None, 500))
