"""A cluster that has nothing of the instance: the check is a plan, and leaves nothing behind."""

from __future__ import annotations

from tests.molecule import playbook
from tests.molecule.kubernetes.instance import ClusterInstance, api


def test_check_on_an_empty_cluster_is_a_plan(cluster: ClusterInstance) -> None:
    place = f"/api/v1/namespaces/{cluster.namespace}"
    assert api().find(place) is None
    assert not cluster.secrets_file.exists()

    planned = playbook.check(cluster)

    name = cluster.name
    planned.mentions(f"Namespace {cluster.namespace}")
    for kind, names in {
        "Secret": ("credentials", "clickhouse-credentials", "s3-credentials", "postgresql-credentials"),
        "StatefulSet": ("clickhouse", "valkey", "seaweedfs"),
        "Cluster": ("postgresql",),
        "Deployment": ("web", "worker"),
        "Service": ("web", "worker", "clickhouse"),
    }.items():
        planned.mentions(*(f"{kind} {name}-{each} in {cluster.namespace}" for each in names))
    planned.mentions(f"Job {name}-migrate-", f"NetworkPolicy {name} in {cluster.namespace}")
    assert planned.changed_tasks == ["Apply the objects, wave by wave"], "all secrets are given"
    assert api().find(place) is None
    assert cluster.objects() == []
    assert not cluster.secrets_file.exists()
