"""What a run tells of its steps. What it does with a cluster is an integration test."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.llmops.langfuse.plugins.action.kubernetes_apply import _objects
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes import jobs
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.apply import Applier, Options, Outcome, Step
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.comparison import compare
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import KINDS, Wanted, identity_of
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.prune import KEEP, REMOVE, Verdict
from ansible_collections.llmops.langfuse.plugins.modules import kubernetes_apply, kubernetes_remove

from .support import OWNER, made

SECRET = made("Secret", "langfuse-credentials", data={"SALT": "Q2FuYXJ5"})
JOB = made("Job", "langfuse-migrate-1", spec={})
SERVICE = made("Service", "langfuse-web", spec={"type": "ClusterIP"})


def _step(wanted: dict[str, Any], live: dict[str, Any] | None, job: str = "") -> Step:
    return Step(Wanted(wanted, 1), live, compare(live, wanted), wanted, job)


def _told(*steps: Step, verdicts: tuple[Verdict, ...] = ()) -> dict[str, Any]:
    return Outcome(steps, verdicts, (), ()).as_result()


def test_nothing_to_do_is_no_change() -> None:
    told = _told(_step(SERVICE, SERVICE), _step(JOB, JOB, jobs.DONE))
    assert not told["changed"] and told["applied"] == told["diff"] == []


def test_what_differs_is_told_by_name() -> None:
    other = {**SERVICE, "spec": {"type": "NodePort"}}
    told = _told(_step(SERVICE, other), _step(SECRET, None))
    assert told["changed"]
    assert told["applied"] == [
        {"object": "Service langfuse-web in ai-system", "action": "changed"},
        {"object": "Secret langfuse-credentials in ai-system", "action": "created"},
    ]
    assert told["diff"][0]["before"] == "spec.type: NodePort\n"
    assert told["diff"][0]["after"] == "spec.type: ClusterIP\n"
    assert "Q2FuYXJ5" not in json.dumps(told)


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (jobs.CREATE, "created"),
        (jobs.BUSY, "created"),
        (jobs.REPLACE, "replaced"),
        (jobs.WAIT, None),
        (jobs.DONE, None),
    ],
)
def test_a_migration_is_a_change_where_it_runs(action: str, told: str | None) -> None:
    # A Job that is done is as it was made, whatever would be made of it now.
    live = None if told == "created" else {**JOB, "spec": {"suspend": True}}
    found = _told(_step(JOB, live, action))
    assert [one["action"] for one in found["applied"]] == ([told] if told else [])
    assert found["changed"] is bool(told)


def test_what_goes_is_a_change_and_what_stays_is_told() -> None:
    goes, stays = identity_of(SERVICE), identity_of(made("Cluster", "langfuse-postgresql"))
    told = _told(verdicts=(Verdict(goes, REMOVE, "is no longer wanted"), Verdict(stays, KEEP, "holds data")))
    assert told["changed"] and told["removed"] == ["Service langfuse-web in ai-system"]
    assert told["kept"] == [{"object": "Cluster langfuse-postgresql in ai-system", "why": "holds data"}]
    assert told["diff"] == [
        {"before_header": told["removed"][0], "before": "present\n", "after_header": "(removed)", "after": ""}
    ]
    assert not _told(verdicts=(Verdict(stays, KEEP, "holds data"),))["changed"]


class Cluster:
    """Has these objects of the instance, and takes whatever is applied."""

    def __init__(self, *live: dict[str, Any]) -> None:
        self.live = live

    def list(self, kind: Any, _namespace: str, _selector: str) -> list[dict[str, Any]]:
        return [one for one in self.live if one["kind"] == kind.name]

    def get(self, kind: Any, _namespace: str, name: str) -> dict[str, Any] | None:
        return next((one for one in self.live if (one["kind"], one["metadata"]["name"]) == (kind.name, name)), None)

    def kind(self, _api: str, name: str) -> Any:
        return next(kind for kind in KINDS if kind.name == name)

    def apply(self, body: Any, **_options: Any) -> Any:
        return body


def _reader(name: str, key: str) -> dict[str, Any]:
    """A workload of the instance that reads a key of a Secret."""
    variable = {"name": key, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}
    container = {"name": "web", "env": [variable]}
    return {
        "object": made("Deployment", "langfuse-web", spec={"template": {"spec": {"containers": [container]}}}),
        "wave": 1,
    }


MAIL = made("Secret", "langfuse-smtp-credentials", data={"SMTP_CONNECTION_URL": "eA=="})


@pytest.mark.parametrize(
    ("secret", "key", "read", "fate"),
    [
        (MAIL, "SMTP_CONNECTION_URL", "langfuse-smtp-credentials", ""),
        (MAIL, "SMTP_CONNECTION_URL", "from-the-vault", "removed"),
        (SECRET, "SALT", "langfuse-credentials", ""),
        (SECRET, "SALT", "from-the-vault", "kept"),
    ],
)
def test_a_secret_that_was_handed_over_under_its_own_name_stays(
    secret: dict[str, Any], key: str, read: str, fate: str
) -> None:
    """Also in `kept`, which says how it is removed, it has no place while pods read it."""
    confirmed = ["Secret/langfuse-credentials"] if fate != "kept" else []
    applier = Applier(Cluster(secret), OWNER, Options(remove=confirmed), check_mode=True)  # type: ignore[arg-type]
    told = applier.run([_reader(read, key)]).as_result()
    name = str(identity_of(secret))
    assert told["removed"] == ([name] if fate == "removed" else [])
    assert [one["object"] for one in told["kept"]] == ([name] if fate == "kept" else [])


@pytest.mark.parametrize(("module", "more"), [(kubernetes_apply, {}), (kubernetes_remove, {"data": True})])
@pytest.mark.parametrize(
    ("name", "removed"), [("langfuse-smtp-credentials", []), ("from-the-vault", [str(identity_of(MAIL))])]
)
def test_it_stays_too_while_nobody_reads_it(
    module: Any, more: dict[str, Any], name: str, removed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an instance that is switched off, or taken away with all its data."""
    monkeypatch.setattr(module, "Cluster", lambda *_place: Cluster(MAIL))
    params = {
        "objects": "[]",
        "instance": OWNER.instance,
        "namespace": OWNER.namespace,
        "kubeconfig": None,
        "context": None,
        "elsewhere": [],
        "remove": [],
        "timeout": 1,
        "migration_timeout": 1,
        "existing_secrets": [name],
        **more,
    }
    assert module.run(params, True)["removed"] == removed


def test_the_action_passes_on_what_the_filter_returns() -> None:
    given = [{"wave": 1, "sensitive": True, "keep": False, "object": SECRET}]
    assert _objects(given) == given


@pytest.mark.parametrize(
    "given",
    [None, "Q2FuYXJ5", [SECRET], [{"object": SECRET}], [{"object": SECRET, "wave": "1"}], [{"object": "Q2FuYXJ5"}]],
)
def test_anything_else_is_refused_without_a_word_of_it(given: Any) -> None:
    with pytest.raises(AnsibleActionFail, match="kubernetes_objects") as caught:
        _objects(given)
    assert "Q2FuYXJ5" not in str(caught.value) and caught.value.__cause__ is None
