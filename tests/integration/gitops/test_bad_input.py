"""What stands in the way of writing a tree: all of it in one message, and nothing was written."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import HEADER
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.secrets import fingerprint_key
from ansible_collections.llmops.langfuse.plugins.plugin_utils.sops import Cipher

from tests.integration.gitops.checkout import PATH, SECRET, WEB, Repository, Runs, documents
from tests.integration.gitops.conftest import Pair

RECORD = f"{PATH}/.langfuse.json"


def _moved(runs: Runs, root: Path) -> None:
    runs.repository = Repository(root)


def test_a_directory_that_is_no_checkout_is_told(runs: Runs, tmp_path: Path) -> None:
    root = runs.repository.root
    _moved(runs, tmp_path / "nowhere")
    assert runs.problems(documents())[0].startswith(
        f"langfuse_gitops_directory: is {tmp_path}/nowhere, which is no directory"
    )
    (tmp_path / "empty").mkdir()
    _moved(runs, tmp_path / "empty")
    assert "which is no Git checkout" in runs.problems(documents())[0]
    _moved(runs, root / "kubernetes")
    assert runs.problems(documents()) == [
        f"langfuse_gitops_directory: is {root}/kubernetes, a folder inside a checkout. Write its root, {root}"
    ]


def test_the_repository_of_a_hook_is_not_taken_for_it(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("GIT_DIR", str(runs.repository.root / ".git"))
    assert runs.problems(documents()) == []
    _moved(runs, tmp_path / "empty")
    assert "which is no Git checkout" in runs.problems(documents())[0]


def test_a_checkout_of_another_user_is_told(runs: Runs) -> None:
    """Git itself does not touch it, because its configuration may run programs."""
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    os.chown(runs.repository.root, 12345, 12345)
    os.chown(runs.repository.root / ".git", 12345, 12345)
    assert "a checkout of another user, which Git does not touch" in runs.problems(documents())[0]


def test_without_git_the_program_is_named(runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sops = shutil.which("sops")
    assert sops
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sops").symlink_to(sops)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert runs.problems(documents()) == ["git: is missing on the controller. Install it"]


def test_a_merge_in_its_middle_is_told(runs: Runs) -> None:
    repository = runs.repository
    for branch, text in (("one", "1\n"), ("two", "2\n")):
        repository.git("checkout", "--quiet", "-B", branch, "main")
        repository.write("README.md", text)
        repository.commit()
    with pytest.raises(Exception, match="merge"):
        repository.git("merge", "one")
    (problem,) = runs.problems(documents())
    assert "in the middle of a merge, with conflicts in README.md" in problem and "git merge --abort" in problem


def test_no_recipients_and_wrong_ones_are_told(runs: Runs) -> None:
    runs.recipients = []
    assert runs.problems(documents())[0].startswith("langfuse_age_recipients: is empty, and the tree has secrets")
    runs.recipients = ["age1" + "q" * 58]
    assert runs.problems(documents())[0].startswith("langfuse_age_recipients: has a public key that SOPS does not take")


def test_where_others_keep_all_secrets_nobody_here_encrypts(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, other: Pair
) -> None:
    runs.apply(documents())
    runs.repository.commit()
    runs.recipients, runs.identity = [], other.file
    folders = os.environ["PATH"].split(os.pathsep)
    monkeypatch.setenv("PATH", os.pathsep.join(one for one in folders if not Path(one, "sops").exists()))
    theirs = [one for one in documents() if not one.sensitive]
    assert [change.path for change in runs.apply(theirs).changes] == [SECRET]
    assert runs.apply(theirs).changed is False


def test_a_wrong_identity_is_told_before_anything_is_written(runs: Runs, mine: Pair, other: Pair) -> None:
    runs.identity = other.file
    (problem,) = runs.problems(documents())
    assert problem.startswith(f"langfuse_age_identity_file: is {other.file}, and no identity in it opens")
    runs.identity = mine.file
    runs.apply(documents())
    runs.identity = other.file
    (problem,) = runs.problems(documents(password="canary-two"))
    assert problem.startswith("langfuse_age_identity_file: is ")
    runs.identity = other.file.with_name("nowhere.txt")
    assert "which cannot be read" in runs.problems(documents())[0]


def test_sops_that_is_not_there_is_told(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = os.environ["PATH"].split(os.pathsep)
    monkeypatch.setenv("PATH", os.pathsep.join(one for one in folders if not Path(one, "sops").exists()))
    assert runs.problems(documents())[0].startswith("sops: is missing on the controller")


def test_files_of_others_are_told_and_can_be_named(runs: Runs) -> None:
    repository = runs.repository
    repository.write(WEB, "of: a person\n")
    repository.write(RECORD, "{}\n")
    (problem,) = runs.problems(documents())
    assert problem == (
        f"langfuse_gitops_path: has {WEB}, {RECORD}, which somebody else made. "
        "Move it away, or name it in langfuse_gitops_overwrite"
    )
    repository.commit()
    assert runs.problems(documents()) == [problem]
    runs.overwrite = [WEB]
    assert WEB not in runs.problems(documents())[0]
    runs.overwrite = [WEB, RECORD]
    assert runs.apply(documents()).changed
    runs.overwrite = []
    assert runs.apply(documents()).changed is False


def test_what_a_person_changed_and_did_not_commit_is_told(runs: Runs) -> None:
    repository = runs.repository
    runs.apply(documents())
    for path in (WEB, f"{PATH}/app/more/monitor.yaml"):
        repository.write(path, repository.read(path) + "# by hand\n")
    (problem,) = runs.problems(documents(more=False))
    assert problem == (
        f"langfuse_gitops_path: has {WEB}, {PATH}/app/more/monitor.yaml, which was changed by hand and not committed. "
        "Commit it or set it back, or name it in langfuse_gitops_overwrite"
    )
    assert "langfuse_gitops_overwrite" in runs.problems([])[0]
    runs.overwrite = [f"{PATH}/app/more/monitor.yaml"]
    assert runs.problems(documents(more=False))[0].startswith(f"langfuse_gitops_path: has {WEB}, which was changed")
    repository.commit()
    assert len(runs.apply(documents(more=False)).changes) == 2


def test_a_person_s_edit_of_a_secret_is_told(runs: Runs) -> None:
    runs.apply(documents())
    runs.repository.write(SECRET, runs.repository.read(SECRET).replace("langfuse-b", "langfuse-c"))
    assert f"has {SECRET}, which was changed by hand" in runs.problems(documents())[0]


def test_our_own_files_that_were_not_committed_are_not_taken_for_a_person_s(runs: Runs) -> None:
    runs.apply(documents())
    assert runs.apply(documents(replicas=2)).changed
    runs.repository.git("add", WEB)
    assert runs.apply(documents(replicas=3)).changed


def test_symbolic_links_are_not_followed(runs: Runs, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = runs.repository.root / PATH
    folder.mkdir(parents=True)
    (folder / "app").symlink_to(outside)
    assert f"has {PATH}/app, a symbolic link" in runs.problems(documents())[0]
    assert list(outside.iterdir()) == []
    (folder / "app").unlink()
    runs.apply(documents())
    (runs.repository.root / WEB).unlink()
    (runs.repository.root / WEB).symlink_to(outside / "web.yaml")
    assert f"has {WEB}, a symbolic link" in runs.problems(documents())[0]
    assert f"has {WEB}, a symbolic link" in runs.problems([])[0]


def test_a_record_that_names_files_outside_is_not_believed(runs: Runs) -> None:
    """Whoever can commit to the repository could have files of the machine removed."""
    runs.apply(documents())
    runs.repository.write(RECORD, runs.repository.read(RECORD).replace('"ks.yaml"', '"../../../../README.md"'))
    runs.repository.commit()
    assert "which is outside of it" in runs.problems(documents())[0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: (root / "kubernetes/apps/ai-system/langfuse").write_text("a file"), "which is no directory"),
        (lambda root: (root / WEB).mkdir(parents=True), "which is no file"),
        (lambda root: ((root / WEB).parent.mkdir(parents=True), os.mkfifo(root / WEB)), "which is no file"),
    ],
    ids=["file-for-a-folder", "folder-for-a-file", "pipe-for-a-file"],
)
def test_what_is_in_the_way_is_told(runs: Runs, make: object, words: str) -> None:
    make(runs.repository.root)  # type: ignore[operator]
    (problem,) = runs.problems(documents())
    assert problem.startswith("langfuse_gitops_path: has ") and words in problem


def test_a_folder_without_rights_is_told(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """As somebody who is not root; root may write everywhere."""
    real = os.access

    def access(path: Path, mode: int) -> bool:
        return real(path, mode) and not (mode & os.W_OK and stat.S_IMODE(Path(path).stat().st_mode) == 0o555)

    monkeypatch.setattr(os, "access", access)
    folder = runs.repository.root / "kubernetes/apps/ai-system"
    folder.chmod(0o555)
    (problem,) = runs.problems(documents())
    folder.chmod(0o755)
    assert problem == (
        f"langfuse_gitops_path: is {PATH}, and {folder} cannot be written to. Mend its rights, or run as who may"
    )


def test_files_that_git_ignores_are_told(runs: Runs) -> None:
    runs.repository.write(".gitignore", "web.yaml\n")
    (problem,) = runs.problems(documents())
    assert f"keeps out of every commit: {WEB}." in problem


def test_a_record_that_git_ignores_is_told(runs: Runs) -> None:
    """As in a repository that ignores everything with a dot: the next checkout would know nothing of whose the files are."""
    runs.repository.write(".gitignore", ".*\n")
    (problem,) = runs.problems(documents())
    assert f"keeps out of every commit: {RECORD}." in problem
    assert runs.problems([]) == []


def test_the_tree_of_another_instance_is_told(runs: Runs) -> None:
    runs.apply(documents())
    runs.instance = "another"
    assert runs.problems(documents()) == [f"langfuse_gitops_path: is {PATH}, the tree of langfuse. Write another one"]


def test_new_keys_are_not_written_over_those_of_a_tree(runs: Runs) -> None:
    """The secrets file was lost: with other keys the data could not be read any more."""
    drawn = ["langfuse_salt", "langfuse_encryption_key"]
    assert runs.problems(documents(), drawn) == []
    runs.apply(documents())
    runs.key = fingerprint_key("f" * 64)
    problems = runs.problems(documents(password="canary-new"), drawn)
    assert problems[0].startswith("langfuse_secrets_file: lacks langfuse_salt and langfuse_encryption_key")
    assert f"sops decrypt {SECRET}" in problems[0]


def test_other_keys_than_those_of_the_tree_are_not_written(runs: Runs) -> None:
    """Another secrets file, whose keys are no new ones."""
    runs.apply(documents())
    wanted = documents(password="canary-two")
    wanted[0].object[0]["data"]["SALT"] = "canary-other-salt"
    (problem,) = runs.problems(wanted)
    assert problem.startswith(f"langfuse_secrets_file: has another SALT than {SECRET}, and") and "canary" not in problem
    runs.apply(documents(password="canary-two"))


def test_all_of_it_is_told_at_once(runs: Runs, other: Pair) -> None:
    repository = runs.repository
    runs.apply(documents())
    repository.commit()
    repository.write(".gitignore", f"{Path(WEB).name}\nnew.yaml\n")
    repository.write(WEB, "by: hand\n")
    extra = documents(replicas=2)[1]
    wanted = [*documents(replicas=2), type(extra)(f"{PATH}/new.yaml", "yaml_all", [{"a": "b"}])]
    repository.write(f"{PATH}/new.yaml", "of: a person\n")
    problems = runs.problems(wanted, ["langfuse_salt"])
    assert [problem.partition(":")[0] for problem in problems] == [
        "langfuse_secrets_file",
        *["langfuse_gitops_path"] * 3,
    ]
    runs.identity = other.file
    _moved(runs, repository.root / "kubernetes")
    assert [problem.partition(":")[0] for problem in runs.problems(wanted)] == [
        "langfuse_gitops_directory",
        "langfuse_age_identity_file",
    ]


SALTS = {"data": {"SALT": "Y2Fu\nYXJ5"}, "stringData": {"stringData": "x", "SALT": "canary"}}


@pytest.mark.parametrize("field", SALTS)
@pytest.mark.parametrize("encrypted", [True, False], ids=["encrypted", "plain"])
def test_keys_that_somebody_else_wrote_are_not_lost(runs: Runs, mine: Pair, field: str, encrypted: bool) -> None:
    """As when an instance that was written by hand is taken over: in either field, and under another name."""
    wanted = documents()
    wanted[0].object[0]["data"]["SALT"] = "Y2FuYXJ5"
    hand = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "by-hand"}, field: SALTS[field]}
    text = yaml.safe_dump(hand)
    # For SOPS itself everything is a value, metadata too.
    runs.repository.write(SECRET, Cipher([mine.recipient]).encrypt(text).decode() if encrypted else text)
    runs.repository.commit()
    runs.overwrite = [SECRET]
    assert runs.problems(wanted) == []
    lost = f"langfuse_secrets_file: has another SALT than {SECRET}, and"
    assert [problem.startswith(lost) for problem in runs.problems(documents())] == [True]
    runs.identity = None
    assert runs.problems(wanted) == []
    (problem,) = runs.problems(wanted, ["langfuse_salt"])
    assert problem.startswith("langfuse_secrets_file: lacks langfuse_salt, and")


def test_new_keys_are_not_written_over_those_of_a_tree_without_its_record(runs: Runs) -> None:
    runs.apply(documents())
    (runs.repository.root / RECORD).unlink()
    runs.repository.commit()
    # Without the values nobody knows whether they are the same.
    runs.identity = None
    for text in (runs.repository.read(SECRET), f"# {HEADER}\n<<<<<<< a merge: [\n"):
        runs.repository.write(SECRET, text)
        runs.repository.commit()
        assert runs.problems(documents()) == []
        (problem,) = runs.problems(documents(), ["langfuse_salt"])
        assert problem.startswith("langfuse_secrets_file: lacks langfuse_salt, and")
