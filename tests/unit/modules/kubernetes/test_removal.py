"""In which order an instance goes, and what goes with it only when that is confirmed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.apply import Options
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.look import Found
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import identity_of, in_removal_order
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.prune import KEEP, REMOVE, prune
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.removal import (
    Outcome,
    Remover,
    confirmed,
    phases,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.waiting import grace, not_ended

from ...documents.kubernetes.support import CONFIGURATIONS, manifests
from .support import OWNER, made

STORE = made("StatefulSet", "langfuse-valkey", spec={"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain"}})
TAKES_ITS_VOLUME = made("StatefulSet", "langfuse-valkey", spec={"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}})  # fmt: skip
CLAIM = made("PersistentVolumeClaim", "data-langfuse-valkey-0")
KEYS = made("Secret", "langfuse-credentials", data={"SALT": "x"})


@pytest.mark.parametrize("given", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_ways_in_go_first_and_what_is_read_goes_last(given: dict[str, Any]) -> None:
    found = [identity_of(one.object) for one in manifests(given)]
    groups = phases(in_removal_order(found))
    assert sorted(one for group in groups for one in group) == sorted(found)
    place = {one.kind: number for number, group in enumerate(groups) for one in group}
    assert all(len({place[one.kind] for one in group}) == 1 for group in groups)
    stores = [place[kind] for kind in ("StatefulSet", "Cluster") if kind in place]
    assert place["Deployment"] == place["Job"] < min([*stores, 90])
    assert place["Deployment"] < place["Secret"] == place["Service"] > max([*stores, 0])
    for kind in ("HTTPRoute", "Ingress", "HorizontalPodAutoscaler", "ScaledObject", "ServiceMonitor"):
        assert place.get(kind, -1) < place["Deployment"]
    for kind in ("NetworkPolicy", "CiliumNetworkPolicy", "PersistentVolumeClaim"):
        assert place.get(kind, 99) > max([*stores, 0])


@pytest.mark.parametrize(
    ("live", "data", "named", "action"),
    [
        (STORE, False, (), REMOVE),
        (TAKES_ITS_VOLUME, False, (), KEEP),
        (TAKES_ITS_VOLUME, True, (), REMOVE),
        (CLAIM, False, (), KEEP),
        (CLAIM, False, ("PersistentVolumeClaim/data-langfuse-valkey-0",), REMOVE),
        (CLAIM, True, (), REMOVE),
        (KEYS, False, (), KEEP),
        (KEYS, True, (), REMOVE),
        (made("Cluster", "langfuse-postgresql"), False, (), KEEP),
        (made("Cluster", "langfuse-postgresql"), True, (), REMOVE),
    ],
)
def test_data_goes_only_when_it_is_confirmed(live: dict[str, Any], data: bool, named: tuple[str, ...], action: str) -> None:  # fmt: skip
    (verdict,) = prune([live], (), OWNER, confirmed([live], data, named), "")
    assert verdict.action == action and "langfuse_kubernetes_remove" not in verdict.why


def test_what_flux_applies_is_not_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would come back."""
    found = Found({identity_of(STORE): STORE}, frozenset(), (), [("flux-system", "langfuse")])
    monkeypatch.setattr(Remover, "_look", lambda _self: found)
    nobody: Any = None
    with pytest.raises(Failure) as refused:
        Remover(nobody, OWNER, Options(), check_mode=True, data=False).remove([])
    assert refused.value.code == "applied_by_flux"
    assert "Wait until Flux has pruned it: kubectl get kustomizations -n flux-system" in refused.value.cure


def test_what_is_told() -> None:
    verdicts = prune([STORE, CLAIM], (), OWNER, confirmed([STORE, CLAIM], False), "")
    told = Outcome(verdicts, (), ()).as_result()
    assert told["changed"] and told["removed"] == ["StatefulSet langfuse-valkey in ai-system"]
    assert told["kept"] == [{"object": str(identity_of(CLAIM)), "why": "holds the volume and its data"}]
    assert [one["before_header"] for one in told["diff"]] == told["removed"]
    assert not Outcome(prune([CLAIM], (), OWNER, (), ""), (), ()).as_result()["changed"]


@pytest.mark.parametrize(
    ("pod", "seconds"),
    [
        ({"metadata": {"name": "p", "deletionGracePeriodSeconds": 5}, "spec": {"terminationGracePeriodSeconds": 125}}, 5),
        ({"metadata": {"name": "p"}, "spec": {"terminationGracePeriodSeconds": 125}}, 125),
        ({"metadata": {"name": "p", "deletionGracePeriodSeconds": 0}, "spec": {}}, 0),
        ({"metadata": {"name": "p"}}, 30),
    ],
)  # fmt: skip
def test_how_long_a_pod_may_take(pod: dict[str, Any], seconds: int) -> None:
    assert grace(pod) == seconds


def _state(kind: str) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "web", "state": {kind: {}}}]}


@pytest.mark.parametrize(
    ("status", "warned", "why"),
    [
        ({}, "", ""),
        (_state("running"), "", ": web still runs"),
        (_state("terminated"), "", ": its containers have ended"),
        (_state("running"), "langfuse-web-1", ": web still runs; FailedKillPod: error killing pod"),
        (_state("running"), "langfuse-web-2", ": web still runs"),
    ],
)
def test_a_pod_that_stays_is_told_with_its_node(status: dict[str, Any], warned: str, why: str) -> None:
    pod = made("Pod", "langfuse-web-1", spec={"nodeName": "node-7"}, status=status)
    times = {"2026-01-01T00:00:02Z": "error killing pod", "2026-01-01T00:00:01Z": "an older one"}
    events = [
        {
            "metadata": {"name": f"{warned}.{said}"},
            "type": "Warning",
            "reason": "FailedKillPod",
            "message": said,
            "involvedObject": {"name": warned},
            "lastTimestamp": time,
        }
        for time, said in times.items()
    ]
    failure = not_ended(pod, 300, events)
    seen = "Pod langfuse-web-1 in ai-system on the node node-7 is still there 300 s after it was to end"
    assert failure.message == f"{seen}{why}."
