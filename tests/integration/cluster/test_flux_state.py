"""What `diagnose` asks an API server of Flux, and whether another run is let through: its kinds are known, its controllers are not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.flux import look, state
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.apply import Applier, Options
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import Cluster
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Owner

from tests.bench.cluster import manifests
from tests.bench.cluster.api import Api, Object
from tests.bench.cluster.layout import Layout
from tests.integration.cluster.own_server import api_server
from tests.integration.cluster.running import LAYOUT

pytestmark = [pytest.mark.engine]
HOME, FLUX = "ai-system", "flux-system"
OWNER = Owner("langfuse", HOME)
NAMES = ("langfuse-stores", "langfuse-migrate", "langfuse")
SOURCE = ("GitRepository", FLUX, "flux-system")
TREE = state.Tree(FLUX, NAMES, SOURCE, "sops-age", "kubernetes/apps/ai-system/langfuse")
KUSTOMIZE, SOURCES = "kustomize.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1"
OLD, NEW = ("main@sha1:" + digit * 40 for digit in "ab")
_MARKS = {"kustomize.toolkit.fluxcd.io/name": "langfuse", "kustomize.toolkit.fluxcd.io/namespace": FLUX}


class Server:
    """An API server that knows Flux's kinds."""

    def __init__(self, layout: Layout, api: Api) -> None:
        self.api, self.cluster = api, Cluster(str(layout.kubeconfig))

    def looked_at(self) -> state.Seen:
        return look.look(self.cluster, TREE, HOME)

    def rows(self) -> list[dict[str, str]]:
        return state.judge(TREE, self.looked_at())

    def says(self, kind: str, name: str, status: Object) -> None:
        """As its controller would write it."""
        group, plural = (SOURCES, "gitrepositories") if kind == "GitRepository" else (KUSTOMIZE, "kustomizations")
        path = f"/apis/{group}/namespaces/{FLUX}/{plural}/{name}/status"
        self.api.call("PATCH", path, {"status": status}, "application/merge-patch+json")


def _object(api: str, kind: str, name: str, namespace: str = FLUX, **content: Any) -> Object:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **content}


def _condition(kind: str, status: str, reason: str, message: str) -> Object:
    when = "2026-01-01T00:00:00Z"
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": when}


def _ready(revision: str = NEW) -> Object:
    done = _condition("Ready", "True", "ReconciliationSucceeded", f"Applied revision: {revision}")
    return {"conditions": [done], "lastAppliedRevision": revision}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with api_server() as (layout, api):
        found = Server(layout, api)
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (HOME, FLUX))
        # What is said before there is any Flux.
        assert [row["code"] for row in found.rows()] == ["absent"]
        for source in (manifests.KUSTOMIZE_CONTROLLER, manifests.SOURCES, manifests.HELM_CONTROLLER):
            published = manifests.ensure(LAYOUT, source, {})
            manifests.apply(api, [one for one in published if one["kind"] == "CustomResourceDefinition"])
        yield found


@pytest.fixture
def applied(server: Server) -> Server:
    """Source and Kustomizations, all of them ready."""
    spec = {
        "interval": "1h",
        "prune": True,
        "path": "./x",
        "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
    }
    source = _object(
        SOURCES, "GitRepository", "flux-system", spec={"url": "https://git.example.com/x", "interval": "1h"}
    )
    server.api.apply([source, *(_object(KUSTOMIZE, "Kustomization", name, spec=spec) for name in NAMES)])
    artifact = {
        "path": "x",
        "revision": NEW,
        "url": "http://x",
        "digest": f"sha256:{'0' * 64}",
        "lastUpdateTime": "2026-01-01T00:00:00Z",
    }
    server.says(
        "GitRepository",
        "flux-system",
        {"artifact": artifact, "conditions": [_condition("Ready", "True", "Succeeded", "x")]},
    )
    for name in NAMES:
        server.says("Kustomization", name, _ready())
    return server


def test_all_is_well(applied: Server) -> None:
    assert applied.rows() == []
    assert state.applied(TREE, applied.looked_at()).endswith("langfuse of flux-system at main@sha1:bbbbbbbbbb")


def test_what_is_said_is_read(applied: Server) -> None:
    applied.says(
        "Kustomization",
        "langfuse",
        {"conditions": [_condition("Ready", "False", "BuildFailed", 'secrets "sops-age" not found')]},
    )
    applied.says("Kustomization", "langfuse-stores", _ready(OLD))
    assert [(row["code"], row["object"]) for row in applied.rows()] == [
        ("behind", "Kustomization langfuse-stores of flux-system"),
        ("decryption", "Kustomization langfuse of flux-system"),
    ]


def test_why_it_is_tried_again(applied: Server) -> None:
    applied.says(
        "Kustomization",
        "langfuse",
        {"conditions": [_condition("Ready", "Unknown", "Progressing", "Reconciliation in progress")]},
    )
    assert [row["code"] for row in applied.rows()] == ["progressing"]
    about = {"apiVersion": KUSTOMIZE, "kind": "Kustomization", "name": "langfuse", "namespace": FLUX}
    event = _object(
        "v1", "Event", "langfuse.1", type="Warning", reason="HealthCheckFailed", message="timeout waiting for: [x]"
    )
    applied.api.apply([{**event, "involvedObject": about, "lastTimestamp": "2026-01-01T00:00:00Z"}])
    assert [row["code"] for row in applied.rows()] == ["health"]


def test_what_flux_has_left(applied: Server) -> None:
    secret = _object("v1", "Secret", "langfuse-credentials", HOME, stringData={"SALT": "x"})
    secret["metadata"]["labels"] = {**OWNER.labels, **_MARKS}
    applied.api.apply([secret])
    (row,) = applied.rows()
    assert (row["code"], row["object"]) == ("kept", "Secret langfuse-credentials of ai-system")
    entries = [{"id": "ai-system_langfuse-credentials__Secret", "v": "v1"}]
    applied.says("Kustomization", "langfuse", {**_ready(), "inventory": {"entries": entries}})
    assert applied.rows() == []


def test_whoever_applies_it_from_here_is_told(applied: Server) -> None:
    """While there is such a Kustomization. What it leaves behind when it goes is nobody's."""
    service = _object("v1", "Service", "langfuse-web", HOME, spec={"ports": [{"port": 3000}]})
    service["metadata"]["labels"] = {**OWNER.labels, **_MARKS}
    applied.api.apply([service])
    wanted = [{"object": {**service, "metadata": {**service["metadata"], "labels": OWNER.labels}}, "wave": 1}]
    run = Applier(applied.cluster, OWNER, Options(), check_mode=True)
    with pytest.raises(Failure) as refused:
        run.run(wanted)
    assert refused.value.code == "applied_by_flux" and "langfuse in flux-system" in refused.value.message
    applied.api.delete(f"/apis/{KUSTOMIZE}/namespaces/{FLUX}/kustomizations/langfuse")
    run.run(wanted)
