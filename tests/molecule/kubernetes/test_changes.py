"""A changed secret rolls who reads it and nobody else, and what is switched off goes, data and keys never."""

from __future__ import annotations

import pytest

from tests.molecule import playbook
from tests.molecule.kubernetes import platform
from tests.molecule.kubernetes.instance import ClusterInstance
from tests.molecule.load import Load
from tests.molecule.traces import Bucket, Traces, replay

# What an autoscaler brings for a workload.
_SCALED = ("HorizontalPodAutoscaler", "PodDisruptionBudget")
READERS = [
    ("langfuse_nextauth_secret", {"web"}),
    ("langfuse_redis_password", {"valkey", "web", "worker"}),
    ("langfuse_clickhouse_password", {"clickhouse", "web", "worker"}),
]


@pytest.mark.parametrize(("name", "readers"), READERS, ids=[name for name, _readers in READERS])
def test_changed_secret_rolls_its_readers(cluster: ClusterInstance, name: str, readers: set[str]) -> None:
    old = Traces(cluster).arrives(f"before-{name}")
    pods, claims = cluster.uids(), cluster.claims()
    cluster.change_given(name, f"changed-{cluster.secrets()[name]}")

    with Load(cluster) as load:
        playbook.site(cluster)

    print(load.summary())
    after = cluster.uids()
    assert {component for component in pods if pods[component] != after.get(component)} == readers
    assert cluster.claims() == claims
    # Workers with the old password give up jobs after a while; their events wait in the bucket.
    if name == "langfuse_clickhouse_password" and (lost := load.lost()):
        print(f"{len(lost)} brought back")
        replay(cluster, Bucket(cluster).keys_of(lost).values())
    assert load.lost() == set()
    traces = Traces(cluster)
    traces.arrives(f"after-{name}")
    assert old in traces.readable(f"before-{name}")


def test_what_is_switched_off_goes_and_nothing_else(cluster: ClusterInstance) -> None:
    name, home = cluster.name, cluster.namespace
    before, kept = set(cluster.versions()), cluster.kept()
    policies = {each for each in before if each.startswith("NetworkPolicy ")}
    assert policies
    other = {
        "langfuse_expose": "httproute",
        "langfuse_web_replicas": 2,
        "langfuse_autoscaling": "hpa",
        "network_policies_enabled": False,
    }

    platform.close_migration()
    switched = playbook.site(cluster, "--diff", variables=other)

    more = {
        f"HTTPRoute network/{name}",
        f"ReferenceGrant {home}/{name}-network-access",
        *(f"{kind} {home}/{name}-{each}" for kind in _SCALED for each in ("web", "worker")),
    }
    assert set(cluster.versions()) == before - policies | more
    switched.mentions(*(f"{_said(each)} +++ after: (removed)" for each in policies))
    assert cluster.kept() == kept
    Traces(cluster).arrives("switched")

    playbook.check(cluster).mentions(*(f"{_said(each)} +++ after: (removed)" for each in more))
    assert set(cluster.versions()) == before - policies | more
    platform.open_migration()
    playbook.site(cluster)

    assert set(cluster.versions()) == before
    assert cluster.kept() == kept
    assert cluster.deployment("web")["spec"]["replicas"] == 1
    assert playbook.check(cluster).changed == 0


def _said(title: str) -> str:
    """As the diff has `Kind namespace/name`."""
    kind, _space, rest = title.partition(" ")
    namespace, _slash, name = rest.partition("/")
    return f"--- before: {kind} {name} in {namespace}"


def test_disabled_keeps_the_data(cluster: ClusterInstance) -> None:
    traces = Traces(cluster)
    old = traces.arrives("before-disabled")
    kept, off = cluster.kept(), {"langfuse_enabled": False}
    pods = cluster.uids()

    assert playbook.check(cluster, off).changed == 1
    assert cluster.uids() == pods, "the check took pods away"
    playbook.site(cluster, variables=off)
    assert cluster.pods() == []
    assert cluster.kept() == kept
    assert playbook.site(cluster, variables=off).changed == 0

    playbook.site(cluster)
    assert old in traces.readable("before-disabled")
    assert cluster.kept() == kept
