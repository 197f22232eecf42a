"""What an object still waits for, as its own status tells."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.readiness import state_of

from .support import condition, made


def _deployment(generation: int = 2, **status: Any) -> dict[str, Any]:
    whole = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, **status}
    return made("Deployment", "langfuse-web", metadata={"generation": generation}, spec={"replicas": 2}, status=whole)


def _set(wanted: int = 1, **status: Any) -> dict[str, Any]:
    whole = {
        "observedGeneration": 1,
        "replicas": 1,
        "readyReplicas": 1,
        "currentRevision": "a",
        "updateRevision": "a",
        **status,
    }
    return made(
        "StatefulSet", "langfuse-clickhouse", metadata={"generation": 1}, spec={"replicas": wanted}, status=whole
    )


def _cluster(annotations: dict[str, str] | None = None, **status: Any) -> dict[str, Any]:
    metadata = {"annotations": annotations} if annotations else {}
    return made("Cluster", "langfuse-postgresql", metadata=metadata, spec={"instances": 2}, status=status)


def _pooler(**status: Any) -> dict[str, Any]:
    return made("Pooler", "p", spec={"instances": 2}, status=status)


def _route(*conditions: dict[str, str]) -> dict[str, Any]:
    parents = [{"parentRef": {"name": "envoy-external"}, "conditions": list(conditions)}] if conditions else []
    return made("HTTPRoute", "langfuse", status={"parents": parents})


def _clickhouse(*conditions: dict[str, str], replicas: int = 3, **status: Any) -> dict[str, Any]:
    status = {"observedGeneration": 2, "conditions": list(conditions), **status}
    return made("ClickHouseCluster", "langfuse", metadata={"generation": 2}, spec={"replicas": replicas}, status=status)


HOPELESS = ("gave up", "nothing: ", "(failed)")
LATE = condition("Progressing", "False", reason="ProgressDeadlineExceeded", message="ReplicaSet has timed out")
ASLEEP = {"cnpg.io/hibernation": "on"}


@pytest.mark.parametrize(
    ("live", "waits_for"),
    [
        (_deployment(), ""),
        (_deployment(generation=3), "its controller to see it"),
        (_deployment(updatedReplicas=1), "1 of 2 new pods to be made"),
        (_deployment(replicas=2, updatedReplicas=2, availableReplicas=1), "1 of 2 pods to be ready"),
        (_deployment(replicas=3), "1 old pod to end"),
        (_deployment(conditions=[LATE], availableReplicas=0), "its pods, and gave up: ReplicaSet has timed out"),
        (_set(), ""),
        (_set(readyReplicas=0), "1 of 1 pods to be ready"),
        (_set(updateRevision="b"), "its pods to be made anew"),
        (_set(0), "1 pod to end"),
        (_set(1, replicas=3), "2 pods to end"),
        (_set(0, replicas=0, readyReplicas=0, updateRevision="b"), ""),
        (made("Job", "m", status={"active": 1}), "its pod to end"),
        (made("Job", "m", status={"conditions": [condition("Complete")]}), ""),
        (made("Job", "m", status={"conditions": [condition("Failed", message="backoff limit")]}), "nothing: it failed, backoff limit"),
        (_cluster(readyInstances=2, phase="Cluster in healthy state"), ""),
        (_cluster(readyInstances=1, phase="Creating a new replica"), "1 of 2 servers to be ready (Creating a new replica)"),
        (_cluster(), "2 of 2 servers to be ready (nobody has begun)"),
        (_cluster(readyInstances=2, phase="Upgrading cluster"), "the operator (Upgrading cluster)"),
        (_cluster(ASLEEP), "its servers to go to sleep"),
        (_cluster(ASLEEP, conditions=[condition("cnpg.io/hibernation")]), ""),
        (_clickhouse(condition("Ready")), ""),
        (_clickhouse(condition("Ready"), observedGeneration=1), "its controller to see it"),
        (_clickhouse(condition("Ready", "False", message="Keeper has no leader")), "the operator (Keeper has no leader)"),
        (_clickhouse(condition("Ready", "False", reason="SomeShardsNotReady")), "the operator (SomeShardsNotReady)"),
        (_clickhouse(), "the operator (nobody has begun)"),
        (_clickhouse(condition("SpecValid", "False", message="no image")), "nothing: the operator refuses it, no image"),
        (_clickhouse(replicas=0, readyReplicas=1), "1 server to end"),
        (_clickhouse(replicas=0), ""),
        (made("Database", "d", status={"applied": True}), ""),
        (made("Database", "d", metadata={"generation": 2}, status={"applied": True, "observedGeneration": 1}), "the operator to make it (not tried yet)"),
        (made("Database", "d", status={"applied": False, "message": "role does not exist"}), "the operator to make it (role does not exist)"),
        (_pooler(instances=1), "1 of its pods"),
        (_pooler(instances=2), ""),
        (_pooler(instances=2, phase="inactive", phaseReason="no such cluster"), "the operator (no such cluster)"),
        (_pooler(instances=2, phase="failed"), "the operator (failed)"),
        (_pooler(instances=2, phase="active"), ""),
        (_route(), "a gateway to take it"),
        (_route(condition("Accepted"), condition("ResolvedRefs")), ""),
        (_route(condition("Accepted", "False", message="no listener")), "the gateway envoy-external (no listener)"),
        (_route(condition("Accepted"), condition("SomethingElse", "False", message="x")), ""),
        (_route(condition("Accepted"), condition("ResolvedRefs", "False", reason="RefNotPermitted")), "the gateway envoy-external (RefNotPermitted)"),
        (made("PersistentVolumeClaim", "c", status={"phase": "Pending"}), "a volume (Pending)"),
        (made("PersistentVolumeClaim", "c", status={"phase": "Bound"}), ""),
        (made("ScaledObject", "s"), "KEDA (has not seen it yet)"),
        (made("ScaledObject", "s", status={"conditions": [condition("Paused", "False"), condition("Ready")]}), ""),
        (made("ScaledObject", "s", status={"conditions": [condition("Active"), condition("Ready", "False", message="no such queue")]}), "KEDA (no such queue)"),
        (made("PersistentVolumeClaim", "c"), "a volume (not asked for yet)"),
        (_cluster(readyInstances=2), "the operator (nobody has begun)"),
        (_cluster(readyInstances=2, phase="Upgrading cluster", phaseReason="no image"), "the operator (Upgrading cluster: no image)"),
        (_cluster(phase="Setting up primary", phaseReason="no room"), "2 of 2 servers to be ready (Setting up primary: no room)"),
        (made("Namespace", "ai-system", status={"phase": "Terminating"}), "nothing: it is being removed"),
        (made("Namespace", "ai-system", status={"phase": "Active"}), ""),
        (made("ConfigMap", "langfuse"), ""),
        (made("Service", "langfuse-web", status={"loadBalancer": {}}), ""),
    ],
)  # fmt: skip
def test_what_it_waits_for(live: dict[str, Any], waits_for: str) -> None:
    state = state_of(live)
    assert (state.waits_for, state.ready) == (waits_for, not waits_for)
    assert state.hopeless is any(words in waits_for for words in HOPELESS)


@pytest.mark.parametrize("servers", [0, 2])
@pytest.mark.parametrize(
    "phase",
    [
        "Cluster is unrecoverable and needs manual intervention",
        "Invalid cluster definition",
        "Waiting for user action",
        "Cluster cannot proceed to reconciliation due to an unknown plugin being required",
    ],
)
def test_what_postgresql_does_not_get_out_of_by_itself(phase: str, servers: int) -> None:
    state = state_of(_cluster(readyInstances=servers, phase=phase, phaseReason="x"))
    assert not state.ready and state.hopeless and f"{phase}: x" in state.waits_for


def _with_role(**status: Any) -> dict[str, Any]:
    live = _cluster(readyInstances=2, phase="Cluster in healthy state", managedRolesStatus=status)
    roles = [{"name": "reader"}, {"name": "langfuse", "passwordSecret": {"name": "credentials"}}]
    live["spec"]["managed"] = {"roles": roles}
    return live


@pytest.mark.parametrize(
    ("status", "waits_for"),
    [
        ({"passwordStatus": {"langfuse": {"resourceVersion": "7"}}}, ""),
        ({"passwordStatus": {"langfuse": {"resourceVersion": "6"}}}, "the operator to give langfuse its password"),
        ({}, "the operator to give langfuse its password"),
        (
            {"cannotReconcile": {"langfuse": ["no key password", "x"]}},
            "the operator to give langfuse its password (no key password; x)",
        ),
    ],
)
def test_the_password_is_that_of_the_secret_as_it_is(status: dict[str, Any], waits_for: str) -> None:
    state = state_of(_with_role(**status), {"credentials": "7", "other": "9"})
    assert (state.waits_for, state.ready) == (waits_for, not waits_for)


def test_what_is_not_known_of_a_secret_is_not_waited_for() -> None:
    """Somebody else keeps it, or nobody has servers."""
    assert state_of(_with_role(), {"other": "9"}).ready
    asleep = _cluster(ASLEEP, conditions=[condition("cnpg.io/hibernation")])
    asleep["spec"]["managed"] = _with_role()["spec"]["managed"]
    assert state_of(asleep, {"credentials": "7"}).ready


def test_no_password_before_servers() -> None:
    live = _with_role()
    live["status"]["readyInstances"] = 0
    assert "2 of 2 servers" in state_of(live, {"credentials": "7"}).waits_for
