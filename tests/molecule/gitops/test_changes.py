"""A changed secret changes its ciphertext and rolls its readers; what is switched off is pruned, data and keys never."""

from __future__ import annotations

from tests.molecule import canary, playbook
from tests.molecule.gitops.instance import GitopsInstance, ciphertexts, git
from tests.molecule.kubernetes import platform
from tests.molecule.traces import Traces
from tests.waiting import wait_until

SECRETS = "app/secret.sops.yaml"


def test_changed_secret_changes_one_ciphertext_and_rolls_its_readers(cluster: GitopsInstance) -> None:
    pods, claims, before = cluster.uids(), cluster.claims(), cluster.files()
    name = "langfuse_nextauth_secret"
    value = f"changed-{cluster.secrets()[name]}"
    cluster.change_given(name, value)

    with canary.CLUSTERS.watched_processes(value) as processes:
        done = playbook.site(cluster, *playbook.LOUD)

    after = cluster.files()
    # The readers are rolled by a keyed checksum.
    assert {path for path in before if after[path] != before[path]} == {SECRETS, "app/web.yaml"}
    lost = set(ciphertexts(before[SECRETS])) - set(ciphertexts(after[SECRETS]))
    assert len(lost) == 1 and b"NEXTAUTH_SECRET" in lost.pop()
    canary.assert_empty({"output": canary.CLUSTERS.found_in(done.output, value), "process list": sorted(processes)})
    cluster.deliver("Another secret")
    cluster.wait_ready(not_uids=[one.split()[0] for one in pods["web"]], components=["web"])
    cluster.settled()
    now = cluster.uids()
    assert {component for component in pods if pods[component] != now.get(component)} == {"web"}
    assert cluster.claims() == claims
    Traces(cluster).arrives("after-secret")


def test_what_is_switched_off_is_pruned_and_nothing_else(cluster: GitopsInstance) -> None:
    before, kept, files = set(cluster.versions()), cluster.kept(), set(cluster.files())
    policies = {each for each in before if each.startswith("NetworkPolicy ")}
    assert policies
    other = {"langfuse_expose": "httproute", "langfuse_web_replicas": 2, "network_policies_enabled": False}

    platform.close_migration(cluster)
    playbook.site(cluster, variables=other)
    now = set(cluster.files())
    assert files - now == {"app/networkpolicy.yaml"}
    assert now - files == {"app/httproute.yaml", "app/referencegrant.yaml"}
    cluster.deliver("A way from outside, no policies")

    name, home = cluster.name, cluster.namespace
    more = {
        f"HTTPRoute network/{name}",
        f"ReferenceGrant {home}/{name}-network-access",
        f"PodDisruptionBudget {home}/{name}-web",
    }
    assert set(cluster.versions()) == before - policies | more
    assert cluster.kept() == kept
    Traces(cluster).arrives("switched")

    platform.open_migration(cluster)
    playbook.site(cluster)
    cluster.deliver("As it was")
    assert set(cluster.versions()) == before
    assert cluster.kept() == kept


def test_disabled_keeps_the_data(cluster: GitopsInstance) -> None:
    traces = Traces(cluster)
    old = traces.arrives("before-disabled")
    kept = cluster.kept()

    playbook.site(cluster, variables={"langfuse_enabled": False})
    cluster.deliver("Away for a while", steps=cluster.steps())
    wait_until("no pod is left", lambda: cluster.all_pods() == [], 180)
    assert cluster.kept() == kept

    playbook.site(cluster)
    cluster.deliver("Back")
    assert old in traces.readable("before-disabled")
    assert cluster.kept() == kept
    assert git("status", "--porcelain") == ""
