"""What the runbook says: something is broken, the page's commands show it, mend it and prove it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.bench.cluster import flux as bench
from tests.integration.cluster import flux
from tests.integration.cluster.flux import Flux
from tests.molecule import canary, playbook, runbook
from tests.molecule.gitops import platform
from tests.molecule.gitops.instance import IDENTITY, RECIPIENT, STEPS, TREE, GitopsInstance, ciphertexts, git
from tests.molecule.gitops.page import HOLD, PAGE, WRITERS, followed, hold, let_go, shows, which
from tests.molecule.kubernetes.instance import LAYOUT, STORES, api, component_of, kubectl
from tests.molecule.traces import Traces
from tests.waiting import wait_until

SECRETS = "app/secret.sops.yaml"
# Of the instance alone, beside the platform's, as the page calls it.
OWN_AGE = "langfuse-age"
SECTIONS = [
    ("gitops", "Find the cause"),
    ("gitops", "A Kustomization does not become ready"),
    ("gitops", "Flux cannot decrypt"),
    ("gitops", "The migration failed"),
    ("gitops", "The tree is refused"),
    ("gitops", "What was pruned and what stays"),
]
MENDING = [
    ("gitops", "Pods have the old secret"),
    ("gitops", "Flux puts back what was changed"),
    ("gitops", "Apply it without Flux"),
    ("gitops", "Another age key"),
    ("gitops", "Hold Flux for a restore"),
]


def diagnosed(
    cluster: GitopsInstance, *said: str, broken: bool = True, variables: Mapping[str, Any] | None = None
) -> None:
    """What the page tells to run first names all of it."""
    words = runbook.commands(PAGE, "Find the cause")[0]
    playbook.run(cluster, *words[3:], fails=broken, variables=variables).mentions(*said)


def by_page(
    cluster: GitopsInstance, heading: str, *further: str, variables: Mapping[str, Any] | None = None
) -> playbook.Run:
    """The playbook that a section has."""
    (words,) = runbook.commands(PAGE, heading)
    return playbook.run(cluster, *words[3:], *further, variables=variables)


@pytest.mark.parametrize(("page", "heading"), SECTIONS)
def test_what_only_shows_works_on_an_instance_that_is_well(cluster: GitopsInstance, page: str, heading: str) -> None:
    assert page == PAGE
    said = followed(heading)
    # As it is, or in Base64 as the Secret has it.
    assert "AGE-SECRET-KEY" not in said and canary.encoded(IDENTITY.read_text()) not in said
    # Nothing was changed by hand.
    assert bool(said.strip()) is (heading != "The tree is refused")


@pytest.mark.parametrize(("page", "heading"), MENDING)
def test_what_mends_has_a_command_that_changes_something(page: str, heading: str) -> None:
    assert [words for words in runbook.lines(page, heading) if words[0] == "kubectl" and not shows(words)]


def test_every_section_is_named_by_what_one_sees() -> None:
    table = (runbook.RUNBOOKS / f"{PAGE}.md").read_text("utf-8")
    sections = {
        re.sub(r"[^a-z -]", "", name.lower()).replace(" ", "-")
        for name, lines in runbook.sections(PAGE).items()
        if lines
    }
    assert set(re.findall(r"\(#([a-z-]+)\)", table)) == sections - {"find-the-cause"}


def _age_secret(name: str = flux.AGE_SECRET) -> str:
    return f"/api/v1/namespaces/{bench.NAMESPACE}/secrets/{name}"


def _flux_has(identity: str) -> None:
    """The platform's Secret is another one from now on."""
    api().delete(_age_secret())
    api().apply([flux.age_secret(identity)])


def test_no_identity(cluster: GitopsInstance) -> None:
    heading = "Flux cannot decrypt"
    api().delete(_age_secret())
    Flux(api()).reconcile(STEPS[0])
    Flux(api()).wait_told(STEPS[0], flux.AGE_SECRET, "not found")
    diagnosed(cluster, "flux_decryption (error)", "sops-age")
    followed(heading, which("create", flux.AGE_SECRET))
    followed("A Kustomization does not become ready", which("annotate"))
    cluster.reconcile()
    diagnosed(cluster, "gitops ok", broken=False)


def test_an_identity_that_opens_nothing(cluster: GitopsInstance) -> None:
    """Others' is left as it is: the instance gets one of its own, and goes back to the platform's."""
    heading, own = "Flux cannot decrypt", {"langfuse_gitops_decryption_secret": OWN_AGE}
    _flux_has(flux.new_identity(LAYOUT)[0])
    # A request is answered when it was tried.
    Flux(api()).reconcile(STEPS[0])
    Flux(api()).wait_told(STEPS[0], "data key")
    diagnosed(cluster, "flux_decryption (error)", "langfuse_age_recipients", "sops-age")
    said = followed(heading)
    assert "age.agekey" in said and RECIPIENT.read_text().strip() in said
    before = api().get(_age_secret())["data"]
    followed(heading, which("create", OWN_AGE))
    by_page(cluster, heading, "--skip-tags", "verify", variables=own)
    cluster.deliver("Opened by a Secret of its own")
    diagnosed(cluster, "gitops ok", broken=False, variables=own)
    assert api().get(_age_secret())["data"] == before

    _flux_has(IDENTITY.read_text())
    playbook.site(cluster)
    cluster.deliver("Opened by the platform's again")
    api().delete(_age_secret(OWN_AGE))
    diagnosed(cluster, "gitops ok", broken=False)


def test_a_migration_is_made_anew(cluster: GitopsInstance) -> None:
    path = cluster.path("jobs", group="batch/v1")
    (before,) = api().get(path)["items"]
    followed("The migration failed", lambda words: not shows(words))
    wait_until(
        "another Job",
        lambda: [one for one in api().get(path)["items"] if one["metadata"]["uid"] != before["metadata"]["uid"]],
        120,
    )
    cluster.reconcile()
    assert api().get(path)["items"][0]["metadata"]["name"] == before["metadata"]["name"]


def test_pods_that_are_started_by_hand_start_once(cluster: GitopsInstance) -> None:
    before = cluster.uids()
    followed("Pods have the old secret", which("rollout"))
    cluster.wait_ready(["web", "worker"])
    cluster.settled()
    after = cluster.uids()
    assert not before["web"] & after["web"] and not before["worker"] & after["worker"]
    cluster.reconcile()
    cluster.settled()
    assert cluster.uids() == after, "Flux took it back"
    assert by_page(cluster, "Pods have the old secret").changed == 0


def test_what_is_tried_by_hand_stays_while_flux_rests(cluster: GitopsInstance) -> None:
    heading, found = "Flux puts back what was changed", Flux(api())
    place = f"--namespace={cluster.namespace}"
    followed(heading, which("patch", "true"))
    kubectl("set", "env", place, f"deployment/{cluster.name}-worker", "LANGFUSE_LOG_LEVEL=debug")
    cluster.wait_ready(["worker"])
    _ask(platform.ALL)
    assert found.kustomization(STEPS[-1])["spec"]["suspend"] is True, "Flux took back that it was told to rest"
    diagnosed(cluster, "flux_suspended (warning)", f"flux resume kustomization {cluster.name}", broken=False)
    assert _log_level(cluster) == "debug"
    followed(heading, which("patch", "false"))
    found.reconcile(STEPS[-1])
    wait_until("it is set back", lambda: _log_level(cluster) != "debug", 120)
    cluster.reconcile()
    cluster.wait_ready(["worker"])
    assert by_page(cluster, heading).changed == 0


def _log_level(cluster: GitopsInstance) -> str:
    (container,) = cluster.deployment("worker")["spec"]["template"]["spec"]["containers"]
    return str(next(one["value"] for one in container["env"] if one["name"] == "LANGFUSE_LOG_LEVEL"))


def _ask(name: str) -> None:
    """Have the Kustomization reconciled, and wait until it was."""
    found = Flux(api())
    before = found.handled(name)
    found.reconcile(name)
    wait_until(f"{name} is reconciled", lambda: found.handled(name) != before, 120)


def test_it_is_applied_from_here_and_from_git_again(cluster: GitopsInstance) -> None:
    heading, kept, alone = "Apply it without Flux", cluster.kept(), {"langfuse_target": "kubernetes"}
    old = Traces(cluster).arrives("by-flux")
    pods = cluster.uids()
    followed(heading, lambda words: which("annotate")(words) or which("patch")(words))
    _ask(platform.ALL)
    _ask(STEPS[-1])
    assert not Flux(api()).kustomization(STEPS[-1])["spec"]["prune"], "Flux took back that it was told not to prune"
    followed(heading, which("rm"))
    platform.name_instance(there=False)
    cluster.deliver("Without Flux", steps=[platform.ALL])
    assert {*STEPS} <= {*Flux(api()).kustomizations()}
    assert STEPS[-1] in followed(heading)
    followed(heading, which("delete", "kustomizations"))
    _ask(platform.ALL)
    assert not {*STEPS} & {*Flux(api()).kustomizations()}
    cluster.settled()
    assert (cluster.kept(), cluster.uids()) == (kept, pods), "something went with Flux"

    (words,) = runbook.commands(PAGE, heading)
    playbook.run(cluster, *words[3:], variables=alone).mentions("trace ok")
    assert playbook.site(cluster, variables=alone).changed == 0
    assert cluster.kept() == kept and old in Traces(cluster).readable("by-flux")
    for store in STORES:
        assert cluster.uids()[store] == pods[store], f"{store} was started anew"

    playbook.site(cluster)
    platform.name_instance(there=True)
    followed(heading, which("delete", "jobs"))
    cluster.deliver("By Flux again", seconds=400)
    assert playbook.site(cluster).changed == 0
    assert cluster.kept() == kept and old in Traces(cluster).readable("by-flux")
    playbook.run(cluster, "llmops.langfuse.status").mentions("as it should be")
    assert git("status", "--porcelain") == ""


def test_a_file_that_was_changed_by_hand(cluster: GitopsInstance) -> None:
    heading, path = "The tree is refused", cluster.tree / "app" / "web.yaml"
    path.write_text(f"{path.read_text()}# mine\n")
    refused = playbook.site(cluster, fails=True)
    refused.mentions(f"{TREE}/app/web.yaml", "langfuse_gitops_overwrite")
    said = followed(heading)
    assert f"M {TREE}/app/web.yaml" in said and "+# mine" in said
    diagnosed(cluster, "gitops_uncommitted (warning)", f"{TREE}/app/web.yaml", broken=False)
    followed(heading, which("restore"))
    assert by_page(cluster, heading).changed == 0


def test_another_age_key(cluster: GitopsInstance, tmp_path: Path) -> None:
    """And back to the first one, which the other tests use; the platform's Secret has it all the time."""
    heading, new, both = "Another age key", tmp_path / "new", tmp_path / "both"
    identity, recipient = flux.new_identity(LAYOUT)
    for path, content in ((new, identity), (both, f"{IDENTITY.read_text()}{identity}")):
        path.touch(mode=0o600)
        path.write_text(content)
    before, platforms = cluster.files()[SECRETS], api().get(_age_secret())["data"]
    followed(heading, lambda words: not shows(words), new)
    for secret, wanted in ((OWN_AGE, recipient), (flux.AGE_SECRET, RECIPIENT.read_text().strip())):
        given = {
            "langfuse_age_recipients": [wanted],
            "langfuse_age_identity_file": str(both),
            "langfuse_gitops_decryption_secret": secret,
        }
        by_page(cluster, heading, "--skip-tags", "verify", variables=given)
        now = cluster.files()[SECRETS]
        assert wanted in now.decode() and not set(ciphertexts(before)) & set(ciphertexts(now))
        before = now
        cluster.deliver("Encrypted for another key")
        assert api().get(_age_secret())["data"] == platforms
    api().delete(_age_secret(OWN_AGE))
    assert playbook.site(cluster).changed == 0
    assert git("status", "--porcelain") == ""


def test_nothing_starts_while_a_store_is_restored(cluster: GitopsInstance) -> None:
    """With all Deployments that an instance can have."""
    apart = {"langfuse_ingestion_replicas": 1}
    playbook.site(cluster, variables=apart)
    cluster.deliver("Workers that only ingest")
    cluster.wait_ready(WRITERS)
    hold()
    assert _writers(cluster) == []
    _ask(platform.ALL)
    time.sleep(5)
    assert _writers(cluster) == []
    diagnosed(cluster, "flux_suspended (error)", "scaled_to_zero (error)", variables=apart)
    let_go()
    for name in STEPS:
        Flux(api()).reconcile(name)
    for component in WRITERS:
        wait_until(
            f"{component} is wanted again", lambda one=component: cluster.deployment(one)["spec"]["replicas"], 120
        )
    followed(HOLD, which("rollout"))
    cluster.wait_ready(WRITERS)
    by_page(cluster, HOLD, variables=apart).mentions("trace ok")

    playbook.site(cluster)
    cluster.deliver("All workers alike")
    assert git("status", "--porcelain") == ""


def _writers(cluster: GitopsInstance) -> list[str]:
    """Pods that may write, those that are about to end among them."""
    return [pod["metadata"]["name"] for pod in cluster.all_pods() if component_of(pod) in WRITERS]
