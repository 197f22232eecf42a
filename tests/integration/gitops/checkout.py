"""A Git repository with somebody else's files, and trees to write into it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import Document
from ansible_collections.llmops.langfuse.plugins.plugin_utils.gitops.git import Checkout
from ansible_collections.llmops.langfuse.plugins.plugin_utils.gitops.tree import Comparison, Tree
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.secrets import fingerprint_key
from ansible_collections.llmops.langfuse.plugins.plugin_utils.sops import Cipher

PATH = "kubernetes/apps/ai-system/langfuse"
SECRET = f"{PATH}/app/secret.sops.yaml"
WEB = f"{PATH}/app/web.yaml"
KEY = fingerprint_key("0123456789abcdef" * 4)


def secret(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "ai-system"}, "data": data}


def documents(password: str = "canary-one", replicas: int = 1, more: bool = True) -> list[Document]:
    """A small tree: a Secret with two keys and one beside it, a Deployment, what names them."""
    secrets = [secret("langfuse-a", SALT="canary-salt", password=password), secret("langfuse-b", password="1e5")]
    web = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": replicas}}
    found = [
        Document(SECRET, "yaml_all", secrets, sensitive=True),
        Document(WEB, "yaml_all", [web]),
        Document(f"{PATH}/ks.yaml", "yaml_all", [{"kind": "Kustomization"}]),
    ]
    return found + [Document(f"{PATH}/app/more/monitor.yaml", "yaml_all", [{"kind": "ServiceMonitor"}])] * more


@dataclass(frozen=True)
class Repository:
    root: Path

    def git(self, *words: str) -> str:
        command = ["git", "-C", str(self.root), "-c", "user.name=t", "-c", "user.email=t@example.com", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "x", "--allow-empty")

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def files(self) -> dict[str, tuple[bytes, int]]:
        """All files but Git's, with bytes and time of change."""
        return {
            str(path.relative_to(self.root)): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and ".git" not in path.relative_to(self.root).parts
        }


def make(root: Path) -> Repository:
    root.mkdir(parents=True)
    repository = Repository(root)
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.write("README.md", "of somebody else\n")
    repository.write("kubernetes/apps/ai-system/other/app.yaml", "of: somebody else\n")
    repository.commit()
    return repository


@dataclass
class Runs:
    """Runs as the action does them."""

    repository: Repository
    recipients: Sequence[str]
    identity: Path | None
    instance: str = "langfuse"
    path: str = PATH
    overwrite: Sequence[str] = ()
    key: bytes = KEY
    moved: Sequence[str] = ()
    existing: Sequence[str] = ()

    def tree(self) -> Tree:
        return Tree(
            Checkout(str(self.repository.root)),
            self.path,
            self.instance,
            Cipher(self.recipients, str(self.identity) if self.identity else None),
            self.key,
            self.overwrite,
        )

    def compare(self, wanted: Sequence[Document], new: Sequence[str] = ()) -> Comparison:
        return self.tree().compare(wanted, new, self.moved, self.existing)

    def apply(self, wanted: Sequence[Document]) -> Comparison:
        tree = self.tree()
        compared = tree.compare(wanted, moved_stores=self.moved)
        assert compared.problems == [] or compared.problems == ()
        tree.write(compared)
        return compared

    def problems(self, wanted: Sequence[Document], new: Sequence[str] = ()) -> list[str]:
        """What is refused, after which nothing is different."""
        before = self.repository.files()
        found = [str(problem) for problem in self.compare(wanted, new).problems]
        assert self.repository.files() == before
        return found
