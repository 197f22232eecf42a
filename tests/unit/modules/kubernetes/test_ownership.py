"""Whose an object is, and whose a field: what is repaired, and what is left to others with a message."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes import ownership
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import identity_of

from .support import OWNER, entry, made

OURS = made("Service", "langfuse-web", metadata={"managedFields": [entry()]})
BARE = {"name": "langfuse-web", "namespace": "ai-system"}


def _of(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {**BARE, **metadata}}


@pytest.mark.parametrize(
    ("live", "whose"),
    [
        (None, None),
        (OURS, None),
        # Restored from a backup: who wrote it is forgotten, whose it is is not.
        (made("Service", "langfuse-web", metadata={"managedFields": [entry("velero-server", "Update")]}), None),
        (_of(), "somebody else"),
        (_of(managedFields=[entry("kubectl-create", "Update")]), "kubectl-create"),
        (_of(managedFields=[entry("b", "Update", "2026-02"), entry("a", "Update", "2026-01")]), "a"),
        (_of(labels={"app.kubernetes.io/managed-by": "Helm"}, annotations={"meta.helm.sh/release-name": "lf"}), "the Helm release lf"),
        (_of(labels={"kustomize.toolkit.fluxcd.io/name": "langfuse"}), "the Flux Kustomization langfuse"),
        (_of(labels={"argocd.argoproj.io/instance": "lf"}), "the Argo CD application lf"),
        (_of(ownerReferences=[{"kind": "Cluster", "name": "pg", "controller": True}]), "the Cluster pg"),
        # The same name in another namespace, in the gateway's namespace.
        (_of(labels={**OWNER.labels, "llmops.langfuse/namespace": "team-b"}, managedFields=[entry()]), "the instance langfuse in team-b"),
    ],
)  # fmt: skip
def test_an_object_is_ours_by_its_labels(live: dict[str, Any] | None, whose: str | None) -> None:
    assert ownership.foreign(live, OWNER) == whose


def test_a_foreign_object_is_told_with_its_owner_and_the_way_out() -> None:
    told = ownership.foreign_object(identity_of(_of()), "the Helm release lf").as_result()
    assert told["code"] == "foreign_object"
    assert told["msg"].startswith(
        "Service langfuse-web in ai-system is there already and belongs to the Helm release lf."
    )
    assert "langfuse_instance" in told["cure"]


@pytest.mark.parametrize(
    ("live", "alone"),
    [
        (None, False),
        ({"kind": "Namespace", "metadata": {"name": "ai-system", "managedFields": [entry("kubectl-create", "Update")]}}, True),
        ({"kind": "Namespace", "metadata": {"name": "ai-system", "managedFields": [entry()]}}, False),
        (OURS, False),
        (_of(), False),
    ],
)  # fmt: skip
def test_a_namespace_of_others_is_used_as_it_is(live: dict[str, Any] | None, alone: bool) -> None:
    assert ownership.left_alone(live) is alone
    if live and live["kind"] == "Namespace":
        assert ownership.foreign(live, OWNER) is None


def test_an_object_that_flux_applies() -> None:
    labels = {"kustomize.toolkit.fluxcd.io/name": "langfuse", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    assert ownership.flux_of(_of(labels={**OWNER.labels, **labels})) == ("flux-system", "langfuse")
    assert ownership.flux_of(OURS) is None
    told = ownership.by_flux([("flux-system", "langfuse-stores"), ("flux-system", "langfuse")])
    assert told.message == (
        "Flux applies this instance from Git (Kustomization langfuse in flux-system, langfuse-stores in flux-system), "
        "and would set back what is changed from here."
    )
    assert "langfuse_target: gitops" in told.cure


def test_an_instance_that_goes_while_flux_applies_it() -> None:
    told = ownership.by_flux(
        [("flux-system", "langfuse-stores"), ("flux-system", "langfuse"), ("a", "b")], removing=True
    )
    assert told.code == "applied_by_flux" and "would make anew what is removed from here" in told.message
    assert told.cure.startswith(
        "Wait until Flux has pruned it: kubectl get kustomizations -n a and kubectl get kustomizations -n flux-system. "
        "If they stay, the commit is not applied"
    )


def _status(*causes: tuple[str, str]) -> dict[str, Any]:
    """The answer 409, as an API server 1.36 gives it."""
    return {
        "code": 409,
        "reason": "Conflict",
        "details": {
            "causes": [
                {"reason": "FieldManagerConflict", "message": message, "field": field} for message, field in causes
            ]
        },
    }


BY_HAND = ('conflict with "kubectl-edit" using apps/v1', '.spec.template.spec.containers[name="web"].image')
SCALED = ('conflict with "kubectl" with subresource "scale" using apps/v1', ".spec.replicas")
BY_HPA = ('conflict with "kube-controller-manager" with subresource "scale"', ".spec.replicas")


@pytest.mark.parametrize(
    ("causes", "managers", "refused"),
    [
        ([BY_HAND], [entry("kubectl-edit", "Update")], []),
        ([BY_HAND, SCALED], [entry("kubectl-edit", "Update"), entry("kubectl", "Update")], []),
        # The same name, and yet a file somewhere that says it again.
        ([SCALED], [entry("kubectl", "Apply")], ["kubectl"]),
        ([BY_HPA], [entry("kube-controller-manager", "Update")], ["kube-controller-manager"]),
        ([BY_HAND, BY_HPA], [], ["kube-controller-manager"]),
        ([('conflict with "kubectl-client-side-apply" using v1', ".spec.type")], [], ["kubectl-client-side-apply"]),
        # Where the Kustomization is there, nothing comes as far as this.
        ([('conflict with "kustomize-controller" using apps/v1', ".spec.replicas")], [entry("kustomize-controller")], []),
        ([('conflicts with "before-first-apply" using v1', ".spec.type")], [], []),
    ],
)  # fmt: skip
def test_a_hand_is_repaired_and_a_manager_is_not(
    causes: list[tuple[str, str]], managers: list[dict[str, Any]], refused: list[str]
) -> None:
    conflicts = ownership.conflicts_of(_status(*causes))
    assert len(conflicts) == len(causes)
    live = made("Deployment", "langfuse-web", metadata={"managedFields": [entry(), *managers]})
    assert [one.manager for one in ownership.refused_conflicts(conflicts, live)] == refused


def test_a_conflict_about_something_else_is_none_of_fields() -> None:
    assert ownership.conflicts_of({"code": 409, "reason": "Conflict", "message": "the object has been modified"}) == []
    for reason, message in (("FieldValueInvalid", BY_HAND[0]), ("FieldManagerConflict", "of a form that is not known")):
        assert ownership.conflicts_of({"details": {"causes": [{"reason": reason, "message": message}]}}) == []


HANDS = (
    "kubectl",
    "kubectl-edit",
    "kubectl-patch",
    "kubectl-replace",
    "kubectl-label",
    "kubectl-annotate",
    "kubectl-set",
)


@pytest.mark.parametrize("manager", HANDS)
def test_what_tools_of_people_call_themselves(manager: str) -> None:
    conflicts = ownership.conflicts_of(_status((f'conflict with "{manager}" using v1', ".spec.type")))
    live = made("Service", "langfuse-web", metadata={"managedFields": [entry(), entry(manager, "Update")]})
    assert not ownership.refused_conflicts(conflicts, live)


def test_foreign_fields_are_named_with_who_sets_them() -> None:
    conflicts = ownership.conflicts_of(_status(BY_HPA))
    told = ownership.foreign_fields(identity_of(made("Deployment", "langfuse-web")), conflicts).as_result()
    assert told["msg"].startswith(
        "Deployment langfuse-web in ai-system has fields that kube-controller-manager sets: spec.replicas."
    )
    assert "langfuse_autoscaling" in told["cure"] and told["managers"] == ["kube-controller-manager"]
