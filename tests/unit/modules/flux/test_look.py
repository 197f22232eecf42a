"""What is asked of the cluster: no more than needed, and what may not be read is left out."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.flux import state
from ansible_collections.llmops.langfuse.plugins.module_utils.flux.look import inventory, look
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import ApiError
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Kind

from .objects import NAMES, SOURCE, TREE, Found, condition, event, failed, kustomization, made, ready, source

HOME = "ai-system"
_DENIED = {"code": 403, "reason": "Forbidden", "message": "no"}


class Cluster:
    """Objects by kind. Kinds in `closed` may not be read; those that are not in `served` are not known."""

    def __init__(self, *objects: Found, closed: tuple[str, ...] = (), old: bool = False, flux: bool = True) -> None:
        self.objects, self.closed, self.old, self.flux = objects, closed, old, flux
        self.selectors: list[str] = []

    def kind(self, api: str, name: str) -> Kind | None:
        served = not self.old or api.endswith("/v1beta2")
        return Kind(api, name, name.lower()) if served else None

    def get(self, kind: Kind, namespace: str, name: str) -> Found | None:
        found = [one for one in self.list(kind, namespace) or () if one["metadata"]["name"] == name]
        return found[0] if found else None

    def list(self, kind: Kind, namespace: str, selector: str = "") -> list[Found] | None:
        if kind.name in self.closed:
            raise ApiError(_DENIED)
        if kind.name == "Kustomization" and not self.flux:
            return None
        if selector:
            self.selectors.append(selector)
        return [one for one in self.objects if one["kind"] == kind.name and one["metadata"]["namespace"] == namespace]


def found(*objects: Found, **options: Any) -> state.Seen:
    return look(Cluster(*objects, **options), TREE, HOME)  # type: ignore[arg-type]


def _applied(name: str, *entries: tuple[str, str], **content: Any) -> Found:
    rows = [{"id": place, "v": version} for place, version in entries]
    return kustomization(name, ready(), status={"inventory": {"entries": rows}}, **content)


OWN = [kustomization(name, ready()) for name in NAMES]


def test_what_is_named_is_looked_at() -> None:
    seen = found(*OWN[:2], source(), kustomization("other", ready()))
    assert [key[2] for key, one in seen.objects.items() if key[0] == "Kustomization" and one] == list(NAMES[:2])
    assert seen.objects["Kustomization", "flux-system", "langfuse"] is None
    assert seen.objects[SOURCE] is not None
    assert not seen.events and not seen.controllers and not seen.kept


def test_a_cluster_without_flux() -> None:
    assert found(flux=False).unserved == ("Kustomization",)


def test_an_account_that_may_not_see_it() -> None:
    with pytest.raises(Failure) as refused:
        found(closed=("Kustomization",))
    assert refused.value.message


def test_an_older_flux_has_older_sources() -> None:
    assert found(*OWN, source(), old=True).objects[SOURCE] is not None


def test_dependencies_are_looked_at_where_they_are() -> None:
    spec = {"dependsOn": [{"name": "near"}, {"name": "far", "namespace": "cnpg-system"}, {"name": "langfuse"}]}
    near = kustomization("near", ready())
    far = made("Kustomization", "far", ready(), namespace="cnpg-system")
    waiting = kustomization("langfuse-stores", ready(), spec=spec)
    seen = found(waiting, near, far, source())
    assert seen.objects["Kustomization", "flux-system", "near"] == near
    assert seen.objects["Kustomization", "cnpg-system", "far"] == far
    assert found(waiting, source()).objects["Kustomization", "cnpg-system", "far"] is None


def test_the_release_is_found_where_a_kustomization_has_applied_it() -> None:
    entries = [
        ("ai-system_langfuse_helm.toolkit.fluxcd.io_HelmRelease", "v2"),
        ("ai-system_langfuse_source.toolkit.fluxcd.io_HelmRepository", "v1"),
        ("ai-system_langfuse-web__Service", "v1"),
    ]
    release = made("HelmRelease", "langfuse", namespace=HOME, status={"helmChart": "ai-system/ai-system-langfuse"})
    chart = made("HelmChart", "ai-system-langfuse", failed("x", "y"), namespace=HOME)
    controllers = [
        made("Deployment", name) for name in ("helm-controller", "kustomize-controller", "notification-controller")
    ]
    seen = found(_applied("langfuse", *entries), release, chart, source(), *controllers)
    kinds = {key[0] for key in seen.objects}
    assert {"HelmRelease", "HelmRepository", "HelmChart"} <= kinds and "Service" not in kinds
    assert seen.objects["HelmChart", HOME, "ai-system-langfuse"] == chart
    assert [one["metadata"]["name"] for one in seen.controllers] == ["helm-controller", "kustomize-controller"]
    assert [one["metadata"]["name"] for one in found(*OWN, *controllers).controllers] == ["kustomize-controller"]


def test_names_with_a_colon_are_one_name() -> None:
    """The inventory writes it as two underscores, and separates by one."""
    found = _applied("langfuse", ("_a__b_rbac.authorization.k8s.io_ClusterRole", "v1"), ("x_web__Service", "v1"))
    assert [(kind.api, key) for kind, key in inventory(found)] == [
        ("rbac.authorization.k8s.io/v1", ("ClusterRole", "", "a__b")),
        ("v1", ("Service", "x", "web")),
    ]


def test_events_are_asked_for_while_something_is_at_work() -> None:
    last = {
        **event("langfuse", "BuildFailed", "x", "2026"),
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "flux-system"},
    }
    working = kustomization("langfuse", condition("Ready", "Unknown", "Progressing", "x"))
    assert found(*OWN, last).events == []
    assert found(*OWN[:2], working, last).events == [last]


def test_what_flux_has_made_and_has_no_more() -> None:
    store, other = (
        made("StatefulSet", name, namespace=HOME, apiVersion="apps/v1") for name in ("valkey", "clickhouse")
    )
    # The next run makes it again.
    policy = made("Secret", "smtp", namespace=HOME, apiVersion="v1", data={"SMTP_CONNECTION_URL": "x"})
    has = _applied("langfuse-stores", ("ai-system_clickhouse_apps_StatefulSet", "v1"))
    cluster = Cluster(has, *OWN[1:], store, other, policy, source())
    assert [one["metadata"]["name"] for one in look(cluster, TREE, HOME).kept] == ["valkey"]  # type: ignore[arg-type]
    names = ",".join(NAMES)
    assert set(cluster.selectors) == {
        f"kustomize.toolkit.fluxcd.io/name in ({names}),kustomize.toolkit.fluxcd.io/namespace=flux-system"
    }


def test_what_may_not_be_read_is_left_out() -> None:
    closed = ("Event", "Deployment", "Secret", "StatefulSet", "HelmRelease")
    entry = ("ai-system_langfuse_helm.toolkit.fluxcd.io_HelmRelease", "v2")
    seen = found(_applied("langfuse", entry), *OWN[:2], source(), closed=closed)
    assert state.judge(TREE, seen) == []
