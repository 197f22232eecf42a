"""What a person added to an object, as the API server remembers it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.additions import additions, mending, without

from .support import made

WEB = 'k:{"name":"web"}'
OURS = {
    "f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:template": {
            "f:spec": {
                "f:containers": {
                    WEB: {
                        ".": {},
                        "f:name": {},
                        "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                        "f:resources": {"f:limits": {"f:memory": {}}},
                        "f:ports": {'k:{"containerPort":3000,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                    }
                }
            }
        },
    },
}
CONTAINER = {
    "name": "web",
    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "C/D", "value": "3"}],
    "resources": {"limits": {"memory": "2Gi", "cpu": "1"}},
    "ports": [{"containerPort": 3000, "protocol": "TCP"}, {"containerPort": 9229, "protocol": "TCP"}],
}
RESTARTED = {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01"}}
SPEC = {
    "replicas": 1,
    "paused": True,
    "template": {"metadata": RESTARTED, "spec": {"containers": [{"name": "mesh"}, CONTAINER]}},
}


def _in_container(fields: dict[str, Any]) -> dict[str, Any]:
    return {"f:spec": {"f:template": {"f:spec": {"f:containers": {WEB: fields}}}}}


def _env(name: str) -> dict[str, Any]:
    return {"f:env": {f'k:{{"name":"{name}"}}': {".": {}, "f:name": {}, "f:value": {}}}}


def _live(
    fields: dict[str, Any], manager: str = "kubectl-edit", operation: str = "Update", **more: Any
) -> dict[str, Any]:
    entries = [
        {"manager": "llmops.langfuse", "operation": "Apply", "fieldsV1": copy.deepcopy(OURS)},
        {"manager": manager, "operation": operation, "fieldsV1": fields, **more},
    ]
    metadata = {"managedFields": entries, "labels": {"team": "ai"}}
    return made("Deployment", "langfuse-web", metadata=metadata, spec=copy.deepcopy(SPEC), status={"phase": "x"})


_PLACE = "spec.template.spec.containers[web]"
_POINTER = "/spec/template/spec/containers/1"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"f:spec": {"f:paused": {}}}, [("spec.paused", "/spec/paused")]),
        (_in_container(_env("B")), [(f"{_PLACE}.env[B]", f"{_POINTER}/env/1")]),
        (
            _in_container({"f:resources": {"f:limits": {"f:cpu": {}}}}),
            [(f"{_PLACE}.resources.limits.cpu", f"{_POINTER}/resources/limits/cpu")],
        ),
        (
            _in_container({"f:ports": {'k:{"containerPort":9229,"protocol":"TCP"}': {".": {}}}}),
            [(f"{_PLACE}.ports[9229 TCP]", f"{_POINTER}/ports/1")],
        ),
        # A whole container beside ours.
        (
            {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"mesh"}': {".": {}}}}}}},
            [("spec.template.spec.containers[mesh]", "/spec/template/spec/containers/0")],
        ),
        # Both of one list: the last one first, or the other is at another place.
        (
            _in_container({"f:env": {**_env("B")["f:env"], **_env("C/D")["f:env"]}}),
            [(f"{_PLACE}.env[C/D]", f"{_POINTER}/env/2"), (f"{_PLACE}.env[B]", f"{_POINTER}/env/1")],
        ),
        # What both have is a conflict, which applying tells itself.
        (_in_container(_env("A")), []),
        ({"f:spec": {"f:replicas": {}}}, []),
        # A restart by hand, and labels of anybody.
        (
            {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/restartedAt": {}}}}}},
            [],
        ),
        ({"f:metadata": {"f:labels": {"f:team": {}}}, "f:status": {"f:phase": {}}}, []),
        # Gone since.
        (_in_container(_env("Z")), []),
        ({"f:spec": {"f:minReadySeconds": {}}}, []),
        ({"f:spec": {"f:template": {"f:spec": {"f:containers": {"i:0": {}}}}}}, []),
    ],
)
def test_what_was_added(fields: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert [(one.path, one.removal["path"]) for one in additions(_live(fields))] == found


def test_what_flux_has_left() -> None:
    """It applied the instance before. What an update of its name has, like a status, it has not kept in Git."""
    paused = {"f:spec": {"f:paused": {}}}
    assert [one.path for one in additions(_live(paused, "kustomize-controller", "Apply"))] == ["spec.paused"]
    assert additions(_live(paused, "kustomize-controller")) == []
    assert additions(_live({"f:spec": {"f:replicas": {}}}, "kustomize-controller", "Apply")) == []


def test_a_number_of_pods_that_is_not_ours_stays() -> None:
    live = _live({"f:spec": {"f:replicas": {}, "f:paused": {}}})
    del live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:replicas"]
    assert [one.path for one in additions(live)] == ["spec.paused"]


def test_an_object_without_what_was_added() -> None:
    live = _live(_in_container({"f:env": {**_env("B")["f:env"], **_env("C/D")["f:env"]}}))
    before = copy.deepcopy(live)
    clean = without(live, additions(live))
    assert clean["spec"]["template"]["spec"]["containers"][1]["env"] == [{"name": "A", "value": "1"}]
    assert live == before and additions(clean) == []


@pytest.mark.parametrize(
    "live",
    [
        _live({"f:spec": {"f:paused": {}}}, "argocd-controller"),
        _live({"f:spec": {"f:paused": {}}}, "kubectl", "Apply"),
        _live({"f:spec": {"f:paused": {}}}, "kubectl", subresource="scale"),
        made("Deployment", "langfuse-web", spec=SPEC),
    ],
)
def test_what_others_keep_is_theirs(live: dict[str, Any]) -> None:
    assert additions(live) == []


def test_to_what_was_never_applied_nothing_is_added() -> None:
    live = _live({"f:spec": {"f:paused": {}}})
    del live["metadata"]["managedFields"][0]
    assert additions(live) == []


def test_a_value_of_a_set_and_a_key_with_a_slash() -> None:
    live = made("ConfigMap", "x", data={"a/b~c": "1"}, list=["p", "q"])
    ours = {
        "manager": "llmops.langfuse",
        "operation": "Apply",
        "fieldsV1": {"f:data": {"f:z": {}}, "f:list": {'v:"p"': {}}},
    }
    hand = {
        "manager": "kubectl-edit",
        "operation": "Update",
        "fieldsV1": {"f:data": {"f:a/b~c": {}}, "f:list": {'v:"q"': {}}},
    }
    live["metadata"]["managedFields"] = [ours, hand]
    assert [(one.path, one.removal["path"]) for one in additions(live)] == [
        ("list[q]", "/list/1"),
        ("data.a/b~c", "/data/a~1b~0c"),
    ]


def test_of_a_long_list_the_last_ones_go_first() -> None:
    """As text, 10 would come before 9, and its removal would move it."""
    live = made("ConfigMap", "x", list=[str(number) for number in range(12)])
    ours = {"manager": "llmops.langfuse", "operation": "Apply", "fieldsV1": {"f:list": {'v:"0"': {}}}}
    hand = {"f:list": {f'v:"{number}"': {} for number in (2, 9, 10, 11)}}
    live["metadata"]["managedFields"] = [ours, {"manager": "kubectl", "operation": "Update", "fieldsV1": hand}]
    assert [one.removal for one in additions(live)] == [
        {"op": "remove", "path": f"/list/{number}"} for number in (11, 10, 9, 2)
    ]


def test_a_field_of_another_shape_since_is_left() -> None:
    live = made("ConfigMap", "x", list={"q": 1}, data=["q"])
    ours = {
        "manager": "llmops.langfuse",
        "operation": "Apply",
        "fieldsV1": {"f:list": {"f:z": {}}, "f:data": {"f:z": {}}},
    }
    hand = {"f:list": {'v:"q"': {}, 'k:{"name":"q"}': {}}, "f:data": {"f:q": {}, 'k:{"name":"q"}': {}}}
    live["metadata"]["managedFields"] = [ours, {"manager": "kubectl", "operation": "Update", "fieldsV1": hand}]
    assert additions(live) == []


def _service(theirs: dict[str, Any], *ports: dict[str, Any]) -> dict[str, Any]:
    live = made("Service", "langfuse-web", spec={"ports": list(ports)})
    ours = {"f:spec": {"f:selector": {}, **({} if len(ports) == 1 else {"f:ports": {'k:{"port":3000}': {}}})}}
    live["metadata"]["managedFields"] = [
        {"manager": "llmops.langfuse", "operation": "Apply", "fieldsV1": ours},
        {"manager": "kubectl-patch", "operation": "Update", "fieldsV1": {"f:spec": theirs}},
    ]
    return live


PORT = {"name": "http", "port": 3000}


@pytest.mark.parametrize(
    "live",
    [
        # The only entry got another key, so that nothing of the list is ours any more.
        _service({"f:ports": {'k:{"port":3001}': {}}}, {"name": "http", "port": 3001}),
        _service({"f:ports": {'k:{"port":3001}': {}}}, PORT, {"name": "other", "port": 3001}),
    ],
)
def test_a_list_with_an_entry_of_a_hand_becomes_what_is_wanted(live: dict[str, Any]) -> None:
    wanted = made("Service", "langfuse-web", spec={"ports": [PORT]})
    assert mending(live, wanted) == [{"op": "replace", "path": "/spec/ports", "value": [PORT]}]


def test_what_is_not_wanted_at_all_is_taken_away() -> None:
    live = _service({"f:externalIPs": {}}, PORT)
    live["spec"]["externalIPs"] = ["10.0.0.1"]
    wanted = made("Service", "langfuse-web", spec={"ports": [PORT]})
    assert mending(live, wanted) == [{"op": "remove", "path": "/spec/externalIPs"}]
    assert mending(made("Service", "langfuse-web", spec={}), wanted) == []
