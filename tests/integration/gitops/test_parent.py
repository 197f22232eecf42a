"""Whether the file beside the tree names it, so that it has to change with the tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.gitops.parent import Naming, naming

PARENT = "kubernetes/apps/ai-system"
PATH = f"{PARENT}/langfuse"


def _named(root: Path, text: str, name: str = "kustomization.yaml") -> tuple[str, ...]:
    (root / PARENT).mkdir(parents=True)
    (root / PARENT / name).write_text(text)
    found = naming(root, PATH)
    assert found is None or found.file == f"{PARENT}/{name}"
    return found.entries if found else ()


@pytest.mark.parametrize(
    ("resources", "entries"),
    [
        ("[./langfuse]", ("./langfuse",)),
        ("[langfuse/, ./litellm]", ("langfuse/",)),
        ("[./litellm/ks.yaml, ./langfuse/ks.yaml]", ("./langfuse/ks.yaml",)),
        ("[../ai-system/langfuse]", ("../ai-system/langfuse",)),
        ("[./langfuse-old, ./litellm, https://example.com/langfuse]", ()),
        ("[{a: langfuse}, 1]", ()),
        ("langfuse", ()),
        ("", ()),
    ],
)
def test_what_names_it(tmp_path: Path, resources: str, entries: tuple[str, ...]) -> None:
    assert _named(tmp_path, f"kind: Kustomization\nresources: {resources}\n") == entries


@pytest.mark.parametrize("name", ["kustomization.yml", "Kustomization"])
def test_other_names_of_that_file(tmp_path: Path, name: str) -> None:
    assert _named(tmp_path, "resources: [./langfuse]\n", name) == ("./langfuse",)


@pytest.mark.parametrize(
    "text",
    ["{", "- ./langfuse\n", "\x00", "resources: [\udcff]\n".encode("utf-8", "surrogateescape").decode("latin-1")],
)
def test_what_cannot_be_read_names_nothing(tmp_path: Path, text: str) -> None:
    assert _named(tmp_path, text) == ()


def test_a_tree_at_the_root(tmp_path: Path) -> None:
    assert naming(tmp_path, PATH) is None
    (tmp_path / "kustomization.yaml").write_text("resources: [langfuse]\n")
    assert naming(tmp_path, "langfuse") == Naming("kustomization.yaml", ("langfuse",))
