"""What an API server refuses, and what a person is told: no trace, no value of a Secret, and a cure."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.api_errors import missing_kind, refused
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Identity
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.contract import contract

WEB = Identity("apps", "Deployment", "ai-system", "langfuse-web")
PG = Identity("postgresql.cnpg.io", "Cluster", "ai-system", "langfuse-postgresql")
SECRET = Identity("", "Secret", "ai-system", "langfuse-credentials")
STORE = Identity("apps", "StatefulSet", "ai-system", "langfuse-clickhouse")


def _status(code: int, message: str, reason: str = "", *fields: str) -> dict[str, Any]:
    causes = [{"reason": "FieldValueInvalid", "message": 'Invalid value: "Canary"', "field": field} for field in fields]
    return {"code": code, "reason": reason, "message": message, "details": {"causes": causes}}


@pytest.mark.parametrize(
    ("identity", "status", "code", "message", "cure"),
    [
        (
            WEB,
            _status(
                403,
                'deployments.apps "x" is forbidden: User "jane" cannot patch resource "deployments" in API group "apps" in the namespace "ai-system"',
            ),
            "forbidden",
            "jane may not patch deployments of apps, so nobody can apply Deployment langfuse-web in ai-system.",
            "preflight",
        ),
        (
            SECRET,
            _status(
                403,
                'secrets "x" is forbidden: User "jane" cannot patch resource "secrets" in API group "" in the namespace "ai-system"',
            ),
            "forbidden",
            "jane may not patch secrets, so",
            "right",
        ),
        (
            STORE,
            _status(
                403, 'persistentvolumeclaims "x" is forbidden: exceeded quota: small, requested: requests.storage=20Gi'
            ),
            "quota",
            "over a quota: exceeded quota: small, requested: requests.storage=20Gi.",
            "raised",
        ),
        (
            WEB,
            _status(
                403,
                "deployments \"langfuse-web\" is forbidden: ValidatingAdmissionPolicy 'labels' denied request: no owner",
            ),
            "admission",
            "denied request: no owner.",
            "rule",
        ),
        (WEB, _status(401, "Unauthorized"), "unauthorized", "does not know who is asking", "kubeconfig"),
        (
            PG,
            _status(
                500,
                'Internal error occurred: failed calling webhook "mcluster.cnpg.io": failed to call webhook: Post "https://x": connection refused',
            ),
            "operator_down",
            "The operator behind mcluster.cnpg.io does not answer",
            "pods of the operator",
        ),
        (
            WEB,
            _status(404, 'namespaces "ai-system" not found'),
            "no_namespace",
            "There is no namespace ai-system",
            "langfuse_kubernetes_create_namespace",
        ),
        (
            WEB,
            _status(403, "unable to create new content in namespace ai-system because it is being terminated"),
            "no_namespace",
            "is being removed",
            "Wait",
        ),
        (
            STORE,
            _status(
                422,
                'StatefulSet.apps "x" is invalid: spec: Forbidden: updates to statefulset spec for fields other than replicas are forbidden',
            ),
            "immutable",
            "cannot be changed that way",
            "Set that value back",
        ),
        (
            STORE,
            _status(
                422, 'PersistentVolumeClaim "x" is invalid: spec.resources: field can not be less than previous value'
            ),
            "immutable",
            "less than",
            "back",
        ),
        (
            PG,
            _status(
                500,
                "failed to create typed patch object (ai-system/x; postgresql.cnpg.io/v1, Kind=Cluster): .spec.plugin: field not declared in schema",
            ),
            "unknown_field",
            "does not know spec.plugin of Cluster langfuse-postgresql",
            "Upgrade CloudNativePG",
        ),
        (
            WEB,
            _status(422, "Deployment is invalid", "Invalid", "spec.template.spec.containers[0].image"),
            "refused",
            "does not take Deployment langfuse-web in ai-system: spec.template.spec.containers[0].image.",
            "langfuse_kubernetes_patches",
        ),
        (
            WEB,
            _status(503, "etcdserver:  leader\n changed"),
            "refused",
            "did not apply Deployment langfuse-web in ai-system: etcdserver: leader changed.",
            "API server",
        ),
    ],
)
def test_what_is_told(identity: Identity, status: dict[str, Any], code: str, message: str, cure: str) -> None:
    told = refused(identity, status).as_result()
    assert told["code"] == code
    assert message in told["msg"] and cure in told["cure"]


@pytest.mark.parametrize("code", [400, 422, 500])
def test_no_value_of_a_secret_is_repeated(code: int) -> None:
    status = _status(
        code, 'Secret "x" is invalid: data[SALT]: Invalid value: "Q2FuYXJ5Canary"', "Invalid", "data[SALT]"
    )
    told = str(refused(SECRET, status).as_result())
    assert "Canary" not in told and "Q2FuYXJ5" not in told and "data[SALT]" in told
    assert "Canary" not in str(refused(SECRET, {**status, "details": {}}).as_result())


@pytest.mark.parametrize(
    ("identity", "message", "cure"),
    [
        (
            PG,
            "does not know Cluster (postgresql.cnpg.io)",
            "Install CloudNativePG, or upgrade it; without it change cnpg_enabled.",
        ),
        (Identity("keda.sh", "ScaledObject", "a", "x"), "keda.sh", "langfuse_autoscaling"),
        (
            Identity("gateway.networking.k8s.io", "HTTPRoute", "a", "x"),
            "HTTPRoute x in a cannot be made",
            "langfuse_expose",
        ),
        (Identity("example.com", "Thing", "a", "x"), "Thing (example.com)", "Install example.com, or upgrade it."),
        (Identity("policy", "PodDisruptionBudget", "a", "x"), "PodDisruptionBudget (policy)", "Upgrade Kubernetes."),
        (Identity("", "Thing", "a", "x"), "Thing (v1)", "Upgrade Kubernetes."),
    ],
)
def test_a_kind_that_nobody_serves_names_who_would(identity: Identity, message: str, cure: str) -> None:
    told = missing_kind(identity).as_result()
    assert told["code"] == "missing_kind" and message in told["msg"] and cure in told["cure"]


@pytest.mark.parametrize(
    ("group", "what", "switch"),
    [
        ("postgresql.cnpg.io", "CloudNativePG", "cnpg_enabled"),
        ("barmancloud.cnpg.io", "the Barman Cloud plugin of CloudNativePG", "cnpg_barman_plugin_enabled"),
        ("clickhouse.com", "ClickHouse's operator", "clickhouse_operator_enabled"),
        ("monitoring.coreos.com", "the Prometheus operator", "monitoring_enabled"),
        ("keda.sh", "KEDA", "langfuse_autoscaling"),
        ("cilium.io", "Cilium", "langfuse_network_policy_kind"),
        ("gateway.networking.k8s.io", "the Gateway API", "langfuse_expose"),
    ],
)
def test_who_brings_a_kind(group: str, what: str, switch: str) -> None:
    cure = missing_kind(Identity(group, "Thing", "a", "x")).cure
    assert cure == f"Install {what}, or upgrade it; without it change {switch}."
    assert switch in contract()


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        # Words of one answer in another one mean nothing.
        (
            _status(422, "exceeded quota"),
            "refused",
            "did not apply Deployment langfuse-web in ai-system: exceeded quota.",
        ),
        (_status(500, "field is immutable"), "refused", "field is immutable"),
        (_status(404, 'deployments "x" not found'), "refused", "not found"),
        (_status(409, 'namespaces "ai-system" not found'), "refused", "not found"),
        (_status(500, ".spec.x: field not declared in schema"), "unknown_field", "its Kubernetes is older"),
        (
            _status(400, "bad", "BadRequest", "spec.x"),
            "refused",
            "does not take Deployment langfuse-web in ai-system: spec.x.",
        ),
        (
            _status(409, "bad", "Conflict", "spec.x"),
            "refused",
            "did not apply Deployment langfuse-web in ai-system: bad.",
        ),
        ({"reason": "Timeout"}, "refused", "did not apply Deployment langfuse-web in ai-system: Timeout."),
        ({"code": 504}, "refused", "did not apply Deployment langfuse-web in ai-system: 504."),
    ],
)
def test_other_answers_are_told_as_they_are(status: dict[str, Any], code: str, message: str) -> None:
    told = refused(WEB, status).as_result()
    assert told["code"] == code and message in told["msg"]


def test_what_was_tried_is_told() -> None:
    assert "did not remove Deployment langfuse-web" in refused(WEB, {"code": 504}, "remove").message


def test_who_may_not_remove_is_told_the_right_that_preflight_does_not_print() -> None:
    said = 'statefulsets.apps "x" is forbidden: User "jane" cannot delete resource "statefulsets" in API group "apps" in the namespace "ai-system"'
    told = refused(STORE, _status(403, said), "remove")
    assert told.code == "forbidden"
    assert told.cure == "Give the account the right to delete statefulsets of apps in ai-system."
