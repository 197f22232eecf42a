"""Teardown takes the tree away, and Flux the objects; the data stays."""

from __future__ import annotations

from tests.bench.cluster.sources import shelf
from tests.integration.cluster.flux import Flux
from tests.molecule import playbook
from tests.molecule.gitops import platform
from tests.molecule.gitops.instance import STEPS, TREE, GitopsInstance, git
from tests.molecule.kubernetes.instance import api, component_of
from tests.molecule.traces import Traces
from tests.waiting import wait_until

TEARDOWN = "llmops.langfuse.teardown"


def test_teardown_removes_the_tree_and_flux_what_it_made(cluster: GitopsInstance) -> None:
    old = Traces(cluster).arrives("before-teardown")
    claims, files = cluster.claims(), cluster.files()
    playbook.run(cluster, TEARDOWN, "--check", "--diff")
    assert cluster.files() == files, "the check took files away"

    told = playbook.run(cluster, TEARDOWN)
    assert cluster.files() == {}
    parent = TREE.parent / "kustomization.yaml"
    told.mentions(f"Take ./{TREE.name} out of the resources of {parent}", f" add {TREE} {parent} && ")
    # As it says. The platform's own Kustomization could not be built without its part.
    platform.name_instance(there=False)
    git("add", str(TREE), str(parent))
    git("commit", "--quiet", "--message=Without Langfuse")
    git("push", "--quiet", "origin", f"HEAD:{shelf.BRANCH}")
    assert git("status", "--porcelain") == ""
    cluster.deliver("Without Langfuse", steps=[platform.ALL])
    wait_until("no Kustomization is left", lambda: not {*STEPS} & {*Flux(api()).kustomizations()}, 120)
    # CloudNativePG's Cluster is its data, and runs on; claims of the other stores stay without their pods.
    wait_until(
        "PostgreSQL alone is left", lambda: {component_of(pod) for pod in cluster.all_pods()} == {"database"}, 120
    )
    assert cluster.claims() == claims
    assert playbook.run(cluster, TEARDOWN).changed == 0

    playbook.site(cluster)
    platform.name_instance(there=True)
    cluster.deliver("Langfuse again", seconds=400)
    assert old in Traces(cluster).readable("before-teardown")
    assert git("status", "--porcelain") == ""
