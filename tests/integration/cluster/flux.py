"""Repositories that Flux reconciles, and what Flux says of them: what a platform's team does with git and the command line of Flux."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.bench import encryption
from tests.bench.cluster import flux as bench
from tests.bench.cluster import programs
from tests.bench.cluster.api import Api, Object, has_condition
from tests.bench.cluster.layout import Layout
from tests.bench.cluster.sources import shelf
from tests.bench.cluster.sources.artifacts import REQUESTED
from tests.bench.shell import run
from tests.waiting import wait_until

KUSTOMIZE = "kustomize.toolkit.fluxcd.io/v1"
SOURCE = "source.toolkit.fluxcd.io/v1"
HELM = "helm.toolkit.fluxcd.io/v2"
AGE_SECRET = "sops-age"
_GIT = ("git", "-c", "user.name=Platform", "-c", "user.email=platform@example.com")


def git(folder: Path, *words: str) -> str:
    return run([*_GIT, "-C", folder, *words])


@dataclass(frozen=True)
class Repository:
    """A checkout, and the bare repository that it is pushed to, which the cluster reads over HTTP."""

    name: str
    checkout: Path
    url: str

    @classmethod
    def new(cls, layout: Layout, name: str, checkout: Path) -> Repository:
        bare = shelf.repository(layout.sources, name)
        run([*_GIT, "clone", "--quiet", bare, checkout])
        git(checkout, "symbolic-ref", "HEAD", f"refs/heads/{shelf.BRANCH}")
        return cls(name, checkout, f"{bench.shelf(layout)}/git/{name}.git")

    def write(self, path: str, *objects: Object) -> None:
        target = self.checkout / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(yaml.safe_dump_all(objects))

    def push(self, message: str = "It") -> str:
        """All that changed, as one commit; the revision that Flux will name."""
        git(self.checkout, "add", "--all")
        if git(self.checkout, "status", "--porcelain"):
            git(self.checkout, "commit", "--quiet", f"--message={message}")
            git(self.checkout, "push", "--quiet", "origin", f"HEAD:{shelf.BRANCH}")
        return f"{shelf.BRANCH}@sha1:{git(self.checkout, 'rev-parse', 'HEAD').strip()}"


def source(name: str, url: str) -> Object:
    """The GitRepository that Kustomizations name, looked at when it is asked for."""
    metadata = {"name": name, "namespace": bench.NAMESPACE}
    spec = {"url": url, "interval": "1h", "ref": {"branch": shelf.BRANCH}}
    return {"apiVersion": SOURCE, "kind": "GitRepository", "metadata": metadata, "spec": spec}


def kustomization(name: str, repository: str, path: str, **spec: Any) -> Object:
    metadata = {"name": name, "namespace": bench.NAMESPACE}
    reference = {"kind": "GitRepository", "name": repository}
    given = {"interval": "1h", "retryInterval": "2s", "timeout": "1m", "prune": True, "wait": True, **spec}
    return {
        "apiVersion": KUSTOMIZE,
        "kind": "Kustomization",
        "metadata": metadata,
        "spec": {"path": path, "sourceRef": reference, **given},
    }


def age_secret(identity: str) -> Object:
    """What decrypts in the cluster; the key's name ends as Flux wants it."""
    metadata = {"name": AGE_SECRET, "namespace": bench.NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"age.agekey": identity}}


def new_identity(layout: Layout) -> tuple[str, str]:
    """What age-keygen prints, and its public key."""
    encryption.ensure()
    made = run([programs.executable(layout, programs.AGE)])
    return made, next(line.split()[-1] for line in made.splitlines() if "public key" in line)


def encrypt(layout: Layout, recipient: str, path: Path) -> None:
    """In place, as the guide's rule has it."""
    sops = programs.executable(layout, programs.SOPS)
    run([sops, "encrypt", "--in-place", "--age", recipient, "--encrypted-regex", "^(data|stringData)$", path])


@dataclass(frozen=True)
class Flux:
    """What the command line of Flux asks the API server."""

    api: Api

    def path(self, version: str, resource: str, name: str, namespace: str = bench.NAMESPACE) -> str:
        return f"/apis/{version}/namespaces/{namespace}/{resource}/{name}"

    def kustomizations(self, namespace: str = bench.NAMESPACE) -> list[str]:
        found = self.api.get(f"/apis/{KUSTOMIZE}/namespaces/{namespace}/kustomizations")["items"]
        return [one["metadata"]["name"] for one in found]

    def remove(self, names: Iterable[str], namespace: str = bench.NAMESPACE) -> None:
        """Kustomizations, and by them what they have applied."""
        gone = set(names)
        for name in gone:
            self.api.delete(self.path(KUSTOMIZE, "kustomizations", name, namespace))
        wait_until(f"no Kustomization {gone}", lambda: not gone & set(self.kustomizations(namespace)), 120)

    def kustomization(self, name: str) -> Object:
        found: Object = self.api.get(self.path(KUSTOMIZE, "kustomizations", name))
        return found

    def fetch(self, repository: str, revision: str) -> None:
        """`flux reconcile source git`: ask for a look, and wait until it has this revision."""
        path = self.path(SOURCE, "gitrepositories", repository)
        self._ask(path)
        self.api.wait(path, lambda one: self._revision(one) == revision, f"{repository} at {revision}")

    def _revision(self, repository: Object) -> str:
        return str((repository.get("status", {}).get("artifact") or {}).get("revision", ""))

    def _ask(self, path: str) -> None:
        annotation = {"metadata": {"annotations": {REQUESTED: f"{time.time()}-{uuid.uuid4().hex[:4]}"}}}
        self.api.call("PATCH", path, annotation, "application/merge-patch+json")

    def reconcile(self, name: str) -> None:
        """`flux reconcile kustomization`, without its wait."""
        self._ask(self.path(KUSTOMIZE, "kustomizations", name))

    def handled(self, name: str) -> str:
        """The last request of `reconcile` that was answered."""
        return str(self.kustomization(name).get("status", {}).get("lastHandledReconcileAt", ""))

    def wait_applied(self, name: str, revision: str, seconds: float = 120) -> Object:
        """Until the Kustomization is ready at this revision; a failure at it is told with what Flux says."""
        path = self.path(KUSTOMIZE, "kustomizations", name)
        said: list[str] = []

        def ready() -> Object | None:
            found = self.api.find(path)
            if found is None:
                return None
            said[:] = [
                f"{each['type']}={each['status']} {each['reason']}: {each['message']}" for each in conditions(found)
            ]
            applied = found.get("status", {}).get("lastAppliedRevision") == revision
            current = found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"]
            return found if applied and current and has_condition(found, "Ready") else None

        try:
            done: Object = wait_until(f"Kustomization {name} at {revision}", ready, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {said}") from None
        return done

    def wait_told(self, name: str, *pieces: str, seconds: float = 120) -> str:
        """Until the Kustomization is not ready and says all of it."""

        said: list[str] = []

        def told() -> str:
            text = message(self.api.find(self.path(KUSTOMIZE, "kustomizations", name)) or {})
            said[:] = [text]
            return text if all(piece in text for piece in pieces) else ""

        try:
            return str(wait_until(f"Kustomization {name} says {pieces}", told, seconds))
        except AssertionError as error:
            raise AssertionError(f"{error}: {said}") from None

    def wait_release(self, name: str, namespace: str, seconds: float = 120) -> Object:
        def ready(found: Object) -> bool:
            current = found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"]
            return current and has_condition(found, "Ready")

        path = self.path(HELM, "helmreleases", name, namespace)
        return self.api.wait(path, ready, f"HelmRelease {name}", seconds)


def conditions(found: Object) -> list[Object]:
    given: list[Object] = found.get("status", {}).get("conditions") or []
    return given


def message(found: Object) -> str:
    """What the Ready condition says while it is not true."""
    return next(
        (each["message"] for each in conditions(found) if each["type"] == "Ready" and each["status"] != "True"), ""
    )
