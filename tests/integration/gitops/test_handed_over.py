"""A Secret that somebody else is to keep: Flux prunes it where it leaves the tree under the name that it has there."""

from __future__ import annotations

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import Document, merge_patch

from tests.integration.gitops.checkout import PATH, SECRET, Runs, documents, secret

MARK = {"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/prune": "disabled"}}}


def _without(*names: str, marked: str = "") -> list[Document]:
    """The small tree whose Secrets are not all of ours."""
    found = [secret("langfuse-a", SALT="canary-salt"), secret("langfuse-b", password="1e5"), secret("c", password="1")]
    stay = [
        merge_patch(one, MARK) if one["metadata"]["name"] == marked else one
        for one in found
        if one["metadata"]["name"] not in names
    ]
    others = [one for one in documents() if not one.sensitive]
    return [*others, Document(SECRET, "yaml_all", stay, sensitive=True)] if stay else others


@pytest.mark.parametrize("gone", [("langfuse-b",), ("langfuse-a", "langfuse-b", "c")], ids=["one", "the last ones"])
def test_one_that_would_be_pruned_is_refused(runs: Runs, gone: tuple[str, ...]) -> None:
    runs.apply(_without())
    runs.repository.commit()
    runs.existing = ["langfuse-b"]
    (problem,) = runs.problems(_without(*gone))
    assert problem.startswith("langfuse_kubernetes_existing_secrets: has langfuse-b, which the last commit of")
    assert f"{PATH} makes: Flux prunes it" in problem
    assert "Have a Secret of another name made" in problem


def test_one_that_only_the_working_tree_lacks_is_refused(runs: Runs) -> None:
    gone = _without("langfuse-a", "langfuse-b", "c")
    runs.apply(_without())
    runs.repository.commit()
    runs.apply(gone)
    runs.existing = ["langfuse-b"]
    assert "has langfuse-b" in runs.problems(gone)[0]


@pytest.mark.parametrize(
    ("before", "existing"),
    [
        (_without(), ["from-vault"]),
        (_without(), ["c"]),
        (_without(marked="langfuse-b"), ["langfuse-b"]),
        (_without("langfuse-b"), ["langfuse-b"]),
    ],
    ids=["another name", "it stays for something else", "never pruned", "was not in it"],
)
def test_what_nobody_prunes_is_handed_over(runs: Runs, before: list[Document], existing: list[str]) -> None:
    runs.apply(before)
    runs.repository.commit()
    runs.existing = existing
    assert runs.problems(_without("langfuse-b")) == []


def test_before_the_first_commit_one_may_change_one_s_mind(runs: Runs) -> None:
    runs.apply(_without())
    runs.existing = ["langfuse-b"]
    assert runs.problems(_without("langfuse-b")) == []


@pytest.mark.parametrize("text", ["- [", "just words", "kind: Secret\n", "kind: Secret\nmetadata: [langfuse-b]\n"])
def test_a_file_of_a_hand_says_nothing(runs: Runs, text: str) -> None:
    runs.apply(_without())
    runs.repository.write(SECRET, text)
    runs.repository.commit()
    runs.existing = ["langfuse-b"]
    assert not [one for one in runs.problems(_without("langfuse-b")) if "existing_secrets" in one]
