"""What the instance finds: a cluster with Flux, whose repository a platform's team keeps, and an age key.

`python -m tests.molecule.gitops.platform up`.
"""

from __future__ import annotations

import shutil
import subprocess

from tests.bench import encryption
from tests.bench.cluster import control_plane, programs
from tests.bench.cluster import flux as bench
from tests.bench.cluster.api import Object
from tests.integration.cluster import flux
from tests.integration.cluster.flux import Repository
from tests.molecule.gitops.instance import CHECKOUT, GITOPS, IDENTITY, RECIPIENT, SOURCE, TREE
from tests.molecule.instance import EPHEMERAL, wait_until
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
    encryption.ensure()
    made = subprocess.run([programs.executable(LAYOUT, programs.AGE)], check=True, capture_output=True, text=True)
    IDENTITY.touch(mode=0o600)
    IDENTITY.write_text(made.stdout)
    RECIPIENT.write_text(next(line.split()[-1] for line in made.stdout.splitlines() if "public key" in line))


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
    if control_plane.is_up(LAYOUT) and not platform.STARTED.exists():
        places = [(ALL, bench.NAMESPACE), *_BEFORE.items()]
        root = f"/apis/{flux.KUSTOMIZE}"
        for name, namespace in places:
            path = f"{root}/namespaces/{namespace}/kustomizations/{name}"
            if api().find(f"{root}/kustomizations") and api().find(path):
                api().delete(path)
                wait_until(f"{name} is gone", lambda path=path: api().find(path) is None, 120)  # type: ignore[misc]
    platform.down(GITOPS)
    shutil.rmtree(CHECKOUT, ignore_errors=True)
    for path in (IDENTITY, RECIPIENT):
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    up()
