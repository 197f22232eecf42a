"""One instance has one tree: the old one is found when its path changes, and is moved and not written twice."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import Document
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.secrets import fingerprint_key

from tests.integration.gitops.checkout import PATH, SECRET, Runs, documents
from tests.integration.gitops.site import TREE, Site

NEW = "clusters/it's mine/langfuse"
RECORD = ".langfuse.json"


def _at(path: str) -> list[Document]:
    return [
        Document(one.path.replace(PATH, path), one.form, one.object, one.mode, one.sensitive) for one in documents()
    ]


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "not-committed"])
def test_another_path_is_told_and_the_cure_moves_the_tree(runs: Runs, committed: bool) -> None:
    runs.apply(documents())
    if committed:
        runs.repository.commit()
    secret = runs.repository.read(SECRET)
    runs.path = NEW
    (problem,) = runs.problems(_at(NEW))
    assert problem.startswith(f"langfuse_gitops_path: is {NEW}, and {PATH} is the tree of this instance already. ")
    assert problem.endswith(f", or write langfuse_gitops_path: {PATH}") and ("git mv" in problem) == committed
    # Neither is it taken for gone.
    assert len(runs.problems([])) == 1
    command = re.search(r"\((.*)\)", problem)
    assert command
    subprocess.run(command[1], shell=True, check=True)
    assert runs.apply(_at(NEW)).changed is False
    assert runs.repository.read(f"{NEW}/app/secret.sops.yaml") == secret
    assert not (runs.repository.root / PATH).exists()


def test_it_is_found_however_git_is_told_to_read_paths(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.apply(documents())
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    runs.path = NEW
    assert len(runs.problems(_at(NEW))) == 1


def test_a_namesake_with_other_keys_is_another_instance(runs: Runs) -> None:
    """As production beside staging in one repository."""
    runs.apply(documents())
    runs.repository.commit()
    runs.path, runs.key = NEW, fingerprint_key("f" * 64)
    assert runs.apply(_at(NEW)).changed
    runs.instance, runs.path, runs.key = "other", "other", fingerprint_key("0123456789abcdef" * 4)
    assert runs.apply(_at("other")).changed


def test_of_two_trees_one_can_go(runs: Runs) -> None:
    """As an older version left them."""
    runs.apply(documents())
    runs.repository.git("add", "--all")
    runs.repository.write(f"{NEW}/.keep", "")
    os.rename(runs.repository.root / PATH, runs.repository.root / NEW / "a")
    runs.repository.git("checkout", "--", PATH)
    runs.path = f"{NEW}/a"
    (problem,) = runs.problems(_at(runs.path))
    assert problem.endswith(
        f"Remove {PATH} if it is not the one that is applied, or write langfuse_gitops_path: {PATH}"
    )
    assert runs.apply([]).changed
    runs.path = PATH
    assert runs.apply(documents()).changed is False


@pytest.mark.parametrize("path", ["Apps/Langfuse/deeper", "Apps", NEW], ids=["inside", "above", "there"])
def test_where_nothing_can_be_moved_the_old_path_stays(runs: Runs, path: str) -> None:
    runs.path = "Apps/Langfuse"
    runs.apply(_at(runs.path))
    runs.repository.write(f"{NEW}/a.yaml", "of: a person\n")
    runs.path = path
    (problem,) = runs.problems(_at(path))
    assert problem.endswith("is the tree of this instance already. Write langfuse_gitops_path: Apps/Langfuse")


def test_records_of_nobody_say_nothing(runs: Runs) -> None:
    runs.apply(documents())
    real = runs.repository.root / PATH
    runs.path = NEW
    content = (real / RECORD).read_text()
    os.rename(real, runs.repository.root.parent / "outside")
    for folder, text in (("a", "{}"), ("b", "<<<<<<<"), ("c", content), ("d", content.replace('"ks', '"../x/ks'))):
        runs.repository.write(f"{folder}/{RECORD}", text)
    (runs.repository.root / "e").mkdir()
    (runs.repository.root / "e" / RECORD).symlink_to(runs.repository.root.parent / "outside" / RECORD)
    os.mkfifo(runs.repository.root / "c" / "ks.yaml")
    assert runs.problems(_at(NEW)) == []


def test_site_does_not_write_a_second_tree(site: Site) -> None:
    site.play("site")
    before = site.repository.files()
    other = "kubernetes/apps/other/langfuse"
    for playbook in ("preflight", "site", "teardown"):
        run = site.play(playbook, fails=True, more={"langfuse_kubernetes_namespace": "other"})
        run.mentions(f"is {other}, and {TREE} is the tree of this instance already")
        assert site.repository.files() == before
    site.repository.commit()
    run = site.play("site", fails=True, more={"langfuse_kubernetes_namespace": "other"})
    run.mentions("has its data in ai-system. Write ai-system again")
    assert "git mv" not in run.output and site.repository.files() == before
