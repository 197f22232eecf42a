"""Our autoscalers on metrics-server and KEDA: by CPU, and by the jobs that wait in a Redis with password and prefix.

Of the instance there are its autoscalers, its Valkey and its Secrets. Small pods stand for web and worker, because the number of
pods is what is looked at.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.objects import objects

from tests.bench.cluster import runtime, volumes
from tests.integration.cluster.running import LAYOUT, Running
from tests.integration.modules.conftest import call
from tests.unit.documents.kubernetes.support import derived
from tests.waiting import wait_until

pytestmark = [pytest.mark.engine, pytest.mark.long]
# Busy while this file is there.
_BUSY = "/tmp/busy"
_POD = f"while true; do if [ -e {_BUSY} ]; then for i in $(seq 20000); do :; done; else sleep 0.2; fi; done"
_LISTS = ("lf::otel-ingestion-queue:wait", "lf::ingestion-queue:wait")
_KINDS = ("Namespace", "Secret", "Deployment", "HorizontalPodAutoscaler", "TriggerAuthentication", "ScaledObject")
# The metrics are 15 s old, the controller looks every 15 s, and the machine may be busy.
_SECONDS = 240
_AT_ONCE = {
    "scaleDown": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 9, "periodSeconds": 15}]}
}


def _patches() -> list[dict[str, Any]]:
    """What is slow for the sake of the pods is fast here."""
    advanced = {"horizontalPodAutoscalerConfig": {"behavior": _AT_ONCE}}
    return [
        {"kind": "HorizontalPodAutoscaler", "name": "lf-web", "patch": {"spec": {"behavior": _AT_ONCE}}},
        {
            "kind": "ScaledObject",
            "name": "lf-worker",
            "patch": {"spec": {"pollingInterval": 2, "advanced": advanced}},
        },
    ]


def _small(document: dict[str, Any], image: str) -> dict[str, Any]:
    """The Deployment of web or worker with a pod that does nothing, until it is told to be busy."""
    changed = copy.deepcopy(document)
    pod = changed["object"]["spec"]["template"]["spec"]
    container = {
        "name": pod["containers"][0]["name"],
        "image": image,
        "command": ["bash", "-c", _POD],
        "resources": {"requests": {"cpu": "20m"}, "limits": {"cpu": "200m"}},
    }
    changed["object"]["spec"]["template"]["spec"] = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return changed


@dataclass(frozen=True)
class Place:
    """An instance `lf` in a namespace of its own."""

    running: Running
    namespace: str

    def documents(self, autoscaling: str) -> list[dict[str, Any]]:
        given = {
            **yaml.safe_load(LAYOUT.paths.variables.read_text()),
            "langfuse_target": "kubernetes",
            "langfuse_instance": "lf",
            "langfuse_kubernetes_namespace": self.namespace,
            "langfuse_expose": "service",
            "cnpg_enabled": True,
            "langfuse_redis_key_prefix": "lf:",
            "langfuse_storage_class": volumes.storage_class()["metadata"]["name"],
            "langfuse_autoscaling": autoscaling,
        }
        if autoscaling != "none":
            given |= {"langfuse_web_max_replicas": 3, "langfuse_worker_max_replicas": 4}
            given |= {"langfuse_autoscaling_queue_depth": 5, "langfuse_kubernetes_patches": _patches()}
        plan = derived(given)
        runtime.add_from_docker(LAYOUT, plan.plan["images"]["valkey"], {})
        found = []
        for one in objects(plan.plan, plan.secrets):
            document = json.loads(json.dumps(one.as_data()))
            kind, name = document["object"]["kind"], document["object"]["metadata"]["name"]
            if kind == "Deployment":
                found.append(_small(document, self.running.image))
            elif kind in _KINDS or name == "lf-valkey":
                found.append(document)
        return found

    def apply(self, documents: list[dict[str, Any]]) -> dict[str, Any]:
        result = call(
            "kubernetes_apply",
            instance="lf",
            namespace=self.namespace,
            kubeconfig=str(LAYOUT.kubeconfig),
            objects=json.dumps(documents),
            timeout=_SECONDS,
        )
        assert not result.get("failed"), result
        return result

    def kubectl(self, *words: str) -> str:
        done = self.running.kubectl(f"--namespace={self.namespace}", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def wanted(self, name: str) -> int:
        return int(self.kubectl("get", "deployment", name, "--output=jsonpath={.spec.replicas}"))

    def becomes(self, name: str, number: int) -> None:
        wait_until(f"{number} pods of {name}", lambda: self.wanted(name) == number, _SECONDS)

    def redis(self, *words: str) -> None:
        """As root of the server: the password is in the pod's environment."""
        self.kubectl("exec", "lf-valkey-0", "--", "valkey-cli", *words)

    def push(self, name: str, number: int) -> None:
        self.redis("RPUSH", name, *map(str, range(number)))


@pytest.fixture(scope="module")
def place(running: Running) -> Iterator[Place]:
    for name in ("metrics", "keda"):
        running.add(name)
    found = Place(running, f"test-{uuid.uuid4().hex[:8]}")
    try:
        assert found.apply(found.documents("keda"))["changed"]
        yield found
    finally:
        running.api.delete(f"/api/v1/namespaces/{found.namespace}")


def test_web_goes_by_cpu_and_the_worker_by_each_queue(place: Place) -> None:
    assert (place.wanted("lf-web"), place.wanted("lf-worker")) == (1, 1)
    # Two workers for ten jobs of a depth of five; then the other queue wants more.
    place.push(_LISTS[0], 10)
    place.kubectl("exec", "deploy/lf-web", "--", "touch", _BUSY)
    place.becomes("lf-worker", 2)
    place.push(_LISTS[1], 40)
    place.becomes("lf-worker", 4)
    place.becomes("lf-web", 3)


def test_a_second_run_leaves_the_number_to_the_autoscalers(place: Place) -> None:
    documents = place.documents("keda")
    assert not place.apply(documents)["changed"]
    # Also where it writes the Deployments for another reason.
    for one in documents:
        if one["object"]["kind"] == "Deployment":
            one["object"]["spec"]["template"]["metadata"]["annotations"]["example.com/roll"] = "1"
    assert {one["object"].split(" ")[0] for one in place.apply(documents)["applied"]} == {"Deployment"}
    assert (place.wanted("lf-web"), place.wanted("lf-worker")) == (3, 4)


def test_both_go_down_when_there_is_nothing_to_do(place: Place) -> None:
    # The busy pod went with the change before.
    place.redis("DEL", *_LISTS)
    place.becomes("lf-worker", 1)
    place.becomes("lf-web", 1)


def test_without_autoscaling_the_number_is_the_instance_s_again(place: Place) -> None:
    place.push(_LISTS[0], 20)
    place.becomes("lf-worker", 4)
    result = place.apply(place.documents("none"))
    assert {one.split(" ")[0] for one in result["removed"]} == {
        "HorizontalPodAutoscaler",
        "ScaledObject",
        "TriggerAuthentication",
    }
    assert place.wanted("lf-worker") == 1
    assert not place.apply(place.documents("none"))["changed"]
    wait_until(
        "KEDA's own autoscaler goes", lambda: "keda-hpa" not in place.kubectl("get", "hpa", "--output=name"), 120
    )
    assert place.wanted("lf-worker") == 1
