"""Flux on the bench: its own controllers decrypt, apply, wait, order and prune; a stand-in fetches for them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.bench.cluster import flux as bench
from tests.bench.cluster.api import Object
from tests.bench.cluster.sources import shelf
from tests.integration.cluster import flux
from tests.integration.cluster.flux import Flux, Repository
from tests.integration.cluster.running import LAYOUT, Namespace, Running

pytestmark = pytest.mark.long
CANARY = "Warbler-in-the-tree"


@dataclass(frozen=True)
class Keys:
    identity: str
    recipient: str


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys(*flux.new_identity(LAYOUT))


@pytest.fixture(scope="module")
def controllers(running: Running) -> Flux:
    running.add("flux")
    return Flux(running.api)


@pytest.fixture
def repository(controllers: Flux, namespace: Namespace, tmp_path: Path) -> Iterator[Repository]:
    """Of the namespace's name, known to the cluster."""
    made = Repository.new(LAYOUT, namespace.name, tmp_path / "checkout")
    controllers.api.apply([flux.source(made.name, made.url)])
    yield made
    # Before the namespace: what they made goes with them.
    controllers.remove(name for name in controllers.kustomizations() if name.startswith(namespace.name))
    controllers.api.delete(controllers.path(flux.SOURCE, "gitrepositories", made.name))


def settings(namespace: str, name: str, **annotations: str) -> Object:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"price": "${not_ours} $5"}}


def web(namespace: Namespace, image: str, command: str) -> Object:
    labels = {"app": "web"}
    container = {
        "name": "web",
        "image": image,
        "command": ["sh", "-c", command],
        "readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1},
    }
    pod = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace.name},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def test_secrets_are_decrypted_and_others_wait_until_the_first_are_ready(
    controllers: Flux, repository: Repository, namespace: Namespace, keys: Keys
) -> None:
    name, place = namespace.name, f"/api/v1/namespaces/{namespace.name}"
    metadata = {"name": "keys", "namespace": name}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"SALT": CANARY}}
    repository.write("first/secret.sops.yaml", secret)
    flux.encrypt(LAYOUT, keys.recipient, repository.checkout / "first/secret.sops.yaml")
    assert CANARY not in (repository.checkout / "first/secret.sops.yaml").read_text()
    repository.write("first/web.yaml", web(namespace, namespace.running.image, "sleep 3; touch /tmp/ready; sleep 1000"))
    repository.write("second/settings.yaml", settings(name, "settings"))
    first = flux.kustomization(f"{name}-first", repository.name, "./first")
    first["spec"]["decryption"] = {"provider": "sops", "secretRef": {"name": flux.AGE_SECRET}}
    second = flux.kustomization(f"{name}-second", repository.name, "./second", dependsOn=[{"name": f"{name}-first"}])
    revision = repository.push()
    controllers.api.delete("/api/v1/namespaces/flux-system/secrets/sops-age")

    controllers.api.apply([first, second])
    controllers.fetch(repository.name, revision)
    controllers.wait_told(f"{name}-first", flux.AGE_SECRET)
    controllers.wait_told(f"{name}-second", "dependency", f"{name}-first")
    assert controllers.api.find(f"{place}/secrets/keys") is None

    controllers.api.apply([flux.age_secret(keys.identity)])
    controllers.wait_applied(f"{name}-first", revision)
    controllers.wait_applied(f"{name}-second", revision)
    kept = controllers.api.get(f"{place}/secrets/keys")["data"]["SALT"]
    assert base64.b64decode(kept).decode() == CANARY
    deployment = controllers.api.get(f"/apis/apps/v1/namespaces/{name}/deployments/web")
    (since,) = [
        each["lastTransitionTime"]
        for each in deployment["status"]["conditions"]
        if (each["type"], each["status"]) == ("Available", "True")
    ]
    applied = controllers.api.get(f"{place}/configmaps/settings")
    assert applied["metadata"]["creationTimestamp"] >= since
    assert applied["data"] == {"price": "${not_ours} $5"}, "something was substituted that nobody asked for"


def test_what_left_the_tree_is_pruned_unless_it_says_otherwise(
    controllers: Flux, repository: Repository, namespace: Namespace
) -> None:
    name, place = namespace.name, f"/api/v1/namespaces/{namespace.name}/configmaps"
    repository.write("app/gone.yaml", settings(name, "gone"))
    repository.write("app/kept.yaml", settings(name, "kept", **{"kustomize.toolkit.fluxcd.io/prune": "disabled"}))
    repository.write("app/there.yaml", settings(name, "there"))
    revision = repository.push()
    controllers.api.apply([flux.kustomization(f"{name}-app", repository.name, "./app")])
    controllers.fetch(repository.name, revision)
    controllers.wait_applied(f"{name}-app", revision)

    for each in ("gone", "kept"):
        (repository.checkout / f"app/{each}.yaml").unlink()
    revision = repository.push("Less")
    controllers.fetch(repository.name, revision)
    controllers.wait_applied(f"{name}-app", revision)
    found = {each: controllers.api.find(f"{place}/{each}") is not None for each in ("gone", "kept", "there")}
    assert found == {"gone": False, "kept": True, "there": True}


def test_what_does_not_become_ready_is_told(controllers: Flux, repository: Repository, namespace: Namespace) -> None:
    name = namespace.name
    repository.write("app/web.yaml", web(namespace, namespace.running.image, "sleep 1000"))
    revision = repository.push()
    # Less than half a minute it does not wait; what it says is gone once it tries again, as it does at once where the source was
    # fetched meanwhile.
    slow = {"timeout": "30s", "retryInterval": "1h"}
    controllers.api.apply([flux.kustomization(f"{name}-app", repository.name, "./app", **slow)])
    controllers.fetch(repository.name, revision)
    controllers.wait_told(f"{name}-app", "health check", f"Deployment/{name}/web", seconds=120)


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "chart"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 1.2.3\n")
    (folder / "templates" / "settings.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {a: {{ .Values.a | quote }}}\n"
    )
    return folder


@pytest.mark.parametrize("kind", ["HelmRepository", "OCIRepository", "GitRepository"])
def test_a_release_is_installed_and_patched(
    controllers: Flux, repository: Repository, namespace: Namespace, chart: Path, kind: str
) -> None:
    name, address = namespace.name, bench.shelf(LAYOUT)
    metadata = {"name": "small", "namespace": name}
    reference: Object = {"kind": kind, "name": "small"}
    wanted: Object = {"chart": {"spec": {"chart": "small", "version": "1.2.3", "sourceRef": reference}}}
    spec: Object = {"interval": "1h", "url": f"{address}/charts"}
    if kind == "HelmRepository":
        shelf.helm_repository(LAYOUT.sources, chart)
    elif kind == "OCIRepository":
        shelf.registry(LAYOUT.sources, f"{name}/small", chart)
        spec["url"], spec["ref"] = f"oci://{address.removeprefix('http://')}/{name}/small", {"tag": "1.2.3"}
        wanted = {"chartRef": reference}
    else:
        chart.rename(repository.checkout / "small")
        repository.push()
        spec["url"], spec["ref"] = repository.url, {"branch": shelf.BRANCH}
        wanted["chart"]["spec"]["chart"] = "./small"
    patch = {
        "patch": '[{"op": "add", "path": "/data/b", "value": "2"}]',
        "target": {"kind": "ConfigMap", "name": "small"},
    }
    release = {**wanted, "interval": "1h", "values": {"a": "1"}, "postRenderers": [{"kustomize": {"patches": [patch]}}]}

    controllers.api.apply(
        [
            {"apiVersion": flux.SOURCE, "kind": kind, "metadata": metadata, "spec": spec},
            {"apiVersion": flux.HELM, "kind": "HelmRelease", "metadata": metadata, "spec": release},
        ]
    )
    controllers.wait_release("small", name)
    found = controllers.api.get(f"/api/v1/namespaces/{name}/configmaps/small")
    assert found["data"] == {"a": "1", "b": "2"}
