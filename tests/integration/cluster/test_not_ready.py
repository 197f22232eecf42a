"""Waves that do not become ready: each reason with its cure, what serves meanwhile, and the next run with the cure."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.cluster import objects
from tests.integration.cluster.objects import Document, settings, store, web
from tests.integration.cluster.place import Place, Result
from tests.waiting import wait_until

pytestmark = [pytest.mark.engine]


def _bad(place: Place) -> list[Document]:
    secret = {"secretKeyRef": {"name": "none", "key": "k"}}
    check = {"exec": {"command": ["sh", "-c", "echo not-yet; exit 1"]}, "periodSeconds": 1}
    containers: dict[str, dict[str, Any]] = {
        "image": {"image": "bench.localhost/nothing:1"},
        "memory": {"resources": {"requests": {"memory": "900Gi"}}},
        "key": {"env": [{"name": "A", "valueFrom": secret}]},
        "crash": {"command": ["sh", "-c", "echo last-words; exit 7"]},
        "probe": {"readinessProbe": check},
    }
    bad = [web(place.owner, place.image, name=name, **container) for name, container in containers.items()]
    nowhere = web(place.owner, place.image, name="place", pod={"nodeSelector": {"disk": "none"}})
    return [*bad, nowhere, store(place.owner, place.image, "no-class")]


def test_what_does_not_become_ready_is_told_with_its_reason_and_the_cure_repairs_it(place: Place) -> None:
    first = objects.namespace(place.owner)
    bad = _bad(place)
    result = place.apply(first, *bad, timeout=60)
    assert result["failed"] and len(result["applied"]) == len(bad) + 1, result
    for pieces in (
        ("bench.localhost/nothing:1", "cannot be had", "langfuse_image_registry"),
        ("Deployment memory", "Insufficient memory", "langfuse_web_memory"),
        ("Deployment place", "node affinity/selector", "langfuse_node_selector"),
        ("Deployment key", 'secret "none" not found', "langfuse_kubernetes_existing_secrets"),
        ("Deployment crash", "ended with 7", "kubectl logs"),
        ("Deployment probe", "not-yet", "Look at its log"),
        ("StatefulSet lf-no-class", '"no-class" not found', "langfuse_storage_class"),
    ):
        assert all(piece in result["msg"] for piece in pieces), (pieces, result["msg"])
    # The store's form is fixed with its volume, so that another class is another store.
    cured = [web(place.owner, place.image, name=one["object"]["metadata"]["name"]) for one in bad[:-1]]
    cured.append(store(place.owner, place.image, "local-path"))
    result = place.apply(first, *cured, remove=["StatefulSet/lf-no-class"])
    assert not result.get("failed"), result
    assert not place.apply(first, *cured)["changed"]


def test_rules_of_a_namespace_are_told(place: Place) -> None:
    place.make_namespace(**{"pod-security.kubernetes.io/enforce": "restricted"})
    result = place.apply(web(place.owner, place.image))
    assert result["code"] == "admission" and "allowPrivilegeEscalation" in result["msg"], result
    assert "langfuse_kubernetes_patches" in result["cure"]
    limit = {"type": "Container", "max": {"memory": "64Mi"}}
    place.make_namespace()
    place.running.api.apply([_in(place, "v1", "LimitRange", limits=[limit])])
    wanted = web(place.owner, place.image, resources={"limits": {"memory": "128Mi"}})
    result = place.apply(wanted, timeout=30)
    assert result["code"] == "limits" and "64Mi" in result["msg"] and "langfuse_kubernetes_resources" in result["cure"]
    _limit(place, "pods=0,configmaps=0")
    place.kubectl("delete", "limitrange", "rules")
    result = place.apply(settings(place.owner), wanted)
    assert result["code"] == "quota" and "small" in result["msg"]
    # Another template: its controller tries at once, where that of the first one waits longer after every refusal.
    another = web(place.owner, place.image, resources={"limits": {"memory": "127Mi"}})
    result = place.apply(another, timeout=30)
    assert result["code"] == "quota" and "langfuse_size" in result["cure"], result
    place.kubectl("delete", "quota", "small")
    assert not place.apply(settings(place.owner), another, timeout=180).get("failed")


def _limit(place: Place, hard: str) -> None:
    """A quota; it holds once its controller has seen it."""
    place.kubectl("create", "quota", "small", f"--hard={hard}")
    wait_until("the quota holds", lambda: place.find("quota", "small").get("status", {}).get("hard"))


def _in(place: Place, api: str, kind: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "rules", "namespace": place.owner.namespace}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}


def test_an_update_that_finds_no_room_leaves_the_old_pods_serving(place: Place) -> None:
    def small(name: str, value: str, memory: str, **pod: Any) -> Document:
        resources = {"requests": {"memory": memory}}
        environment = [{"name": "A", "value": value}]
        return web(place.owner, place.image, name=name, pod=pod, resources=resources, env=environment)

    first = objects.namespace(place.owner)
    assert not place.apply(first, small("full", "1", "20Mi"), small("nowhere", "1", "20Mi")).get("failed")
    _limit(place, "requests.memory=100Mi")
    before = _ready(place)
    result: Result = place.apply(
        first, small("full", "2", "90Mi"), small("nowhere", "2", "20Mi", nodeSelector={"disk": "none"}), timeout=30
    )
    assert result["failed"] and "exceeded quota: small" in result["msg"], result
    assert "Deployment nowhere" in result["msg"] and "langfuse_node_selector" in result["msg"], result
    assert before and before <= _ready(place)
    result = place.apply(first, small("full", "2", "20Mi"), small("nowhere", "2", "20Mi"))
    assert not result.get("failed"), result
    assert not before & _ready(place)


def _ready(place: Place) -> set[str]:
    path = '{range .items[?(@.status.containerStatuses[0].ready==true)]}{.metadata.name}{"\\n"}{end}'
    return set(place.kubectl("get", "pods", f"--output=jsonpath={path}").split())
