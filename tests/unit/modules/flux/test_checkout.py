"""What a real Git says of a checkout, and what is told of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.flux import checkout
from ansible_collections.llmops.langfuse.plugins.module_utils.flux.checkout import Checkout

PATH = "apps/langfuse"
FETCHING = "flux reconcile source git flux-system -n flux-system"


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    command = ["git", *identity, "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout whose upstream has its first commit."""
    git(tmp_path, "init", "--bare", "up")
    git(tmp_path, "init", "here")
    here = tmp_path / "here"
    write(here, f"{PATH}/ks.yaml", "a: 1\n")
    commit(here)
    git(here, "remote", "add", "origin", "../up")
    git(here, "push", "--set-upstream", "origin", "HEAD:main")
    return here


def write(folder: Path, path: str, text: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)


def commit(folder: Path) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


def codes(folder: Path, revision: str = "") -> list[str]:
    found = checkout.look(str(folder), PATH, revision)
    return [row["code"] for row in checkout.judge(found, str(folder), PATH, FETCHING)]


def test_a_checkout_on_its_way_to_the_cluster(folder: Path) -> None:
    first = "main@sha1:" + git(folder, "rev-parse", "HEAD")
    assert codes(folder, first) == []
    write(folder, "elsewhere.yaml", "a: 1\n")
    assert codes(folder, first) == []
    write(folder, f"{PATH}/app/a b.yaml", "a: 1\n")
    write(folder, f"{PATH}/ks.yaml", "a: 2\n")
    found = checkout.look(str(folder), PATH, first)
    assert found is not None and sorted(found.changed) == [f"{PATH}/app/a b.yaml", f"{PATH}/ks.yaml"]
    assert codes(folder, first) == ["uncommitted"]
    last = commit(folder)
    assert codes(folder, first) == ["unpushed"]
    git(folder, "push")
    assert codes(folder, first) == ["unfetched"]
    assert codes(folder, f"main@sha1:{last}") == []
    # An older Flux writes it so.
    assert codes(folder, f"main/{last}") == []
    # Nothing of the tree is in this one.
    write(folder, "elsewhere.yaml", "a: 2\n")
    commit(folder)
    assert codes(folder, f"main@sha1:{last}") == []


def test_the_cluster_has_a_commit_that_is_not_here(folder: Path) -> None:
    assert codes(folder, "main@sha1:" + "0" * 40) == ["old"]


def test_a_repository_with_longer_names_of_commits(tmp_path: Path) -> None:
    git(tmp_path, "init", "--object-format=sha256")
    write(tmp_path, f"{PATH}/ks.yaml", "a: 1\n")
    assert codes(tmp_path, f"main@sha256:{commit(tmp_path)}") == []
    assert codes(tmp_path, "main@sha256:" + "0" * 64) == ["old"]


def test_what_is_not_known_is_not_told(folder: Path, tmp_path: Path) -> None:
    git(folder, "branch", "--unset-upstream")
    write(folder, f"{PATH}/ks.yaml", "a: 2\n")
    commit(folder)
    assert codes(folder) == []
    # The digest of what was packed, or of a bucket, is no commit.
    assert codes(folder, "latest@sha256:" + "0" * 64) == [] and codes(folder, "sha256:" + "0" * 64) == []
    assert checkout.look(str(tmp_path), PATH, "") is None
    assert checkout.look(str(tmp_path / "nowhere"), PATH, "") is None
    assert checkout.judge(None, "x", PATH, FETCHING) == []


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init")
    write(tmp_path, f"{PATH}/ks.yaml", "a: 1\n")
    assert codes(tmp_path) == ["uncommitted"]


def test_no_git_no_word(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert checkout.look(str(folder), PATH, "") is None


def test_nothing_is_changed_by_looking(folder: Path) -> None:
    write(folder, f"{PATH}/ks.yaml", "a: 2\n")
    before = {path: path.stat().st_mtime_ns for path in (folder / ".git").rglob("*")}
    codes(folder, "main@sha1:" + "0" * 40)
    assert {path: path.stat().st_mtime_ns for path in (folder / ".git").rglob("*")} == before


@pytest.mark.parametrize(
    ("found", "what", "cure"),
    [
        (Checkout(["a", "b", "c", "d"]), "4 files below apps/langfuse of /r are in no commit (a, b, c, ...)", "git -C /r add apps/langfuse"),
        (Checkout((), 1), "1 commit has not been pushed (apps/langfuse of /r)", "git -C /r push"),
        (Checkout((), 2), "2 commits have not been pushed (apps/langfuse of /r)", "git -C /r push"),
        (Checkout((), 0, 3), "Flux has not fetched 3 of the commits to apps/langfuse", FETCHING),
        (Checkout((), None, 1), "Flux has not fetched 1 of the commits to apps/langfuse", "Push them where that is not done. "),
        (Checkout((), 0, None, False), "Flux has a commit that the checkout /r does not know", "git -C /r pull"),
    ],
)  # fmt: skip
def test_what_is_told(found: Checkout, what: str, cure: str) -> None:
    (row,) = checkout.judge(found, "/r", PATH, FETCHING)
    assert row["what"] == what and cure in row["cure"]


def test_what_was_not_pushed_was_not_fetched_either() -> None:
    assert [row["code"] for row in checkout.judge(Checkout(["a"], 1, 1), "/r", PATH, FETCHING)] == [
        "uncommitted",
        "unpushed",
    ]


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_CEILING_DIRECTORIES"])
def test_variables_of_a_hook_do_not_lead_to_another_repository(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write(folder, f"{PATH}/ks.yaml", "a: 2\n")
    monkeypatch.setenv(name, str(folder))
    found = checkout.look(str(folder / "apps"), "langfuse", "")
    assert found == Checkout(["apps/langfuse/ks.yaml"], 0, None)
