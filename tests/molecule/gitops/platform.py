"""What the instance finds: a cluster with Flux, whose repository a platform's team keeps, and an age key.

`python -m tests.molecule.gitops.platform up`.
"""

from __future__ import annotations

import shutil

from tests.bench.cluster import control_plane
from tests.bench.cluster import flux as bench
from tests.bench.cluster.api import Object
from tests.integration.cluster import flux
from tests.integration.cluster.flux import Repository
from tests.molecule.gitops.instance import CHECKOUT, GITOPS, IDENTITY, RECIPIENT, SOURCE, STEPS, TREE
from tests.molecule.instance import EPHEMERAL
from tests.molecule.kubernetes import platform
from tests.molecule.kubernetes.instance import LAYOUT, api

_KUSTOMIZE = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
# What the platform applies before any instance: name of the Kustomization → its namespace.
_BEFORE = {"coredns": "kube-system", "cloudnative-pg": "cnpg-system"}
ALL = "cluster-apps"


def up() -> None:
    EPHEMERAL.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_key()
    platform.up(GITOPS, (*platform.ADDITIONS, "flux"))
    platform.open_migration(GITOPS)
    shutil.rmtree(CHECKOUT, ignore_errors=True)
    shutil.rmtree(LAYOUT.sources / "git" / f"{SOURCE}.git", ignore_errors=True)
    repository = Repository.new(LAYOUT, SOURCE, CHECKOUT)
    _write_platform(repository)
    revision = repository.push("What the cluster has for everybody")
    api().apply([flux.age_secret(IDENTITY.read_text()), flux.source(SOURCE, repository.url), *_kustomizations()])
    found = flux.Flux(api())
    found.fetch(SOURCE, revision)
    found.wait_applied(ALL, revision)


def _make_key() -> None:
    identity, recipient = flux.new_identity(LAYOUT)
    IDENTITY.touch(mode=0o600)
    IDENTITY.write_text(identity)
    RECIPIENT.write_text(recipient)


def _settings(name: str, namespace: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}


def _write_platform(repository: Repository) -> None:
    for name, namespace in _BEFORE.items():
        repository.write(f"kubernetes/platform/{name}/it.yaml", _settings(f"platform-{name}", namespace))
    repository.write(f"{TREE.parent}/settings.yaml", _settings("cluster-settings", bench.NAMESPACE))
    name_instance(there=False)


def name_instance(*, there: bool) -> None:
    """Whether the platform's own files name the instance's directory."""
    named = ["./settings.yaml", *([f"./{TREE.name}"] if there else [])]
    GITOPS.repository.write(f"{TREE.parent}/kustomization.yaml", {**_KUSTOMIZE, "resources": named})


def _kustomizations() -> list[Object]:
    found = [flux.kustomization(ALL, SOURCE, f"./{TREE.parent}", wait=False)]
    for name, namespace in _BEFORE.items():
        one = flux.kustomization(name, SOURCE, f"./kubernetes/platform/{name}")
        one["metadata"]["namespace"] = namespace
        one["spec"]["sourceRef"]["namespace"] = bench.NAMESPACE
        found.append(one)
    return found


def down() -> None:
    """What Flux has applied goes by Flux; then the rest, and the cluster, if `up` has started it."""
    if control_plane.is_up(LAYOUT) and not platform.STARTED.exists() and api().find(f"/apis/{flux.KUSTOMIZE}"):
        found = flux.Flux(api())
        for name, namespace in ((ALL, bench.NAMESPACE), *_BEFORE.items()):
            found.remove({name} & set(found.kustomizations(namespace)), namespace)
        # Those that the platform's own had made.
        found.remove(name for name in found.kustomizations() if name in STEPS)
    platform.down(GITOPS)
    shutil.rmtree(CHECKOUT, ignore_errors=True)
    for path in (IDENTITY, RECIPIENT):
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    up()
