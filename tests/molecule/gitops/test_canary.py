"""From nothing to a verified trace, with a recognisable value in every secret: none shows anywhere, in no commit either."""

from __future__ import annotations

import base64
import gzip
import subprocess
from pathlib import Path

import pytest

from tests.bench.cluster import flux as bench
from tests.integration.cluster import flux
from tests.molecule import canary, playbook
from tests.molecule.gitops import platform
from tests.molecule.gitops.instance import CHECKOUT, SOURCE, GitopsInstance, git
from tests.molecule.kubernetes import hidden
from tests.molecule.kubernetes.instance import LAYOUT, kubectl
from tests.molecule.traces import Traces


def in_files(folder: Path) -> list[str]:
    """Every file below, archives unpacked; secrets as they are, as addresses have them, and in Base64."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and "objects" not in path.parts:
            content = path.read_bytes()
            found += _in_text(str(path), gzip.decompress(content) if path.name.endswith(".gz") else content)
    return found


def in_history(repository: Path) -> list[str]:
    """Every object that git keeps, also what no branch leads to any more."""
    words = ["git", "-C", str(repository), "cat-file", "--batch-all-objects", "--batch"]
    kept = subprocess.run(words, check=True, capture_output=True).stdout
    assert b"kind: Kustomization" in kept, "nothing was searched"
    return _in_text(f"history of {repository}", kept)


def _in_text(place: str, content: bytes) -> list[str]:
    return [f"{place}: {line}" for line in canary.CLUSTERS.found_in(content.decode(errors="replace"))]


def assert_hidden(cluster: GitopsInstance, output: str, processes: set[str]) -> None:
    """Also in the checkout with all its history, in the repository, and in what the cluster was given of it."""
    hidden.assert_hidden(cluster, output, processes)
    bare = LAYOUT.sources / "git" / f"{SOURCE}.git"
    files = {"checkout": in_files(CHECKOUT), "repository and artifacts": in_files(LAYOUT.sources)}
    canary.assert_empty({**files, "history": in_history(CHECKOUT) + in_history(bare)})


def test_first_run_writes_a_tree_and_shows_no_secret(cluster: GitopsInstance) -> None:
    with canary.CLUSTERS.watched_processes() as processes:
        done = playbook.run(cluster, "llmops.langfuse.site", *playbook.LOUD)
    assert len(done.output) > 50_000, "not loud enough to mean anything"
    assert cluster.objects() == [], "site touched the cluster"
    assert git("log", "--oneline", "--", str(cluster.tree)) == "", "site made a commit"
    assert_hidden(cluster, done.output, processes)


def test_flux_applies_it_and_it_works(cluster: GitopsInstance) -> None:
    platform.name_instance(there=True)
    cluster.deliver("Langfuse", seconds=400)
    # The buckets of the bundled store, which is there only now.
    assert playbook.run(cluster, "llmops.langfuse.provision").changed == 1
    assert playbook.run(cluster, "llmops.langfuse.provision").changed == 0
    web = cluster.pod("web")["metadata"]["name"]
    inside = kubectl("exec", f"--namespace={cluster.namespace}", web, "--", "printenv", "SALT")
    assert inside == f"{canary.CLUSTERS.values['langfuse_salt']}\n", "a value was changed on its way"
    Traces(cluster).arrives("canary")
    done = playbook.run(cluster, "llmops.langfuse.verify", *playbook.LOUD)
    done.mentions("read back equal")
    assert_hidden(cluster, done.output, set())
    logs = kubectl("logs", f"--namespace={bench.NAMESPACE}", "deployment/kustomize-controller")
    assert canary.CLUSTERS.found_in(logs) == []


@pytest.mark.parametrize(
    "copy", ["Warbler00", base64.b64encode(canary.CLUSTERS.values["langfuse_salt"].encode()).decode()]
)
def test_the_search_sees_a_secret_in_a_commit_that_was_taken_back(tmp_path: Path, copy: str) -> None:
    again = tmp_path / "again"
    subprocess.run(["git", "clone", "--quiet", CHECKOUT, again], check=True)
    (again / "leak.txt").write_text(copy)
    assert len(in_files(again)) == 1
    flux.git(again, "add", "leak.txt")
    flux.git(again, "commit", "--quiet", "--message=leak")
    flux.git(again, "reset", "--hard", "--quiet", "HEAD~1")
    assert in_files(again) == []
    assert len(in_history(again)) == 1
