"""The instance of the scenario: what its repository has, and what Flux has made of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.bench import encryption
from tests.bench.cluster import flux as bench
from tests.integration.cluster import flux
from tests.integration.cluster.flux import Flux, Repository
from tests.molecule.instance import EPHEMERAL
from tests.molecule.kubernetes.instance import LAYOUT, NAME, NAMESPACE, ClusterInstance, api
from tests.waiting import wait_until

CHECKOUT = EPHEMERAL / "checkout"
IDENTITY = EPHEMERAL / "age-identity"
RECIPIENT = EPHEMERAL / "age-recipient"
# As Flux's bootstrap calls it.
SOURCE = "flux-system"
TREE = Path("kubernetes/apps", NAMESPACE, NAME)
STEPS = (f"{NAME}-stores", f"{NAME}-migrate", NAME)


@dataclass(frozen=True)
class GitopsInstance(ClusterInstance):
    """One instance whose objects Flux applies from a checkout's repository."""

    def kept(self) -> dict[str, str]:
        """Without Helm's own record of a release, which goes with it."""
        return {name: uid for name, uid in super().kept().items() if "sh.helm.release" not in name}

    @property
    def repository(self) -> Repository:
        return Repository(SOURCE, CHECKOUT, f"{bench.shelf(LAYOUT)}/git/{SOURCE}.git")

    @property
    def tree(self) -> Path:
        return CHECKOUT / TREE

    def files(self) -> dict[str, bytes]:
        """Path in the tree → content; without what the tree remembers of itself, which changes with any of them."""
        found = (path for path in self.tree.rglob("*") if path.is_file() and not path.name.startswith("."))
        return {str(path.relative_to(self.tree)): path.read_bytes() for path in sorted(found)}

    def deliver(self, message: str, steps: Sequence[str] = STEPS, seconds: float = 240) -> str:
        """Commit and push, and wait until Flux has applied that and found it ready."""
        revision = self.repository.push(message)
        found = Flux(api())
        found.fetch(SOURCE, revision)
        for name in steps:
            found.wait_applied(name, revision, seconds)
        return revision

    def steps(self) -> list[str]:
        """Kustomizations that the tree has now."""
        found = yaml.safe_load_all((self.tree / "ks.yaml").read_text())
        return [one["metadata"]["name"] for one in found]

    def reconcile(self) -> None:
        """Have Flux look at everything once more, and wait until it has."""
        found = Flux(api())
        before = {name: found.handled(name) for name in self.steps()}
        for name in before:
            found.reconcile(name)
        wait_until("all are reconciled", lambda: all(found.handled(name) != at for name, at in before.items()), 120)
        for name in before:
            found.wait_applied(name, self.repository.push())


def ciphertexts(content: bytes) -> list[bytes]:
    """Encrypted values of a file, one a line; what SOPS writes about itself changes with any of them."""
    return [line for line in content.splitlines() if b"ENC[" in line and not re.match(rb"\s*mac:", line)]


def git(*words: str) -> str:
    return flux.git(CHECKOUT, *words)


@contextmanager
def programs() -> Iterator[None]:
    """With SOPS on the path, as people have it who write such trees."""
    before = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join([*map(str, encryption.ensure()), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


GITOPS = GitopsInstance("molecule-gitops", "langfuse_gitops", NAME, NAMESPACE, scenario="gitops")
