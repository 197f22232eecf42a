"""The least that an account must be allowed to do, as roles to give it and as questions to the API server."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import KINDS, Wanted
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.operators import GROUPS
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.rights import (
    Right,
    helpful,
    needed,
    reviews,
    roles,
    told,
)

from ...documents.kubernetes.support import CONFIGURATIONS, manifests
from .support import OWNER, made

SHARED = [Wanted(one.object, int(one.wave), one.sensitive) for one in manifests(CONFIGURATIONS["shared"])]


def _verbs(rights: list[Right], resource: str, namespace: str = "ai-system") -> tuple[str, ...]:
    (right,) = [one for one in rights if (one.resource, one.namespace) == (resource, namespace)]
    return right.verbs


@pytest.mark.parametrize(
    ("resource", "namespace", "verbs"),
    [
        ("deployments", "ai-system", ("create", "delete", "get", "list", "patch")),
        ("jobs", "ai-system", ("create", "delete", "get", "list", "patch")),
        ("httproutes", "network", ("create", "delete", "get", "list", "patch")),
        ("referencegrants", "storage", ("create", "delete", "get", "list", "patch")),
        # Without the right to remove them nobody can do it by mistake.
        ("statefulsets", "ai-system", ("create", "get", "list", "patch")),
        ("clusters", "ai-system", ("create", "get", "list", "patch")),
        ("databases", "ai-system", ("create", "get", "list", "patch")),
        ("namespaces", "", ("create", "get", "list", "patch")),
        ("persistentvolumeclaims", "ai-system", ("list",)),
        ("gateways", "network", ("get",)),
        ("pods", "ai-system", ("get", "list")),
        ("pods/log", "ai-system", ("get",)),
        ("pods/portforward", "ai-system", ("create", "get")),
        ("events", "ai-system", ("list",)),
        ("resourcequotas", "ai-system", ("list",)),
        ("storageclasses", "", ("list",)),
    ],
)
def test_what_is_needed(resource: str, namespace: str, verbs: tuple[str, ...]) -> None:
    assert _verbs(needed(SHARED, OWNER), resource, namespace) == verbs


def test_services_of_others_are_reached_with_little() -> None:
    rights = needed(SHARED, OWNER, ["cache"])
    assert {one.resource: one.verbs for one in rights if one.namespace == "cache"} == {
        "pods": ("get", "list"),
        "pods/portforward": ("create", "get"),
        "services": ("get",),
    }


def test_what_connect_writes_for_others_may_be_written_and_no_more() -> None:
    rights = needed(SHARED, OWNER, (), {"chat": ["configmaps", "secrets"], "ai-system": ["secrets"]})
    verbs = ("create", "delete", "get", "patch")
    assert {one.resource: one.verbs for one in rights if one.namespace == "chat"} == {
        "configmaps": verbs,
        "secrets": verbs,
    }
    assert _verbs(rights, "secrets") == ("create", "delete", "get", "list", "patch")


def test_secrets_of_others_are_read() -> None:
    """Also where the instance makes none of its own."""
    volume = {"name": "a", "secret": {"secretName": "theirs"}}
    reader = Wanted(made("Deployment", "web", spec={"template": {"spec": {"volumes": [volume]}}}), 5)
    assert _verbs(needed([reader], OWNER), "secrets") == ("get",)


@pytest.mark.parametrize("given", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_every_object_of_the_filter_may_be_applied_and_nothing_is_a_wildcard(given: dict[str, Any]) -> None:
    wanted = [Wanted(one.object, int(one.wave)) for one in manifests(given)]
    rights = needed(wanted, OWNER)
    plurals = {kind.name: kind.plural for kind in KINDS}
    for one in wanted:
        verbs = _verbs(rights, plurals[one.identity.kind], one.identity.namespace)
        assert {"get", "patch", "create"} <= set(verbs), one.identity
    assert "*" not in str(rights)


def test_a_namespace_of_others_is_only_looked_at() -> None:
    assert _verbs(needed([one for one in SHARED if one.identity.kind != "Namespace"], OWNER), "namespaces", "") == (
        "get",
    )


def test_a_gateway_in_the_routes_own_namespace_is_read_there() -> None:
    route = made("HTTPRoute", "langfuse", "gateways", spec={"parentRefs": [{"name": "front"}]})
    assert _verbs(needed([Wanted(route, 7)], OWNER), "gateways", "gateways") == ("get",)


def test_a_kind_of_a_patch_is_asked_for_as_well() -> None:
    assert "delete" in _verbs(needed([Wanted(made("Gizmo", "x"), 1)], OWNER), "gizmos")


def test_roles_are_one_for_each_namespace_and_one_for_the_cluster() -> None:
    found = {
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]): one
        for one in roles(needed(SHARED, OWNER), OWNER)
    }
    assert {one["apiVersion"] for one in found.values()} == {"rbac.authorization.k8s.io/v1"}
    assert set(found) == {
        ("ClusterRole", None, "ai-system-langfuse-deployer"),
        *(("Role", namespace, "langfuse-deployer") for namespace in ("ai-system", "network", "storage")),
    }
    assert found["Role", "network", "langfuse-deployer"]["rules"] == [
        {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["gateways"], "verbs": ["get"]},
        {
            "apiGroups": ["gateway.networking.k8s.io"],
            "resources": ["httproutes"],
            "verbs": ["create", "delete", "get", "list", "patch"],
        },
    ]


def test_what_is_only_of_help_is_not_demanded() -> None:
    gateway = "gateway.networking.k8s.io"
    routes = [Right("", gateway, each, ("list",)) for each in ("referencegrants", "httproutes")]
    operators = [Right("", "apps", "deployments", ("list",))]
    defaults = [Right("ai-system", "", "limitranges", ("list",))]
    assert helpful(SHARED, OWNER) == [*routes, *operators, *defaults]
    assert helpful([one for one in SHARED if one.identity.group != gateway], OWNER) == [*operators, *defaults]
    assert helpful([one for one in SHARED if one.identity.group not in GROUPS], OWNER) == [*routes, *defaults]
    assert not [one for one in needed(SHARED, OWNER) if one in helpful(SHARED, OWNER)]


def test_each_verb_is_a_question_of_its_own() -> None:
    found = reviews([Right("ai-system", "apps", "deployments", ("get", "patch")), Right("", "", "pods/log", ("get",))])
    assert [right.verbs for right, _review in found] == [("get",), ("patch",), ("get",)]
    assert {(one["apiVersion"], one["kind"]) for _right, one in found} == {
        ("authorization.k8s.io/v1", "SelfSubjectAccessReview")
    }
    assert found[1][1]["spec"]["resourceAttributes"] == {
        "namespace": "ai-system",
        "verb": "patch",
        "group": "apps",
        "resource": "deployments",
    }
    attributes = found[2][1]["spec"]["resourceAttributes"]
    assert (attributes["resource"], attributes["subresource"]) == ("pods", "log")


def test_what_may_not_be_done_is_a_line_for_each_resource() -> None:
    missing = [Right("ai-system", "apps", "deployments", (verb,)) for verb in ("create", "patch")]
    assert told([*missing, Right("", "", "namespaces", ("get",))]) == [
        "get namespaces in the whole cluster",
        "create, patch deployments.apps in ai-system",
    ]
