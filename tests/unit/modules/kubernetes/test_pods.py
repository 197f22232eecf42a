"""Pods in the words of containers, and what workloads, Secrets and policies tell beside them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.containers import summarize
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.pods import (
    Pods,
    acting,
    records,
    troubles,
    unrolled,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.sender_state import lets_in

from .support import OWNER, made

STARTED = "2026-01-01T10:00:00Z"
_RUNNING = {"name": "web", "ready": True, "started": True, "state": {"running": {"startedAt": STARTED}}}
_CANARY = "Canary-of-a-pod"


def _pod(component: str = "web", **status: Any) -> dict[str, Any]:
    labels = {**OWNER.labels, "app.kubernetes.io/component": component}
    env = [
        {"name": "HOSTNAME", "value": "0.0.0.0"},
        {"name": "CLICKHOUSE_URL", "value": f"http://a:{_CANARY}@b:8123"},
        {"name": "MINE", "value": _CANARY},
        {"name": "SALT", "valueFrom": {"secretKeyRef": {"name": "langfuse-credentials", "key": "SALT"}}},
    ]
    spec = {"containers": [{"name": "web", "image": "langfuse:1", "env": env}]}
    found = {"containerStatuses": [{**_RUNNING, **status}]}
    return made("Pod", "langfuse-web-1", metadata={"labels": labels, "uid": "u"}, spec=spec, status=found)


def test_a_pod_is_told_as_a_container_is() -> None:
    (one,) = records(_pod(), ())
    assert set(summarize({})) <= set(one)
    assert (one["state"], one["health"], one["role"], one["oneoff"]) == ("running", "healthy", "web", False)
    assert one["env"] == {"HOSTNAME": "0.0.0.0", "CLICKHOUSE_URL": "http://a:***@b:8123"}
    assert _CANARY not in json.dumps(one) and "SALT" in one["env_names"]


@pytest.mark.parametrize(
    ("component", "role"),
    [("worker", "worker"), ("ingestion", "worker"), ("valkey", "redis"), ("seaweedfs", "s3"), ("database", "postgres"), ("clickhouse", "clickhouse")],
)  # fmt: skip
def test_roles(component: str, role: str) -> None:
    assert records(_pod(component), ())[0]["role"] == role


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"ready": False}, ("running", "unhealthy", 0, False)),
        ({"ready": False, "started": False}, ("running", "starting", 0, False)),
        ({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 3}}}, ("restarting", "", 3, False)),
        ({"state": {"waiting": {"reason": "ImagePullBackOff"}}}, ("created", "", 0, False)),
        ({"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}, ("exited", "", 137, True)),
        ({"lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}, ("running", "healthy", 137, True)),
    ],
)  # fmt: skip
def test_states(status: dict[str, Any], expected: tuple[Any, ...]) -> None:
    (one,) = records(_pod(**status), ())
    assert (one["state"], one["health"], one["exit_code"], one["oom_killed"]) == expected


def _deployment(replicas: int, ready: int) -> dict[str, Any]:
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app.kubernetes.io/component": "web"}}}
    status = {"observedGeneration": 1, "updatedReplicas": replicas, "replicas": replicas, "availableReplicas": ready}
    return made("Deployment", "langfuse-web", spec=spec, status=status)


class _Cluster:
    """What a selector finds among Deployments."""

    def __init__(self, *deployments: dict[str, Any]) -> None:
        self._deployments = deployments

    def list(self, kind: Any, _namespace: str, selector: str) -> list[dict[str, Any]]:
        wanted = dict(part.split("=") for part in selector.split(","))
        found = self._deployments if kind.name == "Deployment" else ()
        return [one for one in found if wanted.items() <= one["metadata"]["labels"].items()]


def test_what_helm_made_for_the_instance_is_its_own_as_well() -> None:
    labels = {**OWNER.labels, "app.kubernetes.io/component": "web"}
    by_helm, other = (
        {**_deployment(2, 2), "metadata": {"name": "langfuse-web", "labels": {**labels, name: value}}}
        for name, value in (
            ("app.kubernetes.io/managed-by", "Helm"),
            ("llmops.langfuse/namespace", "another-one-of-its-name"),
        )
    )
    cluster: Any = _Cluster(by_helm, other)
    assert Pods(cluster, OWNER, 1).wanted() == {"web": 2}


def test_troubles() -> None:
    assert troubles([_deployment(1, 1)], [_pod()], []) == []
    (scaled,) = troubles([_deployment(0, 0)], [], [])
    assert scaled["code"] == "scaled"
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
    (image,) = troubles([_deployment(1, 0)], [_pod(state=waiting)], [])
    assert image["code"] == "image" and "langfuse_image_registry" in image["cure"]
    (other,) = troubles([_deployment(1, 0)], [_pod("worker", state=waiting)], [])
    assert other["code"] == "waiting" and "1 of 1 pods to be ready" in other["what"]


@pytest.mark.parametrize(
    ("when", "field", "old"),
    [("2026-01-01T10:00:01Z", "f:data", True), ("2026-01-01T09:59:59Z", "f:data", False), ("2026-01-01T10:00:01Z", "f:metadata", False)],
)  # fmt: skip
def test_a_secret_that_changed_after_the_start(when: str, field: str, old: bool) -> None:
    entry = {"manager": "x", "time": when, "fieldsV1": {field: {}}}
    secret = made("Secret", "langfuse-credentials", metadata={"managedFields": [entry]})
    expected = [{"secret": "langfuse-credentials", "pod": "langfuse-web-1"}] if old else []
    later = {"manager": "x", "time": "2026-01-01T11:00:00Z", "fieldsV1": {"f:data": {}}}
    not_read = made("Secret", "other", metadata={"managedFields": [later]})
    assert unrolled([_pod()], [secret, not_read]) == expected
    whole = _pod()
    whole["spec"]["containers"][0].update(env=[], envFrom=[{"secretRef": {"name": "langfuse-credentials"}}])
    assert unrolled([whole], [secret, not_read]) == expected


def test_policies_that_act_on_the_pods() -> None:
    everybody = made("NetworkPolicy", "deny", metadata={"labels": {}}, spec={"podSelector": {}})
    ours = made(
        "NetworkPolicy", "langfuse-web", spec={"podSelector": {"matchLabels": {"app.kubernetes.io/component": "web"}}}
    )
    apart = made(
        "NetworkPolicy", "shop", metadata={"labels": {}}, spec={"podSelector": {"matchLabels": {"app": "shop"}}}
    )
    # Whom it is for is not read there.
    some = made(
        "NetworkPolicy", "some", spec={"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}
    )
    found = acting([everybody, ours, apart, some], [_pod()], OWNER)
    assert [(one["name"], bool(one["whose"])) for one in found] == [("deny", True), ("langfuse-web", False)]


_URL = "http://langfuse-web.ai-system.svc.cluster.local:3000"


def _policy(*peers: dict[str, Any], component: str = "web") -> list[dict[str, Any]]:
    """Without peers it is open to everybody."""
    selector = {"matchLabels": {"app.kubernetes.io/component": component}}
    rule = {"from": list(peers)} if peers else {}
    return [made("NetworkPolicy", f"langfuse-{component}", spec={"podSelector": selector, "ingress": [rule]})]


def _from(namespace: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}


@pytest.mark.parametrize(
    ("policies", "url", "namespace", "allowed"),
    [
        ([], _URL, "team-a", True),
        (_policy(_from("team-a")), _URL, "team-a", True),
        (_policy(_from("team-b")), _URL, "team-a", False),
        (_policy(_from("team-b")), "https://langfuse.example.com", "team-a", True),
        (_policy({"podSelector": {}}), _URL, "team-a", False),
        (_policy({"podSelector": {}}), _URL, "ai-system", True),
        (_policy({"namespaceSelector": {}}), _URL, "team-a", True),
        (_policy(), _URL, "team-a", True),
        (_policy(_from("team-b"), component="worker"), _URL, "team-a", True),
    ],
)
def test_whether_policies_let_a_sender_in(
    policies: list[dict[str, Any]], url: str, namespace: str, allowed: bool
) -> None:
    assert lets_in(policies, url, namespace, "ai-system") is allowed
