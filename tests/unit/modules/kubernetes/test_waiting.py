"""What is told of an object that did not become ready, and which events are about now."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import identity_of
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.readiness import State
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.reasons import (
    Reason,
    explain,
    made_since,
    newest_event,
    pods_of,
    since,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.waiting import gave_up

from .support import entry, made

WEB = made("Deployment", "langfuse-web", spec={"selector": {"matchLabels": {"app": "web"}}})


def test_the_reason_follows_what_is_waited_for() -> None:
    why = Reason(25, "image", "The image x of the pod y cannot be had: not found", "Look at langfuse_image_registry")
    told = gave_up(identity_of(WEB), State(False, "1 of 1 pods to be ready"), why, 300).as_result()
    assert told["code"] == "image"
    assert told["msg"] == (
        "Deployment langfuse-web in ai-system waits for 1 of 1 pods to be ready, after 300 s. "
        "The image x of the pod y cannot be had: not found. Look at langfuse_image_registry."
    )


def test_without_a_reason_it_takes_its_time() -> None:
    told = gave_up(identity_of(WEB), State(False, "1 of 1 pods to be ready"), None, 300).as_result()
    assert told["code"] == "not_ready" and "langfuse_start_timeout" in told["cure"]


@pytest.mark.parametrize(
    ("found", "labels"),
    [
        (WEB, {"app": "web"}),
        (made("Job", "langfuse-migrate-1"), {"job-name": "langfuse-migrate-1"}),
        (made("Cluster", "langfuse-postgresql"), {"cnpg.io/cluster": "langfuse-postgresql"}),
        (made("Pooler", "pooler"), {"cnpg.io/poolerName": "pooler"}),
        (made("ClickHouseCluster", "langfuse"), {"app": "langfuse-clickhouse"}),
        (made("KeeperCluster", "langfuse"), {"app": "langfuse-keeper"}),
        (made("Service", "langfuse-web", spec={"selector": {"app": "web"}}), None),
        (made("ConfigMap", "x"), None),
    ],
)
def test_pods_are_found_by_their_labels(found: dict[str, Any], labels: dict[str, str] | None) -> None:
    assert pods_of(found) == labels


def test_events_from_before_do_not_count() -> None:
    old = {"metadata": {"name": "a"}, "lastTimestamp": "2026-01-01T00:00:00Z"}
    new = {"metadata": {"name": "b"}, "eventTime": "2026-01-01T00:00:05.000000Z"}
    assert newest_event([]) == ""
    assert newest_event([old]) == "2026-01-01T00:00:00Z"
    assert since([old, new], newest_event([old])) == [new]
    assert since([old, new], "") == [old, new]


def test_pods_that_go_have_no_say() -> None:
    """The image of the pod before was wrong; the Deployment has another one now."""
    old = {"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"}}
    new = {"metadata": {"name": "b", "creationTimestamp": "2026-01-01T00:00:09Z"}}
    others = {**entry("kube-controller-manager", "Update"), "time": "2026-01-02T00:00:00Z"}
    found = made("Deployment", "x", metadata={"managedFields": [{**entry(), "time": "2026-01-01T00:00:08Z"}, others]})
    assert made_since([old, new], found) == [new]
    assert made_since([old, new], made("Deployment", "x")) == [old, new]


@pytest.mark.parametrize(
    ("state", "command"),
    [
        ({"state": {"terminated": {"exitCode": 1}}}, "kubectl logs -n ai-system a"),
        (
            {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}},
            "kubectl logs --previous -n ai-system a",
        ),
    ],
)
def test_the_words_of_the_container_that_ended(state: dict[str, Any], command: str) -> None:
    """A Job's container is not started again; asking for the one before fails."""
    pod = {
        "metadata": {"name": "a", "namespace": "ai-system"},
        "status": {"containerStatuses": [{"name": "migrate", **state}]},
    }
    reason = explain([pod], [])
    assert reason and reason.cure == f"Look at its last words: {command}"
