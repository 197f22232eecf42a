"""Identities, waves and orders of kinds, held against what the filter really returns."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import (
    KINDS,
    Identity,
    Owner,
    group_of,
    identity_of,
    in_removal_order,
    in_waves,
)

from ...documents.kubernetes.support import CONFIGURATIONS, derived, manifests

EACH = pytest.mark.parametrize("given", CONFIGURATIONS.values(), ids=CONFIGURATIONS)


def test_an_identity_is_told_as_people_say_it() -> None:
    route = {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "HTTPRoute", "metadata": {"name": "a", "namespace": "b"}}  # fmt: skip
    newer = {**route, "apiVersion": "gateway.networking.k8s.io/v1"}
    assert identity_of(route) == identity_of(newer)
    assert (str(identity_of(route)), identity_of(route).short) == ("HTTPRoute a in b", "HTTPRoute/a")
    assert str(identity_of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "b"}})) == "Namespace b"


@EACH
def test_every_kind_of_the_filter_has_a_place(given: dict[str, Any]) -> None:
    known = {(kind.api, kind.name): kind for kind in KINDS}
    for manifest in manifests(given):
        kind = known[manifest.object["apiVersion"], manifest.object["kind"]]
        assert kind.namespaced is bool(manifest.object["metadata"].get("namespace"))


@EACH
def test_everything_but_the_namespace_is_found_by_its_owner(given: dict[str, Any]) -> None:
    plan = derived(given).plan
    owner = Owner(plan["instance"], plan["kubernetes"]["namespace"])
    for manifest in manifests(given):
        assert owner.has(manifest.object) is (manifest.identity[0] != "Namespace"), manifest.identity


def test_a_route_of_another_namespace_of_the_same_name_is_another_ones() -> None:
    """Both are in the namespace of the gateway, and only this tells them apart."""
    (route,) = [one.object for one in manifests(CONFIGURATIONS["shared"]) if one.identity[0] == "HTTPRoute"]
    assert route["metadata"]["namespace"] == "network"
    assert Owner("langfuse", "ai-system").has(route) and not Owner("langfuse", "team-b").has(route)
    assert Owner("langfuse", "ai-system").selector.endswith(
        "app.kubernetes.io/instance=langfuse,llmops.langfuse/namespace=ai-system"
    )


@EACH
def test_waves_keep_what_others_need_in_front(given: dict[str, Any]) -> None:
    waves = in_waves([one.as_data() for one in reversed(manifests(given))])
    assert sum(map(len, waves)) == len(manifests(given))
    assert [wave[0].wave for wave in waves] == sorted({int(one.wave) for one in manifests(given)})
    order = [one.identity.kind for wave in waves for one in wave]
    for first, then in (
        ("Namespace", "Secret"),
        ("Secret", "StatefulSet"),
        ("StatefulSet", "Job"),
        ("Job", "Deployment"),
    ):
        if first in order and then in order:
            assert order.index(first) < order.index(then)
    (configuration,) = [wave for wave in waves if wave[0].wave == 1]
    places = [[kind.name for kind in KINDS].index(one.identity.kind) for one in configuration]
    assert places == sorted(places)


def test_ways_in_go_before_what_they_lead_to() -> None:
    names = ("Secret", "HTTPRoute", "Deployment", "NetworkPolicy", "Unknown")
    apis = {kind.name: group_of(kind.api) for kind in KINDS}
    found = in_removal_order(Identity(apis.get(name, "example.com"), name, "a", "x") for name in names)
    assert [one.kind for one in found] == ["Unknown", "HTTPRoute", "Deployment", "NetworkPolicy", "Secret"]
