"""`kubernetes_apply` on a real cluster: what it does, what it refuses, and what it says of what does not become ready."""

from __future__ import annotations

import json

import pytest

from tests.integration.cluster import objects
from tests.integration.cluster.objects import autoscaler, document, instance, migration, secret, settings, web
from tests.integration.cluster.place import Place, Result
from tests.waiting import wait_until

pytestmark = [pytest.mark.engine]


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


def test_the_number_of_pods_goes_to_an_autoscaler_and_back(place: Place) -> None:
    fixed = [objects.namespace(place.owner), web(place.owner, place.image, replicas=2)]
    scaled = [objects.namespace(place.owner), web(place.owner, place.image, replicas=None), autoscaler(place.owner, 3)]
    assert not place.apply(*fixed).get("failed")
    # With another change, so that the Deployment is written without a number.
    scaled[1]["object"]["spec"]["minReadySeconds"] = 1
    assert not place.apply(*scaled).get("failed")
    assert place.deployment()["spec"]["replicas"] >= 2
    wait_until("the autoscaler sets its least number", lambda: place.deployment()["spec"]["replicas"] == 3, 120)
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
