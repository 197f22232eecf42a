"""Taken down and brought back: the data stays until its instance is named."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import yaml

from tests.molecule import playbook
from tests.molecule.kubernetes.instance import STORES, ClusterInstance, api, component_of, is_alive
from tests.molecule.traces import Traces
from tests.waiting import wait_until

TEARDOWN = "llmops.langfuse.teardown"
# What variables say anyway: it goes, and the next site makes it again.
GIVEN = ("license", "proxy-credentials", "smtp-credentials")


def _without_stores(cluster: ClusterInstance) -> set[str]:
    """What of the application still has pods while a store has none that stays."""
    pods = cluster.all_pods()
    stores = {component_of(pod) for pod in pods if is_alive(pod)}
    return set() if stores >= set(STORES) else {component_of(pod) for pod in pods} & {"web", "worker"}


def test_teardown_keeps_the_data_and_site_brings_it_back(cluster: ClusterInstance) -> None:
    old = Traces(cluster).arrives("before-teardown")
    pods, kept, secrets = cluster.uids(), cluster.kept(), cluster.secrets()
    assert playbook.run(cluster, TEARDOWN, "--check", "--diff").changed == 1
    assert cluster.uids() == pods, "the check took pods away"

    stranded = set()
    with ThreadPoolExecutor(1) as background:
        running = background.submit(playbook.run, cluster, TEARDOWN)
        while not running.done():
            stranded |= _without_stores(cluster)
            time.sleep(0.2)
    done = running.result()

    assert stranded == set(), "stores went first, and what it held could not be flushed"
    done.mentions(
        f"the namespace {cluster.namespace} stays", f"Cluster {cluster.name}-postgresql", "site brings it back"
    )
    assert cluster.all_pods() == []
    given = {f"Secret {cluster.name}-{each}" for each in GIVEN}
    assert cluster.kept() == {name: uid for name, uid in kept.items() if name not in given}
    assert cluster.secrets() == secrets
    assert playbook.run(cluster, TEARDOWN).changed == 0
    playbook.run(cluster, "llmops.langfuse.status").mentions("NOT as it should be", "database 0/1 nothing runs")

    playbook.run(cluster)
    assert old in Traces(cluster).readable("before-teardown")


def test_teardown_with_the_name_removes_everything(cluster: ClusterInstance) -> None:
    refused = playbook.run(cluster, TEARDOWN, variables={"langfuse_teardown_data": "another"}, fails=True)
    refused.mentions("langfuse_teardown_data: is not the name of this instance")
    assert cluster.claims() and cluster.pods("web")

    # As if it had been drawn, beside that of an instance elsewhere.
    drawn = {"langfuse_salt": cluster.secrets()["langfuse_salt"]}
    cluster.secrets_file.touch(mode=0o600)
    cluster.secrets_file.write_text(yaml.safe_dump({cluster.name: drawn, "another": drawn}))
    confirmed = {"langfuse_teardown_data": cluster.name}
    playbook.run(cluster, TEARDOWN, variables=confirmed)

    # CloudNativePG removes the Secrets that it made itself.
    wait_until("nothing of it is left", lambda: not cluster.objects() and not cluster.claims(), 120)
    assert api().get(f"/api/v1/namespaces/{cluster.namespace}")["status"]["phase"] == "Active"
    assert yaml.safe_load(cluster.secrets_file.read_text()) == {"another": drawn}
    assert playbook.run(cluster, TEARDOWN, variables=confirmed).changed == 0
