"""What a run would change, from the answer to a dry run; never what a Secret holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.comparison import as_diff, compare

from .support import changed, entry, made

CONTAINERS = [
    {"name": "web", "image": "langfuse:4.16.0", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
]
LIVE = made(
    "Deployment",
    "langfuse-web",
    metadata={
        "uid": "1-2",
        "resourceVersion": "17",
        "generation": 3,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [entry()],
        "annotations": {"deployment.kubernetes.io/revision": "2"},
    },
    spec={"replicas": 1, "template": {"spec": {"containers": CONTAINERS}}},
    status={"readyReplicas": 1},
)
_CONTAINER = "spec/template/spec/containers"


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        # Made by the server, and no difference.
        ("metadata/resourceVersion", "18", None),
        ("metadata/generation", 4, None),
        ("metadata/managedFields", [], None),
        ("status/readyReplicas", 0, None),
        ("metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration", "{}", None),
        ("spec/replicas", 2, ("spec.replicas", 1, 2)),
        ("metadata/labels/team", "ai", ("metadata.labels.team", None, "ai")),
        ("metadata/annotations", None, ("metadata.annotations", {"deployment.kubernetes.io/revision": "2"}, None)),
        (f"{_CONTAINER}/0/image", "langfuse:4.17.0", ("spec.template.spec.containers[web].image", "langfuse:4.16.0", "langfuse:4.17.0")),
        (f"{_CONTAINER}/0/env/1/value", "3", ("spec.template.spec.containers[web].env[B].value", "2", "3")),
    ],
)  # fmt: skip
def test_a_difference_is_what_people_wrote(path: str, value: Any, told: tuple[str, Any, Any] | None) -> None:
    steps = path.replace("~1", "\0")
    result = changed(LIVE, steps, value)
    result = json.loads(json.dumps(result).replace("\\u0000", "/"))
    found = compare(LIVE, result)
    assert (found.action, [tuple(one) for one in found.changes]) == (("changed", [told]) if told else ("same", []))
    assert found.changed is bool(told)


def test_one_more_at_the_front_of_a_list_changes_that_one_only() -> None:
    result = changed(LIVE, f"{_CONTAINER}/0/env", [{"name": "0", "value": "0"}, *CONTAINERS[0]["env"]])
    assert [one.path for one in compare(LIVE, result).changes] == ["spec.template.spec.containers[web].env[0]"]
    fewer = changed(LIVE, f"{_CONTAINER}/0/env", CONTAINERS[0]["env"][1:])
    (gone,) = compare(LIVE, fewer).changes
    assert (gone.path, gone.after) == ("spec.template.spec.containers[web].env[A]", None)


@pytest.mark.parametrize("key", ["name", "mountPath", "ip", "containerPort", "port"])
def test_entries_are_the_same_by_what_the_api_merges_them_by(key: str) -> None:
    live = made("Service", "langfuse-web", spec={"ports": [{key: "a", "x": 1}, {key: "b", "x": 1}]})
    found = compare(live, changed(live, "spec/ports", [{key: "0", "x": 1}, {key: "a", "x": 2}, {key: "b", "x": 1}]))
    assert [one.path for one in found.changes] == ["spec.ports[0]", "spec.ports[a].x"]


@pytest.mark.parametrize("after", [None, {"name": "a"}, "a", [{"name": "a"}, "b"], [{"name": "a"}, {"other": "a"}]])
def test_values_of_different_shapes_are_compared_as_a_whole(after: Any) -> None:
    live = made("Service", "langfuse-web", spec={"x": [{"name": "a"}], "y": 1})
    result = {**live, "spec": {"x": after, "y": 1}}
    assert [tuple(one) for one in compare(live, result).changes] == [("spec.x", [{"name": "a"}], after)]
    assert [tuple(one) for one in compare(result, live).changes] == [("spec.x", after, [{"name": "a"}])]


@pytest.mark.parametrize(
    "name", ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"]
)
def test_what_the_server_keeps_for_itself_is_no_difference(name: str) -> None:
    assert not compare(LIVE, changed(LIVE, f"metadata/{name}", "another")).changed


def test_lists_without_names_are_compared_as_a_whole() -> None:
    live = made("NetworkPolicy", "langfuse", spec={"policyTypes": ["Ingress"]})
    result = changed(live, "spec/policyTypes", ["Ingress", "Egress"])
    assert [tuple(one) for one in compare(live, result).changes] == [
        ("spec.policyTypes", ["Ingress"], ["Ingress", "Egress"])
    ]
    twice = changed(live, "spec/policyTypes", [{"name": "a"}, {"name": "a"}])
    assert [one.path for one in compare(live, twice).changes] == ["spec.policyTypes"]


def test_what_is_not_there_would_be_made() -> None:
    found = compare(None, LIVE)
    assert found.action == "created" and found.changed
    assert {one.before for one in found.changes} == {None}
    assert "uid" not in json.dumps(found.changes) and "17" not in json.dumps(found.changes)


SECRET = made(
    "Secret", "langfuse-credentials", type="Opaque", data={"SALT": "Q2FuYXJ5", "ENCRYPTION_KEY": "Q2FuYXJ5Mg=="}
)


@pytest.mark.parametrize(
    ("live", "result", "names"),
    [
        (SECRET, changed(SECRET, "data/SALT", "Q2FuYXJ5Mw=="), ["data.SALT"]),
        (SECRET, changed(SECRET, "data/SALT", None), ["data.SALT"]),
        (SECRET, changed(SECRET, "data", None), ["data: ENCRYPTION_KEY, SALT"]),
        (None, SECRET, ["data: ENCRYPTION_KEY, SALT"]),
    ],
)
def test_of_a_secret_only_the_names_of_its_keys_are_told(
    live: dict[str, Any] | None, result: dict[str, Any], names: list[str]
) -> None:
    found = compare(live, result)
    assert [one.path for one in found.changes if one.path.startswith("data")] == names
    shown = json.dumps([found.changes, as_diff(found, result)])
    if live is None:
        told = {one.path: one.after for one in found.changes}
        assert (told["type"], told["kind"], told["apiVersion"]) == ("Opaque", "Secret", "v1")
        assert told["metadata"]["name"] == "langfuse-credentials"
        assert as_diff(found, result)["before"] == ""
    assert "Q2FuYXJ5" not in shown and "Canary" not in shown


def test_a_changed_key_still_shows_as_a_difference() -> None:
    diff = as_diff(compare(SECRET, changed(SECRET, "data/SALT", "Q2FuYXJ5Mw==")), SECRET)
    assert diff["before"] != diff["after"]
    assert (diff["before"], diff["after"]) == ("data.SALT: (hidden)\n", "data.SALT: (hidden, changed)\n")


def test_a_sensitive_object_of_another_kind_is_hidden_as_well() -> None:
    live = made("ConfigMap", "langfuse", data={"a": "Canary"})
    assert "Canary" not in json.dumps(compare(live, changed(live, "data/a", "Canary2"), sensitive=True))
    assert "Canary2" in json.dumps(compare(live, changed(live, "data/a", "Canary2")))


def test_the_diff_has_a_line_for_each_value() -> None:
    diff = as_diff(compare(LIVE, changed(LIVE, "spec/replicas", 2)), LIVE)
    assert diff == {
        "before_header": "Deployment langfuse-web in ai-system",
        "after_header": "Deployment langfuse-web in ai-system",
        "before": "spec.replicas: 1\n",
        "after": "spec.replicas: 2\n",
    }


def test_a_value_that_moves_into_a_secret_is_not_told() -> None:
    def deployment(entry: dict[str, Any]) -> dict[str, Any]:
        return changed(LIVE, f"{_CONTAINER}/0/env/1", {"name": "B", **entry})

    plain = deployment({"value": "Canary"})
    secret = deployment({"valueFrom": {"secretKeyRef": {"name": "s", "key": "B"}}})
    for before, after in ((plain, secret), (secret, plain)):
        told = str(compare(before, after).changes)
        assert "Canary" not in told and "env[B].value'" in told
    assert "Canary" in str(compare(LIVE, plain).changes)
