"""The instance behind the gateway, and away from it again."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, fields

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import resolver

from tests.bench.cluster import gateway
from tests.bench.cluster.api import Object
from tests.molecule import playbook
from tests.molecule.kubernetes.instance import ClusterInstance, title
from tests.molecule.traces import Traces
from tests.waiting import wait_until


@dataclass(frozen=True)
class Outside(ClusterInstance):
    """The same instance, as the world reaches it."""

    @property
    def url(self) -> str:
        return f"http://{self.name}.{gateway.DOMAIN}"


@pytest.fixture
def outside(cluster: ClusterInstance) -> Outside:
    return Outside(**{each.name: getattr(cluster, each.name) for each in fields(cluster)})


def _ways(cluster: ClusterInstance) -> dict[str, Object]:
    return {title(each): each for each in cluster.objects() if each["kind"] in ("HTTPRoute", "ReferenceGrant")}


def _known(cluster: ClusterInstance) -> AbstractContextManager[None]:
    """Within it the name of the instance is at the gateway."""
    return resolver.known({f"{cluster.name}.{gateway.DOMAIN}": gateway.ADDRESS})


def test_a_trace_goes_through_the_route(cluster: ClusterInstance, outside: Outside) -> None:
    kept, name = cluster.versions().keys(), cluster.name
    # No DNS has the name. The walk at the end uploads media through the gateway.
    given = {"langfuse_expose": "httproute", "langfuse_extra_hosts": {f"{name}.{gateway.DOMAIN}": gateway.ADDRESS}}
    playbook.run(cluster, variables=given)
    assert _ways(cluster).keys() == {
        f"HTTPRoute {gateway.NAMESPACE}/{name}",
        f"ReferenceGrant {cluster.namespace}/{name}-network-access",
    }
    with _known(cluster):
        Traces(outside).arrives("outside")
    assert cluster.versions().keys() >= kept
    assert playbook.site(cluster, variables=given).changed == 0


def test_switched_off_it_takes_only_its_own_objects(cluster: ClusterInstance, outside: Outside) -> None:
    before, ways, pods = cluster.versions().keys(), _ways(cluster), cluster.uids()
    assert ways, "the test before opens the way"
    playbook.site(cluster)
    assert cluster.versions().keys() == before - ways.keys()
    # Browsers reach the object store elsewhere now, of which only web and worker are told.
    changed = {component for component, uids in cluster.uids().items() if uids != pods[component]}
    assert changed <= {"web", "worker"}
    with _known(cluster):
        wait_until("nobody at the gateway", lambda: Traces(outside).send("outside")[1] == 404, 60)
    Traces(cluster).arrives("inside")
