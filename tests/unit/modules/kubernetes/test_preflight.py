"""What stands in the way of an instance in a cluster, told at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import ApiError
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import (
    KINDS,
    Owner,
    Wanted,
    identity_of,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.operators import Down
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.others import Others
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.pod_ports import Closed
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.preflight import Facts, findings
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.references import of_others
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.rights import Right
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.survey import survey

from ...documents.kubernetes.support import BIG, CONFIGURATIONS, manifests
from .support import OWNER, condition, made

SHARED = [Wanted(one.object, int(one.wave), one.sensitive) for one in manifests(CONFIGURATIONS["shared"])]
FAST = {"metadata": {"name": "fast"}}
DEFAULT = {"metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
LISTENERS = [{"name": "http", "hostname": "*.example.com"}, {"name": "https", "hostname": "*.example.com"}]
GATEWAY: dict[str, Any] = {"spec": {"listeners": LISTENERS}, "status": {"conditions": [condition("Programmed")]}}
GOOD = Facts(
    "v1.36.3",
    frozenset((kind.api, kind.name) for kind in KINDS),
    [DEFAULT],
    {("network", "envoy-external"): GATEWAY},
)
WEB = next(one.identity for one in SHARED if one.identity.name == "langfuse-web" and one.identity.kind == "Service")


def _served(*left_out: str, **instead: str) -> frozenset[tuple[str, str]]:
    found = {(kind.api, kind.name) for kind in KINDS if kind.name not in (*left_out, *instead)}
    return frozenset({*found, *((api, kind) for kind, api in instead.items())})


def _gateway(listeners: list[dict[str, str]] | None = None, *conditions: dict[str, str]) -> dict[tuple[str, str], Any]:
    found = {
        "spec": {"listeners": LISTENERS if listeners is None else listeners},
        "status": {"conditions": list(conditions)},
    }
    return {("network", "envoy-external"): found}


def test_a_good_cluster_has_nothing_in_the_way() -> None:
    assert findings(SHARED, OWNER, GOOD) == []


def test_what_the_server_refuses_in_a_dry_run_is_told_unless_another_finding_has_it() -> None:
    facts = GOOD._replace(refused=[Failure("immutable", "It cannot be changed.", "Set it back.")])
    (found,) = findings(SHARED, OWNER, facts)
    assert (found["code"], found["what"], found["cure"]) == ("immutable", "It cannot be changed", "Set it back")
    facts = GOOD._replace(refused=[Failure("quota", "Over it.", "Less.")], quotas=[QUOTA])
    assert [one["what"] for one in findings(SHARED, OWNER, facts)] == [findings(SHARED, OWNER, facts)[0]["what"]]
    assert "small" in findings(SHARED, OWNER, facts)[0]["what"]


QUOTA = made("ResourceQuota", "small", status={"hard": {"limits.memory": "1Gi"}, "used": {}})
LIMITS = made("ResourceQuota", "small", status={"hard": {"limits.cpu": "8"}, "used": {}})
DEFAULTS = made("LimitRange", "defaults", spec={"limits": [{"type": "Container", "default": {"cpu": "1"}}]})
DENIED = [Right("ai-system", "apps", "deployments", ("patch",))]


@pytest.mark.parametrize(
    ("changes", "code", "what", "cure"),
    [
        ({"version": "v1.26.9"}, "old_cluster", "The cluster is v1.26.9", "1.27"),
        ({"version": "something"}, "old_cluster", "something", "1.27"),
        ({"missing": DENIED}, "forbidden", "may not patch deployments.apps in ai-system", "roles"),
        ({"served": _served("Cluster")}, "missing_kind", "does not know Cluster (postgresql.cnpg.io)", "CloudNativePG"),
        (
            {"served": _served(HTTPRoute="gateway.networking.k8s.io/v1alpha2")},
            "old_kind",
            "serves HTTPRoute as gateway.networking.k8s.io/v1alpha2, and HTTPRoute langfuse in network is gateway.networking.k8s.io/v1",
            "Upgrade the Gateway API; without it change langfuse_expose",
        ),
        (
            {"closed": [Closed("keycloak.identity.svc", 80, 8080)]},
            "closed_port",
            "open 80 towards keycloak.identity.svc, and act on its pods, which listen on 8080",
            "Add keycloak.identity.svc:8080 to langfuse_network_policy_to",
        ),
        # A kind of that name in another API is another kind.
        (
            {"served": _served(Database="databases.example.com/v1")},
            "missing_kind",
            "does not know Database",
            "CloudNativePG",
        ),
        (
            {"foreign": {WEB: "the Helm release lf"}},
            "foreign_object",
            "Service langfuse-web in ai-system is there already and belongs to the Helm release lf",
            "langfuse_instance",
        ),
        (
            {"down": [Down("barmancloud.cnpg.io", ("cnpg-system/barman-cloud",))]},
            "operator_down",
            "The Barman Cloud plugin of CloudNativePG is installed and has no pod that is ready (cnpg-system/barman-cloud)",
            "Look at the pods",
        ),
        ({"classes": []}, "no_storage_class", "no storage class that is the default, and", "langfuse_storage_class"),
        ({"classes": [FAST]}, "no_storage_class", "needs a volume; it has fast", "langfuse_storage_class"),
        ({"gateways": {}}, "no_gateway", "There is no Gateway envoy-external in network", "langfuse_gateway_name"),
        (
            {"gateways": _gateway([{"name": "web"}])},
            "no_listener",
            "has no listener https; it has web",
            "langfuse_gateway_section",
        ),
        (
            {"gateways": _gateway([{"name": "https", "hostname": "*.other.com"}])},
            "no_listener",
            "serves *.other.com there, and not langfuse.example.com",
            "host name",
        ),
        (
            {"gateways": _gateway([{"name": "https", "hostname": "other.com"}])},
            "no_listener",
            "serves other.com",
            "host name",
        ),
        (
            {"gateways": _gateway(None, condition("Programmed", "False", message="no address"))},
            "gateway_down",
            "does not work: no address",
            "Mend",
        ),
        (
            {"quotas": [QUOTA]},
            "quota",
            "The quota small of ai-system leaves too little: limits.memory: 0 of 1Gi is taken",
            "raised",
        ),
        (
            {"quotas": [LIMITS]},
            "quota",
            "The quota small of ai-system counts limits.cpu, and pods with a container that has none are refused: those of Cluster langfuse-postgresql",
            "LimitRange",
        ),
    ],
)
def test_what_stands_in_the_way(changes: dict[str, Any], code: str, what: str, cure: str) -> None:
    (found,) = findings(SHARED, OWNER, GOOD._replace(**changes))
    assert found["code"] == code
    assert what in found["what"] and cure in found["cure"]
    assert not found["what"].endswith(".") and not found["cure"].endswith(".")


@pytest.mark.parametrize(
    "changes",
    [
        {"gateways": _gateway([{"name": "https"}])},
        {"gateways": _gateway([{"name": "https", "hostname": "langfuse.example.com"}])},
        {"classes": [FAST, DEFAULT]},
        {"gateways": _gateway(None, condition("Programmed", "Unknown"), condition("Conflicted", "False"))},
        {"gateways": {("network", "envoy-external"): {"spec": {"listeners": LISTENERS}}}},
        {"version": "1.27.0"},
        {"version": "v1.36.3+k3s1"},
        # What is there has its volumes, and its share of the quota, already.
        {"classes": [], "quotas": [QUOTA, LIMITS], "live": {one.identity: one.object for one in SHARED}},
        {"quotas": [LIMITS], "limits": [DEFAULTS]},
        # Whether there is a default is not known.
        {"quotas": [LIMITS], "limits": None},
    ],
)
def test_what_does_not(changes: dict[str, Any]) -> None:
    assert findings(SHARED, OWNER, GOOD._replace(**changes)) == []


def test_a_class_is_named_once_for_all_that_need_it() -> None:
    wanted = [Wanted(one.object, int(one.wave)) for one in manifests(BIG)]
    (found,) = findings(wanted, OWNER, GOOD._replace(gateways={}))
    assert (
        found["what"]
        == "The cluster has no storage class fast for Cluster langfuse-postgresql in ai-system; it has standard"
    )
    assert findings(wanted, OWNER, GOOD._replace(classes=[FAST], gateways={})) == []
    (found,) = findings(wanted, OWNER, GOOD._replace(classes=[], gateways={}))
    assert found["what"].endswith("in ai-system nor any other")


def test_a_route_without_names_and_a_gateway_of_its_own_namespace() -> None:
    route = Wanted(made("HTTPRoute", "langfuse", "network", spec={"parentRefs": [{"name": "envoy-external"}]}), 7)
    assert findings([route], OWNER, GOOD) == []
    down = _gateway([], condition("Programmed", "False", reason="Invalid"))
    (found,) = findings([route], OWNER, GOOD._replace(gateways=down))
    assert found["code"] == "no_listener"
    down = _gateway([{"name": "a"}], condition("Programmed", "False", reason="Invalid"))
    (found,) = findings([route], OWNER, GOOD._replace(gateways=down))
    assert found["what"] == "The Gateway envoy-external does not work: Invalid"


def test_an_instance_of_flux_is_told_in_one_sentence() -> None:
    (found,) = findings(SHARED, OWNER, GOOD._replace(flux=[("flux-system", "langfuse")]))
    assert found["code"] == "applied_by_flux" and "langfuse_target: gitops" in found["cure"]


def test_everything_is_told_at_once() -> None:
    bad = Facts("v1.20.0", frozenset(), foreign={WEB: "x"}, missing=DENIED, quotas=[QUOTA])
    codes = [one["code"] for one in findings(SHARED, OWNER, bad)]
    assert list(dict.fromkeys(codes)) == [
        *("old_cluster", "forbidden", "missing_kind", "foreign_object", "no_storage_class", "quota"),
    ]
    kinds = [one["what"].split(" ")[5] for one in findings(SHARED, OWNER, bad) if one["code"] == "missing_kind"]
    assert len(kinds) == len(set(kinds)) > 5


def test_another_namespace_is_not_under_the_quota() -> None:
    elsewhere = [one for one in SHARED if one.identity.kind == "Deployment"]
    assert findings(elsewhere, Owner("langfuse", "other"), GOOD._replace(quotas=[QUOTA])) == []
    assert findings(elsewhere, OWNER, GOOD._replace(quotas=[QUOTA]))


def _with(kind: str, **data: str) -> dict[Any, Any]:
    """The instance's own Secret, or a store, with other content."""
    (one,) = [one for one in SHARED if one.identity[1:] == (kind, "ai-system", "langfuse-credentials")]
    return {one.identity: {**one.object, "data": {**one.object["data"], **data}}}


CLAIM = made("Cluster", "langfuse-postgresql")


@pytest.mark.parametrize(
    ("live", "drawn", "code"),
    [
        (_with("Secret", SALT="b3RoZXI="), ["langfuse_salt"], "other_keys"),
        (_with("Secret", ENCRYPTION_KEY="b3RoZXI="), [], "other_keys"),
        (_with("Secret", NEXTAUTH_SECRET="b3RoZXI="), [], None),
        ({identity_of(CLAIM): CLAIM}, ["langfuse_salt", "langfuse_encryption_key"], "lost_keys"),
        ({identity_of(CLAIM): CLAIM}, [], None),
        ({}, ["langfuse_salt"], None),
    ],
)
def test_keys_of_stored_data_do_not_change(live: dict[Any, Any], drawn: list[str], code: str | None) -> None:
    found = findings(SHARED, OWNER, GOOD._replace(live=live, drawn=drawn))
    assert [one["code"] for one in found] == ([code] if code else [])
    assert "b3RoZXI" not in str(found)


def test_classes_that_may_not_be_read_are_not_missing() -> None:
    assert findings(SHARED, OWNER, GOOD._replace(classes=None)) == []


KEPT = {"langfuse_kubernetes_existing_secrets": {"credentials": "theirs", "clickhouse-credentials": "store"}}
THEIRS = [Wanted(one.object, int(one.wave), one.sensitive) for one in manifests({**CONFIGURATIONS["quiet"], **KEPT})]


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        (None, "There is no Secret theirs in llm, and Deployment team-a-web in llm reads it"),
        (frozenset({"SALT"}), "Secret theirs in llm has no ENCRYPTION_KEY, NEXTAUTH_SECRET, and"),
        (frozenset({"SALT", "ENCRYPTION_KEY", "NEXTAUTH_SECRET", "MORE"}), ""),
    ],
)
def test_a_secret_of_somebody_else_has_what_pods_read(keys: frozenset[str] | None, what: str) -> None:
    found = [one["what"] for one in findings(THEIRS, OWNER, GOOD._replace(theirs={("llm", "theirs"): keys}))]
    assert [one[: len(what)] for one in found] == ([what] if what else [])


class Cluster:
    """Any, with the Secrets that the instance has made so far."""

    def __init__(self, *secrets: dict[str, Any]) -> None:
        self.secrets = secrets

    def version(self) -> str:
        return GOOD.version

    def ask(self, _review: Any) -> dict[str, Any]:
        return {"allowed": True}

    def list(self, kind: Any, _namespace: str, _selector: str = "") -> list[dict[str, Any]]:
        return list(self.secrets) if kind.name == "Secret" else []

    def kind(self, _api: str, _name: str) -> None:
        return None

    def served(self, _api: str) -> tuple[str, ...]:
        return ()

    versions = served


class Ranged(Cluster):
    """One whose LimitRanges may be read or not."""

    def __init__(self, found: Sequence[dict[str, Any]] | None) -> None:
        super().__init__()
        self.found = found

    def list(self, kind: Any, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        if kind.name != "LimitRange":
            return super().list(kind, namespace, selector)
        assert (kind.api, kind.plural, namespace) == ("v1", "limitranges", "llm")
        if self.found is None:
            raise ApiError({"code": 403, "reason": "Forbidden"})
        return [*self.found]


TEAM = Owner("team-a", "llm")


@pytest.mark.parametrize("found", [None, [], [DEFAULTS]])
def test_limit_ranges_of_the_namespace_are_read_where_that_is_allowed(found: list[dict[str, Any]] | None) -> None:
    limits = survey(Ranged(found), [], TEAM).limits  # type: ignore[arg-type]
    assert (None if limits is None else [*limits]) == found


OURS = {"SALT": "b3Vycy0x", "ENCRYPTION_KEY": "b3Vycy0y", "NEXTAUTH_SECRET": "b3Vycy0z"}
LABELS: dict[str, Any] = {"labels": TEAM.labels}


@pytest.mark.parametrize(
    ("after", "own", "what"),
    [
        (OURS, {}, ""),
        ({**OURS, "NEXTAUTH_SECRET": "dmF1bHQ="}, {}, ""),
        ({**OURS, "SALT": "dmF1bHQ="}, {}, "has another SALT than Secret team-a-credentials in llm of the instance"),
        ({**OURS, "SALT": "dmF1bHQ=", "ENCRYPTION_KEY": "dmF1bHQ="}, {}, "has another SALT and ENCRYPTION_KEY than"),
        # One that is not the instance's says nothing of its data.
        ({**OURS, "SALT": "dmF1bHQ="}, {"metadata": {"labels": Owner("team-b", "llm").labels}}, ""),
        # A new instance has none.
        ({**OURS, "SALT": "dmF1bHQ="}, {"data": {}}, ""),
    ],
)
def test_a_secret_of_somebody_else_has_the_keys_of_the_data(
    after: dict[str, str], own: dict[str, Any], what: str
) -> None:
    live = made("Secret", "team-a-credentials", "llm", **{"data": OURS, "metadata": LABELS, **own})
    # Nobody reads the SALT of this one.
    more = {("llm", "store"): {"password": "eA==", "SALT": "eA=="}}
    theirs = Others({("llm", "theirs"): after, **more}, {})
    facts = survey(Cluster(live), THEIRS, TEAM, theirs=theirs)  # type: ignore[arg-type]
    found = [one for one in findings(THEIRS, TEAM, facts) if one["code"] == "other_keys"]
    assert [what in one["what"] for one in found] == ([True] if what else [])
    assert all(one["what"].startswith("Secret theirs in llm has") for one in found)
    assert not [value for value in (*after.values(), *OURS.values()) if value in str(found)]


@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        ("username", ["bootstrap"]),
        ("password", ["bootstrap", "managed"]),
        ("password", ["managed"]),
        ("", ["bootstrap"]),
    ],
)
def test_a_secret_of_somebody_else_has_what_cloudnativepg_takes_by_its_type(lacking: str, named: list[str]) -> None:
    """In the first password of the role as in those that follow it."""
    kept = {"langfuse_kubernetes_existing_secrets": {"postgresql-credentials": "theirs"}}
    (found,) = [one for one in manifests({**CONFIGURATIONS["quiet"], **kept}) if one.object["kind"] == "Cluster"]
    places = ("bootstrap", "managed")
    spec = {name: value for name, value in found.object["spec"].items() if name in named or name not in places}
    wanted = [Wanted({**found.object, "spec": spec}, 1)]
    keys = {"username", "password"} - {lacking}
    told = findings(wanted, TEAM, GOOD._replace(theirs={("llm", "theirs"): keys}))
    what = f"Secret theirs in llm has no {lacking}, and Cluster team-a-postgresql in llm reads it"
    assert [one["what"] for one in told] == ([what] if lacking else [])


def test_who_should_have_made_it_says_why() -> None:
    place = ("llm", "theirs")
    facts = GOOD._replace(theirs={place: None}, reasons={place: "ExternalSecret a says: no"})
    (found,) = findings(THEIRS, OWNER, facts)
    assert found["what"].endswith("reads it; ExternalSecret a says: no")


def test_a_secret_of_somebody_else_that_may_not_be_read_is_not_judged() -> None:
    assert findings(THEIRS, OWNER, GOOD) == []


def test_references_are_found_wherever_they_stand() -> None:
    volume = {"name": "a", "secret": {"secretName": "in-a-volume"}}
    spare = {"name": "b", "secret": {"secretName": "spare", "optional": True}}
    given = {"langfuse_kubernetes_volumes": [{"mountPath": "/a", **volume}, {"mountPath": "/b", **spare}]}
    wanted = [Wanted(one.object, 1, False) for one in manifests({**CONFIGURATIONS["quiet"], **given})]
    assert [(one.secret, one.key) for one in of_others(wanted)] == [("in-a-volume", None)]
