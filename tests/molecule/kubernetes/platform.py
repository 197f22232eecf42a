"""What an instance finds: a cluster with a gateway and CloudNativePG, and the images of the bench on its node.

`python -m tests.molecule.kubernetes.platform up | open | down`. A cluster that was up before stays up. Another scenario's instance
is given to the same functions.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.bench import catalogue
from tests.bench.cluster import cluster as whole
from tests.bench.cluster import control_plane, runtime
from tests.bench.cluster.api import Object
from tests.bench.lock import only_one
from tests.molecule import canary
from tests.molecule.instance import EPHEMERAL, docker
from tests.molecule.kubernetes.instance import CLUSTER, LAYOUT, ClusterInstance, api
from tests.waiting import wait_until

ADDITIONS = ("gateway", "cnpg")
STARTED = EPHEMERAL / "cluster-started"


def up(cluster: ClusterInstance = CLUSTER, additions: Sequence[str] = ADDITIONS) -> None:
    """The cluster, and secrets of the instance that can be recognised wherever they show."""
    EPHEMERAL.mkdir(mode=0o700, parents=True, exist_ok=True)
    with only_one(LAYOUT.paths):
        if not control_plane.is_up(LAYOUT):
            STARTED.touch()
        client = whole.up(LAYOUT, {})
        for name in additions:
            whole.ADDITIONS[name](LAYOUT, client, {})
        for reference in _images():
            runtime.add_from_docker(LAYOUT, reference, {})
    canary.CLUSTERS.plant(cluster)


def _images() -> list[str]:
    """References of what the bench has built for the collection's own variables."""
    repositories = [image.reference("").removesuffix(":") for image in catalogue.wanted_images()]
    found = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    return [reference for reference in found if reference.rpartition(":")[0] in repositories]


def _migration(cluster: ClusterInstance) -> list[Object]:
    """The stand-in migrates ClickHouse over HTTP, where Langfuse does so over the native port alone."""
    labels = {name: {"app.kubernetes.io/component": name} for name in ("migrate", "clickhouse")}
    ports = [{"port": 8123, "protocol": "TCP"}]
    ways = {
        "migrate": {"egress": [{"to": [{"podSelector": {"matchLabels": labels["clickhouse"]}}], "ports": ports}]},
        "clickhouse": {"ingress": [{"from": [{"podSelector": {"matchLabels": labels["migrate"]}}], "ports": ports}]},
    }
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": f"stand-in-{name}", "namespace": cluster.namespace},
            "spec": {"podSelector": {"matchLabels": labels[name]}, "policyTypes": [w.title() for w in way], **way},
        }
        for name, way in ways.items()
    ]


def open_migration(cluster: ClusterInstance = CLUSTER) -> None:
    """Beside the policies of the instance."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cluster.namespace}}
    api().apply([namespace, *_migration(cluster)])


def close_migration(cluster: ClusterInstance = CLUSTER) -> None:
    """Without those of the instance these alone would shut ClickHouse."""
    for each in _migration(cluster):
        api().delete(api().path_of(each))


def down(cluster: ClusterInstance = CLUSTER) -> None:
    """Everything of the instance, whatever state it is in; and the cluster, if `up` has started it."""
    if not control_plane.is_up(LAYOUT):
        return
    if STARTED.exists():
        with only_one(LAYOUT.paths):
            control_plane.stop(LAYOUT)
        STARTED.unlink()
        print("the cluster")
        return
    for found in cluster.objects():
        if found["metadata"].get("namespace") != cluster.namespace:
            api().delete(api().path_of(found))
    place = f"/api/v1/namespaces/{cluster.namespace}"
    if api().find(place):
        api().delete(place)
        wait_until(f"{place} is gone", lambda: api().find(place) is None, 180)
        print(place)


if __name__ == "__main__":
    {"up": up, "open": open_migration, "down": down}[sys.argv[1]]()
