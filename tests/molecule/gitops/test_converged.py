"""A tree that is applied: writing it again changes no byte, and what somebody changes in the cluster is set back."""

from __future__ import annotations

from tests.integration.cluster.flux import Flux
from tests.molecule import playbook
from tests.molecule.gitops.instance import STEPS, GitopsInstance, git
from tests.molecule.kubernetes.instance import api, kubectl
from tests.molecule.traces import Traces
from tests.waiting import wait_until


def test_second_run_writes_the_same_bytes(cluster: GitopsInstance) -> None:
    before, written = cluster.files(), {path: path.stat().st_mtime_ns for path in cluster.tree.rglob("*")}
    again = playbook.run(cluster)
    assert again.changed == 0, again.changed_tasks
    assert cluster.files() == before
    assert {path: path.stat().st_mtime_ns for path in cluster.tree.rglob("*")} == written
    assert playbook.check(cluster).changed == 0
    assert git("status", "--porcelain") == ""


def test_a_tree_from_nothing_has_the_same_files(cluster: GitopsInstance) -> None:
    """All but the ciphertexts, which no two encryptions share."""
    before = cluster.files()
    git("rm", "-r", "--quiet", str(cluster.tree))
    playbook.site(cluster)
    after = cluster.files()
    git("checkout", "HEAD", "--quiet", "--", str(cluster.tree))
    git("reset", "--quiet")
    assert set(after) == set(before)
    assert {name for name in before if after[name] != before[name]} == {
        name for name in before if name.endswith(".sops.yaml")
    }
    assert git("status", "--porcelain") == ""


def test_what_somebody_changes_is_set_back(cluster: GitopsInstance) -> None:
    found = Flux(api())
    intended = cluster.deployment("web")["spec"]["template"]["spec"]["containers"][0]["env"]
    place, name = f"--namespace={cluster.namespace}", cluster.name
    kubectl("set", "env", place, f"deployment/{name}-web", "LANGFUSE_LOG_LEVEL=trace")
    kubectl("delete", place, f"service/{name}-worker")
    found.reconcile(STEPS[-1])
    wait_until("the Service is back", lambda: api().find(cluster.path("services", f"{name}-worker")) is not None, 120)
    assert cluster.deployment("web")["spec"]["template"]["spec"]["containers"][0]["env"] == intended
    cluster.settled()


def test_flux_moves_nothing_that_is_as_it_should_be(cluster: GitopsInstance) -> None:
    before, pods = cluster.settled(), cluster.uids()
    cluster.reconcile()
    after = cluster.settled()
    # Their status says that they were looked at.
    moves = {one for one in before if one.startswith("Kustomization ")}
    assert {one: after[one] for one in after.keys() - moves} == {one: before[one] for one in before.keys() - moves}
    assert cluster.uids() == pods


def test_the_same_inventory_looks_at_the_cluster(cluster: GitopsInstance) -> None:
    playbook.run(cluster, "llmops.langfuse.verify").mentions("read back equal")
    told = playbook.run(cluster, "llmops.langfuse.status").output
    assert "NOT as it should be" not in told, told[-3000:]
    assert playbook.run(cluster, "llmops.langfuse.diagnose").changed == 0
    Traces(cluster).arrives("converged")
    assert git("status", "--porcelain") == ""
