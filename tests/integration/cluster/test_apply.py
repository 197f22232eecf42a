"""`kubernetes_apply` on a real cluster: what it does, what it refuses, and what it says of what does not become ready."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Owner

from tests.integration.cluster import objects
from tests.integration.cluster.objects import Document, autoscaler, document, instance, migration, secret, settings, web
from tests.integration.cluster.running import LAYOUT, Running, until
from tests.integration.modules.conftest import call

pytestmark = [pytest.mark.engine]
Result = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """An instance `lf` in a namespace of its own, which is not there yet."""

    running: Running
    owner: Owner

    @property
    def image(self) -> str:
        return self.running.image

    def apply(self, *documents: Document, check: bool = False, **options: Any) -> Result:
        given = {"instance": self.owner.instance, "namespace": self.owner.namespace, "timeout": 60}
        contents = json.dumps(list(documents))
        merged = {**given, "kubeconfig": str(LAYOUT.kubeconfig), "contents": contents, **options}
        result = call("kubernetes_apply", check=check, diff=True, **merged)
        assert objects.CANARY not in json.dumps(result) and "Q2FuYXJ5" not in json.dumps(result)
        return result

    def kubectl(self, *words: str) -> str:
        done = self.running.kubectl(f"--namespace={self.owner.namespace}", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def versions(self) -> dict[str, str]:
        found = json.loads(self.kubectl("get", "secret,configmap,job,deployment", "--output=json"))["items"]
        return {f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"] for one in found}

    def deployment(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "deployment", "lf-web", "--output=json"))
        return found


@pytest.fixture
def place(running: Running) -> Iterator[Place]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield Place(running, Owner("lf", name))
    running.api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def applied(place: Place) -> Place:
    result = place.apply(*instance(place.owner, place.image))
    assert not result.get("failed"), result
    return place


def _names(result: Result) -> dict[str, str]:
    return {one["object"].split(" in ")[0]: one["action"] for one in result["applied"]}


def test_a_check_of_nothing_is_a_plan_and_makes_nothing(place: Place) -> None:
    result = place.apply(*instance(place.owner, place.image), check=True)
    assert result["changed"] and len(_names(result)) == 5 and set(_names(result).values()) == {"created"}
    assert place.running.api.find(f"/api/v1/namespaces/{place.owner.namespace}") is None


def test_a_second_run_moves_nothing(applied: Place) -> None:
    before = applied.versions()
    for check in (True, False):
        result = applied.apply(*instance(applied.owner, applied.image), check=check)
        assert not result.get("failed") and not result["changed"] and result["diff"] == [], result
    assert applied.versions() == before


def test_what_a_hand_changed_is_shown_and_set_back(applied: Place) -> None:
    patch = [
        {"op": "replace", "path": "/spec/template/spec/containers/0/env/0/value", "value": "2"},
        {"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "B", "value": "3"}},
        {"op": "add", "path": "/spec/paused", "value": True},
    ]
    words = ("patch", "deployment", "lf-web", "--type=json", f"--patch={json.dumps(patch)}")
    applied.kubectl(*words, "--field-manager=kubectl-edit")
    before = applied.versions()
    checked = applied.apply(*instance(applied.owner, applied.image), check=True)
    assert applied.versions()["Deployment/lf-web"] == before["Deployment/lf-web"]
    repaired = applied.apply(*instance(applied.owner, applied.image))
    assert _names(checked) == _names(repaired) == {"Deployment lf-web": "changed"}
    assert checked["diff"] == repaired["diff"]
    shown = checked["diff"][0]["before"]
    assert "env[A].value: 2" in shown and "env[B]" in shown and "spec.paused: true" in shown
    spec = applied.deployment()["spec"]
    assert "paused" not in spec
    assert spec["template"]["spec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}]
    assert not applied.apply(*instance(applied.owner, applied.image))["changed"]


def test_a_foreign_object_is_refused_before_anything_is_made(place: Place) -> None:
    place.running.api.apply([objects.namespace(place.owner)["object"]])
    place.kubectl("create", "configmap", "lf-settings", "--from-literal=theirs=1")
    result = place.apply(*instance(place.owner, place.image))
    assert result["code"] == "foreign_object" and "kubectl-create" in result["msg"]
    assert "Secret/lf-credentials" not in place.versions()


def test_a_field_that_somebody_else_applies_is_refused(applied: Place) -> None:
    theirs = settings(applied.owner, a="2")["object"]
    applied.running.api.apply([theirs])
    before = applied.versions()
    result = applied.apply(*instance(applied.owner, applied.image))
    assert result["code"] == "foreign_field" and result["managers"] == ["bench"] and "data.a" in result["msg"]
    assert applied.versions() == before


def test_a_changed_secret_shows_its_name_only(applied: Place) -> None:
    result = applied.apply(secret(applied.owner, f"{objects.CANARY}-2"), settings(applied.owner), check=True)
    assert _names(result) == {"Secret lf-credentials": "changed"}


def test_what_is_no_longer_wanted_goes_and_keys_stay(applied: Place) -> None:
    rest = [objects.namespace(applied.owner), settings(applied.owner)]
    result = applied.apply(*rest)
    assert sorted(one.split(" ")[0] for one in result["removed"]) == ["Deployment", "Job"]
    assert [one["object"].split(" ")[0] for one in result["kept"]] == ["Secret"]
    result = applied.apply(*rest, remove=["Secret/lf-credentials", "Secret/another"])
    assert [one.split(" ")[0] for one in result["removed"]] == ["Secret"]
    assert "Secret/another" in str(result["warnings"])
    assert not applied.apply(*rest)["changed"]


def test_a_migration_that_failed_is_told_and_made_anew(place: Place) -> None:
    failing = migration(place.owner, place.image, "exit 3")
    result = place.apply(objects.namespace(place.owner), failing, web(place.owner, place.image))
    assert result["code"] == "crashing" and "ended with 3" in result["msg"] and "kubectl logs" in result["cure"]
    # What comes after it was not begun.
    assert result["changed"] and _names(result) == {
        f"Namespace {place.owner.namespace}": "created",
        "Job lf-migrate-1": "created",
    }
    assert "Deployment/lf-web" not in place.versions()
    result = place.apply(*instance(place.owner, place.image))
    assert not result.get("failed") and _names(result)["Job lf-migrate-1"] == "replaced", result


@pytest.mark.parametrize(
    ("container", "code", "said"),
    [
        ({"image": "bench.localhost/nothing:1"}, "image", "langfuse_image_registry"),
        ({"resources": {"requests": {"memory": "900Gi"}}}, "unschedulable", "memory"),
        ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "none", "key": "k"}}}]}, "configuration", "none"),
        ({"command": ["sh", "-c", "exit 7"]}, "crashing", "ended with 7"),
        ({"readinessProbe": {"exec": {"command": ["sh", "-c", "echo not-yet; exit 1"]}, "periodSeconds": 1}}, "probe", "not-yet"),
    ],
)  # fmt: skip
def test_what_does_not_become_ready_is_told_with_its_reason(
    place: Place, container: dict[str, Any], code: str, said: str
) -> None:
    place.apply(objects.namespace(place.owner))
    wanted = web(place.owner, place.image)
    wanted["object"]["spec"]["template"]["spec"]["containers"][0].update(container)
    result = place.apply(objects.namespace(place.owner), wanted, timeout=12)
    assert result["failed"] and result["code"] == code and said in result["msg"], result


def test_a_quota_is_told(place: Place) -> None:
    place.apply(objects.namespace(place.owner))
    place.kubectl("create", "quota", "small", "--hard=pods=0,configmaps=0")
    result = place.apply(objects.namespace(place.owner), settings(place.owner))
    assert result["code"] == "quota" and "small" in result["msg"]
    result = place.apply(objects.namespace(place.owner), web(place.owner, place.image), timeout=10)
    assert result["code"] == "quota" and "langfuse_size" in result["cure"], result


def test_the_number_of_pods_goes_to_an_autoscaler_and_back(place: Place) -> None:
    fixed = [objects.namespace(place.owner), web(place.owner, place.image, replicas=2)]
    scaled = [objects.namespace(place.owner), web(place.owner, place.image, replicas=None), autoscaler(place.owner, 3)]
    assert not place.apply(*fixed).get("failed")
    # With another change, so that the Deployment is written without a number.
    scaled[1]["object"]["spec"]["minReadySeconds"] = 1
    assert not place.apply(*scaled).get("failed")
    assert place.deployment()["spec"]["replicas"] >= 2
    until(lambda: place.deployment()["spec"]["replicas"] == 3, "the autoscaler sets its least number", 60)
    assert not place.apply(*scaled)["changed"]
    result = place.apply(*fixed)
    assert not result.get("failed"), result
    assert place.deployment()["spec"]["replicas"] == 2
    assert not place.apply(*fixed)["changed"]


def test_a_missing_kind_and_a_missing_namespace(place: Place) -> None:
    unknown = document(1, place.owner, "example.com/v1", "Widget", "lf-widget", spec={})
    result = place.apply(objects.namespace(place.owner), settings(place.owner), unknown)
    assert result["code"] == "missing_kind" and "Widget" in result["msg"]
    assert place.running.api.find(f"/api/v1/namespaces/{place.owner.namespace}") is None
    result = place.apply(settings(place.owner))
    assert result["code"] == "no_namespace"


def _account(place: Place, change: Callable[[dict[str, Any]], None]) -> str:
    """A kubeconfig like the administrator's, changed."""
    content = yaml.safe_load(LAYOUT.kubeconfig.read_text())
    change(content)
    path = LAYOUT.state / f"{place.owner.namespace}.kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_an_account_without_rights_is_told_what_it_lacks(place: Place) -> None:
    place.apply(objects.namespace(place.owner))
    token = place.kubectl("create", "token", "default").strip()
    path = _account(place, lambda content: content["users"][0].update(user={"token": token}))
    result = place.apply(*instance(place.owner, place.image), kubeconfig=path)
    assert result["code"] == "forbidden" and "may not list secrets" in result["msg"], result
    path = _account(place, lambda content: content["users"][0].update(user={"token": "nobody"}))
    assert place.apply(settings(place.owner), kubeconfig=path)["code"] == "unauthorized"


def test_another_authority_and_nobody_there(place: Place) -> None:
    def another(content: dict[str, Any]) -> None:
        content["clusters"][0]["cluster"].pop("certificate-authority-data")

    result = place.apply(settings(place.owner), kubeconfig=_account(place, another))
    assert result["code"] == "untrusted", result

    def away(content: dict[str, Any]) -> None:
        content["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"

    result = place.apply(settings(place.owner), kubeconfig=_account(place, away))
    assert result["code"] == "unreachable" and "refused" in result["msg"], result
