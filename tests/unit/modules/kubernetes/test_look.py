"""Where an instance is looked for, and what stands in the way of its objects."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import ApiError
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.look import (
    Found,
    appliers,
    look,
    places,
    refusals,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import KINDS, Wanted
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.prune import prune

from .support import OWNER, made

WEB = Wanted(made("Service", "langfuse-web"), 1)
GRANT = Wanted({**made("ReferenceGrant", "langfuse"), "apiVersion": "gateway.networking.k8s.io/v1"}, 7)
ROUTE = Wanted(made("HTTPRoute", "langfuse", "network"), 7)


def test_every_kind_is_looked_for_in_the_namespace_of_the_instance() -> None:
    found = [(kind.name, namespace) for kind, namespace, _wanted in places([], OWNER, ())]
    assert found == [(kind.name, "ai-system") for kind in KINDS if kind.namespaced]


def test_elsewhere_only_for_what_may_be_there() -> None:
    found = {(kind.name, namespace): wanted for kind, namespace, wanted in places([ROUTE], OWNER, ["edge"])}
    assert [key for key in found if key[1] == "edge"] == [("ReferenceGrant", "edge"), ("HTTPRoute", "edge")]
    assert found["HTTPRoute", "network"] and not found["HTTPRoute", "edge"] and not found["HTTPRoute", "ai-system"]
    assert not [name for name, namespace in found if namespace == "network" and name != "HTTPRoute"]


def test_kinds_are_looked_for_in_the_version_that_is_wanted() -> None:
    versions = {kind.name: kind.api for kind, _namespace, _wanted in places([GRANT], OWNER, ())}
    assert versions["ReferenceGrant"] == "gateway.networking.k8s.io/v1"
    assert versions["HTTPRoute"] == "gateway.networking.k8s.io/v1"


def test_missing_kinds_and_names_that_are_taken_are_told_together() -> None:
    theirs = made("Service", "langfuse-web", metadata={"labels": {"app.kubernetes.io/managed-by": "Helm"}})
    theirs["metadata"].update(name="langfuse-web", namespace="ai-system")
    missing = frozenset({(GRANT.object["apiVersion"], "ReferenceGrant")})
    found = refusals([WEB, GRANT, GRANT], Found({WEB.identity: theirs}, missing, ()), OWNER)
    assert [one.code for one in found] == ["foreign_object", "missing_kind"]


def test_what_is_ours_or_not_there_stands_in_nobodys_way() -> None:
    assert refusals([WEB, ROUTE], Found({WEB.identity: WEB.object}, frozenset(), ()), OWNER) == []


class Cluster:
    """Has these Kustomizations, and lets nobody see those that are closed."""

    def __init__(self, *names: str, closed: str = "") -> None:
        self.names, self.closed = names, closed

    def get(self, kind: Any, namespace: str, name: str) -> dict[str, Any] | None:
        assert (kind.name, namespace) == ("Kustomization", "flux-system")
        if name == self.closed:
            raise ApiError({"code": 403, "reason": "Forbidden", "message": "no"})
        return {} if name in self.names else None


def _by_flux(name: str, labels: str) -> dict[str, Any]:
    marks = {"kustomize.toolkit.fluxcd.io/name": labels, "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    return made("Service", name, metadata={"labels": {**OWNER.labels, **marks}})


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        (Cluster("langfuse", "langfuse-stores"), ["langfuse", "langfuse-stores"]),
        # Its labels are left behind by one that was removed.
        (Cluster("langfuse"), ["langfuse"]),
        (Cluster(), []),
        (Cluster(closed="langfuse"), ["langfuse"]),
    ],
)
def test_who_applies_the_instance(cluster: Any, expected: list[str]) -> None:
    live = [_by_flux("a", "langfuse"), _by_flux("b", "langfuse"), _by_flux("c", "langfuse-stores"), WEB.object]
    assert appliers(cluster, live) == [("flux-system", name) for name in expected]


def test_what_flux_applies_is_refused_in_one_sentence() -> None:
    found = Found({WEB.identity: _by_flux("langfuse-web", "langfuse")}, frozenset(), (), [("flux-system", "langfuse")])
    (told,) = refusals([WEB, ROUTE], found, OWNER)
    assert told.code == "applied_by_flux"


class Routes:
    """Has this route and grants, and answers for the whole cluster only where it is not closed."""

    LIVE = (
        made("HTTPRoute", "langfuse", "gateways"),
        made("HTTPRoute", "langfuse", "network"),
        {**made("ReferenceGrant", "langfuse-network-access", "storage"), "apiVersion": GRANT.object["apiVersion"]},
    )

    def __init__(self, closed: bool = False, served: bool = True) -> None:
        self.closed, self.served = closed, served

    def list(self, kind: Any, namespace: str, selector: str = "") -> list[dict[str, Any]] | None:
        assert selector == OWNER.selector
        if kind.name not in ("HTTPRoute", "ReferenceGrant"):
            return []
        if self.closed and not namespace:
            raise ApiError({"code": 403, "reason": "Forbidden", "message": "no"})
        there = [one for one in self.LIVE if one["kind"] == kind.name]
        return [one for one in there if namespace in ("", one["metadata"]["namespace"])] if self.served else None


@pytest.mark.parametrize(
    ("cluster", "elsewhere", "goes", "unseen"),
    [
        (Routes(), ("gateways",), ["network", "storage"], []),
        (Routes(closed=True), ("gateways",), [], ["referencegrants in other namespaces", "httproutes in other namespaces"]),
        (Routes(closed=True), ("gateways", "storage"), ["storage"], ["referencegrants in other namespaces", "httproutes in other namespaces"]),
    ],
)  # fmt: skip
def test_a_route_goes_with_the_namespace_that_the_settings_no_longer_name(
    cluster: Any, elsewhere: Collection[str], goes: list[str], unseen: list[str]
) -> None:
    now = Wanted(made("HTTPRoute", "langfuse", "gateways"), 7)
    found = look(cluster, [now], OWNER, elsewhere)
    verdicts = prune(found.live.values(), [now.identity], OWNER)
    assert [one.identity.namespace for one in verdicts] == goes
    assert now.identity in found.live and found.unseen == unseen


def test_a_gateway_that_nobody_serves_is_missing_and_not_unseen() -> None:
    found = look(Routes(served=False), [ROUTE], OWNER)  # type: ignore[arg-type]
    assert (found.missing, found.unseen) == ({("gateway.networking.k8s.io/v1", "HTTPRoute")}, [])
