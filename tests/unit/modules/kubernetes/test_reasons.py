"""Pods and events of a cluster that does not do what was asked, and the one sentence that says why."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.reasons import explain
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.contract import contract

from .support import condition, made

POD = "langfuse-web-7d9f8b6c5-x2x4z"
WORKLOAD = "langfuse-web"


def _pod(name: str = POD, component: str = "web", **status: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/component": component}
    return made("Pod", name, metadata={"labels": labels}, status=status)


def _waiting(reason: str, message: str = "", last: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    status = {
        "name": "web",
        "image": "langfuse:4.16.0",
        "state": {"waiting": {"reason": reason, "message": message}},
        **more,
    }
    return _pod(containerStatuses=[{**status, "lastState": {"terminated": last} if last else {}}])


def _event(
    reason: str, message: str, kind: str = "Pod", name: str = POD, second: int = 0, **more: Any
) -> dict[str, Any]:
    return {
        "type": "Warning",
        "reason": reason,
        "message": message,
        "involvedObject": {"kind": kind, "name": name},
        "lastTimestamp": f"2026-01-01T00:00:{second:02}Z",
        "metadata": {},
        **more,
    }


def _no_node(message: str) -> dict[str, Any]:
    return _pod(conditions=[condition("PodScheduled", "False", reason="Unschedulable", message=message)])


SET = {"kind": "ReplicaSet", "name": "langfuse-web-7d9f8b6c5"}
QUOTA = (
    'pods "langfuse-web-" is forbidden: exceeded quota: small, requested: limits.memory=2Gi, used: limits.memory=3Gi'
)
SECURITY = 'pods "langfuse-web-" is forbidden: violates PodSecurity "restricted:latest": hostPath volumes'
LIMITS = 'pods "langfuse-web-x" is forbidden: maximum memory usage per Container is 64Mi, but limit is 128Mi'
PULL = 'rpc error: code = NotFound desc = failed to pull and unpack image "langfuse:4.16.0": not found'


@pytest.mark.parametrize(
    ("pods", "events", "code", "sentence", "cure"),
    [
        (
            [],
            [_event("FailedCreate", LIMITS, involvedObject=SET)],
            "limits",
            "do not fit a LimitRange of the namespace: maximum memory usage per Container is 64Mi",
            "langfuse_kubernetes_resources",
        ),
        (
            [],
            [_event("FailedCreate", QUOTA, involvedObject=SET)],
            "quota",
            "do not fit a quota of the namespace: exceeded quota: small",
            "quota raised",
        ),
        (
            [],
            [
                _event(
                    "FailedCreate",
                    'pods "x" is forbidden: failed quota: small: must specify limits.cpu for: web',
                    involvedObject=SET,
                )
            ],
            "quota",
            "do not fit a quota of the namespace: failed quota: small: must specify limits.cpu for: web",
            "langfuse_kubernetes_resources",
        ),
        (
            [],
            [
                _event(
                    "FailedCreate",
                    "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no team",
                    involvedObject=SET,
                )
            ],
            "admission",
            "denied request: no team",
            "forbid",
        ),
        (
            [],
            [_event("FailedCreate", SECURITY, involvedObject=SET)],
            "admission",
            "takes no pods of the ReplicaSet langfuse-web-7d9f8b6c5",
            "langfuse_kubernetes_patches",
        ),
        (
            [],
            [_event("FailedCreate", 'admission webhook "policy" denied the request: no', involvedObject=SET)],
            "admission",
            "policy",
            "forbid",
        ),
        (
            [],
            [
                _event(
                    "FailedCreate",
                    'error looking up service account ai-system/langfuse: serviceaccount "langfuse" not found',
                    involvedObject=SET,
                )
            ],
            "account",
            "langfuse",
            "Run again",
        ),
        ([], [_event("FailedCreate", "the server is on fire", involvedObject=SET)], "creation", "on fire", "Mend"),
        (
            [_no_node("0/3 nodes are available: 3 Insufficient memory.")],
            [],
            "unschedulable",
            f"The pod {POD} has no node: 0/3 nodes are available: 3 Insufficient memory.",
            "langfuse_web_memory",
        ),
        (
            [_no_node("0/1 nodes are available: 1 Insufficient cpu.")],
            [],
            "unschedulable",
            "cpu",
            "langfuse_kubernetes_resources",
        ),
        (
            [_no_node("0/1 nodes are available: 1 node(s) had untolerated taint {ai: true}.")],
            [],
            "unschedulable",
            "taint",
            "langfuse_tolerations",
        ),
        (
            [_no_node("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.")],
            [],
            "unschedulable",
            "selector",
            "langfuse_node_selector",
        ),
        (
            [_no_node("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.")],
            [],
            "unschedulable",
            "unbound",
            "langfuse_storage_class",
        ),
        ([_no_node("no nodes available to schedule pods")], [], "unschedulable", "no nodes", "Add a node"),
        (
            [],
            [_event("FailedScheduling", "0/1 nodes are available: 1 Insufficient memory.")],
            "unschedulable",
            f"The pod {POD} has no node",
            "langfuse_web_memory",
        ),
        (
            [_waiting("ErrImagePull", PULL)],
            [],
            "image",
            f"The image langfuse:4.16.0 of the pod {POD} cannot be had: rpc error",
            "langfuse_kubernetes_pull_secrets",
        ),
        ([_waiting("ImagePullBackOff", "Back-off pulling image")], [], "image", "Back-off", "langfuse_image_registry"),
        ([_waiting("ErrImageNeverPull")], [], "image", "ErrImageNeverPull", "langfuse_image_pull"),
        (
            [_waiting("CreateContainerConfigError", 'secret "theirs" not found')],
            [],
            "configuration",
            'cannot be set up: secret "theirs" not found',
            "langfuse_kubernetes_existing_secrets",
        ),
        (
            [_waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root")],
            [],
            "configuration",
            "runAsNonRoot",
            "official",
        ),
        (
            [_waiting("CrashLoopBackOff", last={"exitCode": 1, "reason": "Error"}, restartCount=4)],
            [],
            "crashing",
            f"The container web of the pod {POD} ended with 1, 4 times",
            f"kubectl logs --previous -n ai-system {POD}",
        ),
        (
            [_waiting("CrashLoopBackOff", last={"exitCode": 137, "reason": "OOMKilled"}, restartCount=2)],
            [],
            "memory",
            "more memory than it may, 2 times",
            "langfuse_web_memory",
        ),
        (
            [_pod(containerStatuses=[{"name": "web", "state": {"terminated": {"exitCode": 2}}}])],
            [],
            "crashing",
            "ended with 2",
            "kubectl logs",
        ),
        (
            [_pod(reason="Evicted", phase="Failed", message="The node was low on resource: memory.")],
            [],
            "evicted",
            "low on resource: memory.",
            "room",
        ),
        (
            [_pod()],
            [
                _event(
                    "FailedMount",
                    'MountVolume.SetUp failed for volume "configuration" : configmap "langfuse-clickhouse" not found',
                )
            ],
            "mount",
            "configmap",
            "Look",
        ),
        (
            [_pod()],
            [_event("FailedCreatePodSandBox", "plugin type=cilium failed")],
            "network",
            "cilium",
            "network plugin",
        ),
        (
            [_pod()],
            [_event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")],
            "probe",
            "statuscode: 503",
            "log",
        ),
        (
            [],
            [
                _event(
                    "ProvisioningFailed",
                    'storageclass.storage.k8s.io "fast" not found',
                    "PersistentVolumeClaim",
                    "data-langfuse-web-0",
                )
            ],
            "volume",
            'storageclass.storage.k8s.io "fast" not found',
            "langfuse_storage_class",
        ),
        # Events of the newer API.
        (
            [_pod()],
            [
                {
                    "type": "Warning",
                    "reason": "Unhealthy",
                    "note": "Readiness probe failed",
                    "regarding": {"kind": "Pod", "name": POD},
                    "metadata": {"creationTimestamp": "2026"},
                }
            ],
            "probe",
            "Readiness",
            "log",
        ),
    ],
)
def test_why_it_is_not_ready(pods: list[Any], events: list[Any], code: str, sentence: str, cure: str) -> None:
    reason = explain(pods, events, WORKLOAD)
    assert reason and (reason.code, "\n" in str(reason)) == (code, False)
    assert sentence.rstrip(".") in reason.sentence and cure in reason.cure
    assert str(reason) == f"{reason.sentence}. {reason.cure}."


@pytest.mark.parametrize(
    ("pods", "events"),
    [
        ([], []),
        ([_pod(phase="Pending", conditions=[condition("PodScheduled")])], []),
        ([_pod(conditions=[condition("Ready", "False", message="containers with unready status: [web]")])], []),
        ([_waiting("ContainerCreating")], []),
        ([_waiting("PodInitializing")], []),
        ([_pod(phase="Succeeded", containerStatuses=[{"state": {"terminated": {"exitCode": 0}}}])], []),
        ([_pod(containerStatuses=[{"name": "web", "ready": True, "state": {"running": {}}}])], []),
        # What was said before is mended.
        ([_pod()], [_event("Unhealthy", "503", second=9, type="Normal"), _event("Unhealthy", "503", second=1)]),
        (
            [_pod()],
            [
                _event("Pulled", "Container image present", type="Normal", second=5),
                _event("FailedMount", "x", second=4),
            ],
        ),
        # Others of the namespace.
        ([_pod()], [_event("FailedMount", "x", name="litellm-5d-abc")]),
        ([_pod()], [_event("FailedCreate", QUOTA, "ReplicaSet", "langfuse-worker-7d9f8b6c5")]),
        ([_pod()], [_event("SomethingNew", "x")]),
    ],
)
def test_without_a_reason_it_only_takes_its_time(pods: list[Any], events: list[Any]) -> None:
    assert explain(pods, events, WORKLOAD) is None


def test_what_keeps_a_pod_from_existing_comes_first() -> None:
    crashing = _waiting("CrashLoopBackOff", last={"exitCode": 1})
    events = [_event("Unhealthy", "503"), _event("FailedCreate", QUOTA, "ReplicaSet", "langfuse-web-7d9f8b6c5")]
    first = explain([crashing, _no_node("Insufficient cpu")], events, WORKLOAD)
    second = explain([crashing, _no_node("Insufficient cpu")], events[:1], WORKLOAD)
    third = explain([crashing], events[:1], WORKLOAD)
    assert [one and one.code for one in (first, second, third)] == ["quota", "unschedulable", "crashing"]


@pytest.mark.parametrize(
    ("reason", "hopeless"), [("InvalidImageName", True), ("ErrImageNeverPull", True), ("ImagePullBackOff", False)]
)
def test_what_waiting_does_not_mend(reason: str, hopeless: bool) -> None:
    found = explain([_waiting(reason)], [])
    assert found and found.hopeless is hopeless


def test_a_long_answer_is_cut_and_on_one_line() -> None:
    found = explain([_waiting("ErrImagePull", "many\n words" * 200)], [])
    assert found and len(found.sentence) < 450 and "\n" not in found.sentence


@pytest.mark.parametrize(
    "times",
    [
        {"lastTimestamp": "2026-01-01T00:00:30Z"},
        {"lastTimestamp": None, "eventTime": "2026-01-01T00:00:30.5Z"},
        # An event that goes on says when it was seen last; its own time is of the first.
        {
            "lastTimestamp": None,
            "eventTime": "2026-01-01T00:00:01Z",
            "series": {"lastObservedTime": "2026-01-01T00:00:30Z"},
        },
        {"lastTimestamp": None, "metadata": {"creationTimestamp": "2026-01-01T00:00:30Z"}},
    ],
)
def test_the_last_event_of_an_object_counts(times: dict[str, Any]) -> None:
    events = [_event("Unhealthy", "probe", **times), _event("FailedMount", "volume", second=10)]
    found = explain([_pod()], events)
    assert found and found.code == "probe"


def test_containers_that_come_before_count_as_well() -> None:
    waiting = {"name": "init", "image": "x", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}
    found = explain([_pod(initContainerStatuses=[waiting])], [])
    assert found and found.code == "image"


@pytest.mark.parametrize("reason", ["CreateContainerConfigError", "CreateContainerError", "RunContainerError"])
def test_a_container_that_cannot_be_set_up_says_why(reason: str) -> None:
    found = explain([_waiting(reason)], [])
    assert found and found.sentence == f"The pod {POD} cannot be set up: {reason}"


@pytest.mark.parametrize("reason", ["FailedMount", "FailedAttachVolume"])
def test_a_volume_that_does_not_come(reason: str) -> None:
    found = explain([_pod()], [_event(reason, "timed out")])
    assert found and found.code == "mount"


def test_the_last_words_of_a_container_are_told() -> None:
    found = explain([_waiting("CrashLoopBackOff", last={"exitCode": 1, "message": "no such host"})], [])
    assert found and found.sentence == f"The container web of the pod {POD} ended with 1: no such host"
    without = explain([_waiting("CrashLoopBackOff", last={"exitCode": 1})], [])
    assert without and without.sentence == f"The container web of the pod {POD} ended with 1"


@pytest.mark.parametrize(
    ("component", "variable"),
    [
        ("web", "langfuse_web_memory"),
        ("migrate", "langfuse_web_memory"),
        ("ingestion", "langfuse_worker_memory"),
        ("clickhouse", "langfuse_clickhouse_memory"),
        ("database", "langfuse_postgres_memory"),
    ],
)
def test_memory_is_that_of_the_component(component: str, variable: str) -> None:
    status = _waiting("CrashLoopBackOff", last={"exitCode": 137, "reason": "OOMKilled"})["status"]
    found = explain([_pod("langfuse-x-0", component, **status)], [])
    assert found and found.cure == f"Write a larger {variable}" and variable in contract()
