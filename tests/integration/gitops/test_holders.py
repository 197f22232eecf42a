"""Who still has the tree after it was taken out of a checkout, by which its data stays or goes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.gitops.git import NO_UPSTREAM, Checkout

from tests.integration.gitops.checkout import PATH, Repository, Runs, documents

COMMIT, UPSTREAM, MAIN = "the last commit", "the branch it follows", "origin/main"


def _holders(repository: Repository) -> list[str]:
    return Checkout(str(repository.root)).holders(PATH)


def _removals(repository: Repository) -> set[str]:
    return set(Checkout(str(repository.root)).uncommitted_removals(PATH))


@pytest.fixture
def pushed(runs: Runs, tmp_path: Path) -> Runs:
    """The tree is in the main branch of a remote, and the checkout knows which branch that is."""
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", tmp_path / "origin"], check=True)
    git = runs.repository.git
    git("remote", "add", "origin", str(tmp_path / "origin"))
    runs.apply(documents())
    runs.repository.commit()
    git("push", "--quiet", "--set-upstream", "origin", "main")
    git("remote", "set-head", "origin", "main")
    return runs


def _remove(runs: Runs) -> None:
    runs.apply([])
    runs.repository.commit()


def test_removed_committed_and_pushed_nobody_has_it(pushed: Runs) -> None:
    git = pushed.repository.git
    assert _holders(pushed.repository) == [COMMIT, UPSTREAM]
    pushed.apply([])
    assert _holders(pushed.repository) == [COMMIT, UPSTREAM]
    pushed.repository.commit()
    assert _holders(pushed.repository) == [UPSTREAM]
    git("push", "--quiet")
    assert _holders(pushed.repository) == []


def test_a_branch_that_follows_none(pushed: Runs) -> None:
    git = pushed.repository.git
    git("checkout", "--quiet", "-b", "without-langfuse")
    _remove(pushed)
    assert _holders(pushed.repository) == [MAIN, NO_UPSTREAM]
    # Somebody who has never asked the remote for its main branch.
    git("remote", "set-head", "origin", "--delete")
    assert _holders(pushed.repository) == [NO_UPSTREAM]


def test_a_branch_that_follows_one_of_the_same_checkout(pushed: Runs) -> None:
    git = pushed.repository.git
    git("checkout", "--quiet", "-b", "without-langfuse", "--track", "main")
    _remove(pushed)
    assert _holders(pushed.repository) == [UPSTREAM, MAIN, NO_UPSTREAM]


def test_no_branch_at_all(pushed: Runs) -> None:
    pushed.repository.git("checkout", "--quiet", "--detach")
    _remove(pushed)
    assert _holders(pushed.repository) == [MAIN, NO_UPSTREAM]


def test_pushed_to_a_branch_that_is_not_the_main_one(pushed: Runs) -> None:
    git = pushed.repository.git
    git("checkout", "--quiet", "-b", "without-langfuse")
    _remove(pushed)
    git("push", "--quiet", "--set-upstream", "origin", "without-langfuse")
    assert _holders(pushed.repository) == [MAIN]
    git("push", "--quiet", "origin", "HEAD:main")
    assert _holders(pushed.repository) == []


def test_a_repository_without_remotes(runs: Runs) -> None:
    assert _holders(runs.repository) == []
    runs.apply(documents())
    assert _holders(runs.repository) == []
    runs.repository.commit()
    assert _holders(runs.repository) == [COMMIT]
    _remove(runs)
    assert _holders(runs.repository) == []


@pytest.mark.parametrize("gone", [".langfuse.json", "ks.yaml"])
def test_half_a_tree_is_one(runs: Runs, gone: str) -> None:
    """As with a .gitignore that keeps files with a dot out of every commit."""
    runs.apply(documents())
    (runs.repository.root / PATH / gone).unlink()
    runs.repository.commit()
    assert _holders(runs.repository) == [COMMIT]


def test_a_record_that_nobody_can_read_is_one(runs: Runs) -> None:
    runs.repository.write(f"{PATH}/.langfuse.json", "encrypted\n")
    runs.repository.commit()
    assert _holders(runs.repository) == [COMMIT]


def test_files_of_others_do_not_hold_it(runs: Runs) -> None:
    own = f"{PATH}/app/own.yaml"
    runs.repository.write(own, "of: a person\n")
    runs.repository.write(f"{PATH}/kustomization.yaml", "of: a person\n")
    runs.apply(documents())
    runs.repository.commit()
    runs.apply([])
    assert _removals(runs.repository) == {*(one.path for one in documents()), f"{PATH}/.langfuse.json"}
    runs.repository.commit()
    runs.repository.write(own, "of: a person, who works on it\n")
    runs.repository.write(f"{PATH}/app/new.yaml", "of: a person\n")
    assert _holders(runs.repository) == [] and _removals(runs.repository) == set()


def test_what_the_next_commit_would_bring_is_not_removed(runs: Runs) -> None:
    runs.apply(documents())
    runs.repository.git("add", "--all")
    runs.apply([])
    assert f"{PATH}/ks.yaml" in _removals(runs.repository)
