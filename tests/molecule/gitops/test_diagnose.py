"""`diagnose` and `status` of a change on its way from the inventory to the cluster, and of what stops it there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.cluster.sources import shelf
from tests.integration.cluster.flux import Flux
from tests.molecule import playbook
from tests.molecule.gitops.instance import SOURCE, STEPS, TREE, GitopsInstance, git
from tests.molecule.kubernetes.instance import api

DIAGNOSE, STATUS, SITE = "llmops.langfuse.diagnose", "llmops.langfuse.status", "llmops.langfuse.site"


def test_what_is_applied_is_told_with_its_commit(cluster: GitopsInstance) -> None:
    commit = git("rev-parse", "HEAD")[:10]
    said = playbook.run(cluster, STATUS)
    said.mentions("as it should be", f"Git: {', '.join(STEPS)} of flux-system at main@sha1:{commit}")
    assert "NOT" not in said.output.split("TASK")[-1] and said.changed == 0
    said = playbook.run(cluster, DIAGNOSE)
    said.mentions("gitops ok", f"{', '.join(STEPS)} of flux-system at main@sha1:{commit}")
    assert "FAILED" not in said.output and "(error)" not in said.output


@pytest.fixture
def changed(cluster: GitopsInstance) -> Iterator[GitopsInstance]:
    """Another number of webs is in the tree, and in no commit."""
    before = git("rev-parse", "HEAD").strip()
    playbook.site(cluster, variables={"langfuse_log_level": "debug"})
    assert git("status", "--porcelain")
    yield cluster
    git("checkout", "--quiet", before, "--", str(TREE))
    cluster.deliver("As it was")


def test_a_change_on_its_way(changed: GitopsInstance) -> None:
    playbook.run(changed, DIAGNOSE).mentions("gitops warning", "gitops_uncommitted (warning)", "are in no commit")
    git("commit", "--quiet", "--all", "--message=On its way")
    said = playbook.run(changed, DIAGNOSE)
    # Only where the branch follows another one is it known that nobody has pushed.
    assert "gitops_unpushed (warning)" in said.output or "Push them where that is not done" in said.output
    git("push", "--quiet", "origin", f"HEAD:{shelf.BRANCH}")
    changed.deliver("It")
    playbook.run(changed, DIAGNOSE).mentions("gitops ok")


@pytest.fixture
def torn(cluster: GitopsInstance) -> Iterator[GitopsInstance]:
    """A file that a kustomization names is missing in Git."""
    (cluster.tree / "app" / "web.yaml").unlink()
    revision = cluster.repository.push("Torn")
    Flux(api()).fetch(SOURCE, revision)
    Flux(api()).wait_told(STEPS[-1], "web.yaml")
    yield cluster
    git("checkout", "--quiet", "HEAD~1", "--", str(TREE))
    cluster.deliver("Whole")


def test_a_tree_that_flux_cannot_read(torn: GitopsInstance) -> None:
    """What was applied before runs on."""
    said = playbook.run(torn, DIAGNOSE, fails=True)
    said.mentions(
        "gitops FAILED", "flux_build (error)", "web.yaml", "A file is missing in Git. Run site, commit and push"
    )
    playbook.run(torn, STATUS).mentions("NOT as it should be", "Git: NOT APPLIED")


def test_an_inventory_that_would_apply_it_by_itself(cluster: GitopsInstance) -> None:
    alone = {"langfuse_target": "kubernetes"}
    before = cluster.versions()
    refused = playbook.run(cluster, SITE, variables=alone, fails=True)
    refused.mentions("Flux applies this instance from Git", "langfuse_target: gitops")
    assert cluster.versions() == before
    playbook.run(cluster, DIAGNOSE, variables=alone).mentions("flux_owns (warning)", "langfuse_target: gitops")
