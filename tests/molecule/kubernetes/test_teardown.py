"""Taken down and brought back: the data stays until its instance is named."""

from __future__ import annotations

from tests.molecule import playbook
from tests.molecule.instance import wait_until
from tests.molecule.kubernetes.instance import ClusterInstance, api
from tests.molecule.traces import Traces

TEARDOWN = "llmops.langfuse.teardown"


def test_teardown_keeps_the_data_and_site_brings_it_back(cluster: ClusterInstance) -> None:
    old = Traces(cluster).arrives("before-teardown")
    pods, claims, secrets = cluster.uids(), cluster.claims(), cluster.secrets()
    assert playbook.run(cluster, TEARDOWN, "--check", "--diff").changed == 1
    assert cluster.uids() == pods, "the check took pods away"

    done = playbook.run(cluster, TEARDOWN)

    done.mentions(
        f"the namespace {cluster.namespace} stays", f"Cluster {cluster.name}-postgresql", "site brings it back"
    )
    assert cluster.all_pods() == []
    assert cluster.claims() == claims and cluster.secrets() == secrets
    assert playbook.run(cluster, TEARDOWN).changed == 0
    playbook.run(cluster, "llmops.langfuse.status").mentions("NOT as it should be", "database 0/1 nothing runs")

    playbook.run(cluster)
    assert old in Traces(cluster).readable("before-teardown")


def test_teardown_with_the_name_removes_everything(cluster: ClusterInstance) -> None:
    refused = playbook.run(cluster, TEARDOWN, variables={"langfuse_teardown_data": "another"}, fails=True)
    refused.mentions("langfuse_teardown_data: is not the name of this instance")
    assert cluster.claims() and cluster.pods("web")

    confirmed = {"langfuse_teardown_data": cluster.name}
    playbook.run(cluster, TEARDOWN, variables=confirmed)

    # CloudNativePG removes the Secrets that it made itself.
    wait_until("nothing of it is left", lambda: not cluster.objects() and not cluster.claims(), 30)
    assert api().get(f"/api/v1/namespaces/{cluster.namespace}")["status"]["phase"] == "Active"
    assert set(cluster.secrets()) <= set(cluster.given()), "the secrets file is forgotten"
    assert playbook.run(cluster, TEARDOWN, variables=confirmed).changed == 0
