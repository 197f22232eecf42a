"""The number of pods between us, an autoscaler and a hand."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import identity_of
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.ownership import Conflict
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.replicas import (
    KEEPER,
    handed_over,
    taken_back,
)

from .support import entry, made

NUMBER: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
SCALED = made("Deployment", "langfuse-web", spec={"template": {}})
FIXED = made("Deployment", "langfuse-web", spec={"replicas": 2, "template": {}})


def _live(*keepers: dict[str, Any]) -> dict[str, Any]:
    return made("Deployment", "langfuse-web", metadata={"managedFields": list(keepers)}, spec={"replicas": 3})


OURS = {**entry(), "fieldsV1": NUMBER}
CONTROLLERS = {**entry("kube-controller-manager", "Update"), "subresource": "scale", "fieldsV1": NUMBER}
KEPT = {**entry(KEEPER), "fieldsV1": NUMBER}


def test_a_number_that_we_leave_out_gets_a_keeper_with_its_value() -> None:
    assert handed_over(SCALED, _live(OURS)) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "langfuse-web", "namespace": "ai-system"},
        "spec": {"replicas": 3},
    }


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        (SCALED, None),
        (FIXED, _live(OURS)),
        # Somebody keeps it already.
        (SCALED, _live(OURS, CONTROLLERS)),
        (SCALED, _live(entry(), CONTROLLERS)),
        (SCALED, _live(entry(), KEPT)),
        (SCALED, _live(entry())),
        (made("Service", "langfuse-web"), made("Service", "langfuse-web", metadata={"managedFields": [entry()]})),
    ],
)
def test_nothing_is_handed_over(wanted: dict[str, Any], live: dict[str, Any] | None) -> None:
    assert handed_over(wanted, live) is None


def _scaler(kind: str = "HorizontalPodAutoscaler", name: str = "langfuse-web", **more: Any) -> dict[str, Any]:
    target = {"kind": "Deployment", "name": "langfuse-web"}
    return made(kind, name, spec={"scaleTargetRef": target}, **more)


NUMBERS = Conflict("kube-controller-manager", ".spec.replicas")
OF_KEDA = {"ownerReferences": [{"kind": "ScaledObject", "name": "langfuse-web"}]}


@pytest.mark.parametrize(
    ("conflict", "autoscalers", "going", "ours"),
    [
        (NUMBERS, [], [], True),
        (NUMBERS, [_scaler()], [], False),
        # It is removed first.
        (NUMBERS, [_scaler()], [_scaler()], True),
        (NUMBERS, [_scaler(name="keda-hpa", metadata=OF_KEDA | {"name": "keda-hpa"})], [_scaler("ScaledObject")], True),
        (NUMBERS, [_scaler(name="theirs")], [_scaler()], False),
        (Conflict(KEEPER, ".spec.replicas"), [_scaler()], [], True),
        (Conflict("kube-controller-manager", ".spec.paused"), [], [], False),
    ],
)
def test_a_number_that_nobody_scales_is_ours_again(
    conflict: Conflict, autoscalers: list[dict[str, Any]], going: list[dict[str, Any]], ours: bool
) -> None:
    found = taken_back([conflict], _live(CONTROLLERS), autoscalers, [identity_of(one) for one in going])
    assert found == ([conflict] if ours else [])


def test_an_autoscaler_of_another_workload_does_not_count() -> None:
    other = made("HorizontalPodAutoscaler", "x", spec={"scaleTargetRef": {"kind": "Deployment", "name": "x"}})
    assert taken_back([NUMBERS], _live(CONTROLLERS), [other], []) == [NUMBERS]
    # A ScaledObject may leave out that it scales a Deployment.
    short = made("ScaledObject", "x", spec={"scaleTargetRef": {"name": "langfuse-web"}})
    assert taken_back([NUMBERS], _live(CONTROLLERS), [short], []) == []
