"""The instance behind the gateway, and away from it again."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import resolver

from tests.bench.cluster import gateway
from tests.molecule import playbook
from tests.molecule.kubernetes.instance import ClusterInstance, api, title
from tests.molecule.traces import Traces

OPENED = {"langfuse_expose": "httproute"}


@dataclass(frozen=True)
class Outside(ClusterInstance):
    """The same instance, as the world reaches it."""

    @property
    def url(self) -> str:
        return f"http://{self.name}.{gateway.DOMAIN}"


@pytest.fixture
def outside(cluster: ClusterInstance) -> Outside:
    return Outside(**{each.name: getattr(cluster, each.name) for each in fields(cluster)})


def _ways(cluster: ClusterInstance) -> set[str]:
    return {title(each) for each in cluster.objects() if each["kind"] in ("HTTPRoute", "ReferenceGrant")}


def test_a_trace_goes_through_the_route(cluster: ClusterInstance, outside: Outside) -> None:
    kept = cluster.versions().keys()
    opened = playbook.run(cluster, variables=OPENED)
    opened.mentions("HTTPRoute")
    name = cluster.name
    assert _ways(cluster) == {
        f"HTTPRoute {gateway.NAMESPACE}/{name}",
        f"ReferenceGrant {cluster.namespace}/{name}-network-access",
    }
    with resolver.known({f"{name}.{gateway.DOMAIN}": gateway.ADDRESS}):
        Traces(outside).arrives("outside")
    assert cluster.versions().keys() >= kept
    assert playbook.site(cluster, variables=OPENED).changed == 0


def test_switched_off_it_takes_only_its_own_objects(cluster: ClusterInstance) -> None:
    before, pods = cluster.versions().keys() - _ways(cluster), cluster.uids()
    ways: list[dict[str, Any]] = [each for each in cluster.objects() if title(each) in _ways(cluster)]
    playbook.site(cluster)
    assert not [each for each in ways if api().find(api().path_of(each))]
    assert cluster.versions().keys() == before
    # Browsers reach the object store elsewhere now, of which only web and worker are told.
    changed = {component for component, uids in cluster.uids().items() if uids != pods[component]}
    assert changed <= {"web", "worker"}
    Traces(cluster).arrives("inside")
