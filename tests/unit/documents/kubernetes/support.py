"""Objects of an instance as a test asks for them, and whether the API would know their fields."""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.manifest import Manifest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.objects import objects
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.derive import Derived
from jsonschema import Draft202012Validator
from kubernetes.client import models
from pydantic import ValidationError

from ...settings.cases import CERTIFICATE, GOOD
from ...settings.cluster_cases import CLUSTER, EVERYTHING, SHARED
from ...settings.source_cases import AWS, CLICKHOUSE, NODES, POSTGRES
from ...settings.support import run
from .clickhouse_operator_fields import SCHEMAS

BIG: dict[str, Any] = {
    **CLUSTER,
    "langfuse_size": "large",
    "langfuse_web_replicas": 3,
    "langfuse_worker_replicas": 4,
    "langfuse_postgres_instances": 3,
    "langfuse_ingestion_replicas": 2,
    "langfuse_postgres_pooler_instances": 2,
    "clickhouse_operator_enabled": True,
    "langfuse_clickhouse_replicas": 2,
    "langfuse_autoscaling": "hpa",
    "langfuse_expose": "ingress",
    "langfuse_ingress_class": "nginx",
    "langfuse_ingress_issuer": "letsencrypt",
    "network_policies_enabled": True,
    "langfuse_ca_certificates": CERTIFICATE,
    "langfuse_extra_hosts": {"sso.example.com": "10.0.0.7", "keycloak.example.com": "10.0.0.7"},
    "langfuse_kubernetes_pull_secrets": ["registry", "registry"],
    "langfuse_node_selector": {"disk": "fast"},
    "langfuse_tolerations": [{"key": "ai", "operator": "Exists", "effect": "NoSchedule"}],
    "langfuse_priority_class": "important",
    "langfuse_annotations": {"example.com/team": "ai"},
    "langfuse_labels": {"team": "ai"},
    "langfuse_storage_class": "fast",
    "langfuse_kubernetes_volumes": [
        {"name": "models", "mountPath": "/models", "readOnly": True, "persistentVolumeClaim": {"claimName": "models"}}
    ],
}
# No store of its own: what a cloud has, and a gateway in front.
CLOUD: dict[str, Any] = {
    **CLUSTER,
    **POSTGRES,
    **CLICKHOUSE,
    **NODES,
    **AWS,
    "langfuse_service_account_annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/langfuse"},
    "langfuse_kubernetes_existing_secrets": {"credentials": "theirs"},
    "network_policies_enabled": True,
}
# Everything in the cluster, nobody outside.
QUIET: dict[str, Any] = {
    "langfuse_target": "kubernetes",
    "cnpg_enabled": True,
    "langfuse_expose": "service",
    "langfuse_instance": "team-a",
    "langfuse_kubernetes_namespace": "llm",
}
CONFIGURATIONS = {"shared": SHARED, "everything": EVERYTHING, "big": BIG, "cloud": CLOUD, "quiet": QUIET}


def derived(given: Mapping[str, Any]) -> Derived:
    result = run({**GOOD, **given})
    assert not result.problems, result.problems
    return result


def manifests(given: Mapping[str, Any]) -> list[Manifest]:
    result = derived(given)
    return objects(result.plan, result.secrets)


def by_identity(given: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Kind and name → object."""
    return {one.identity: one.object for one in manifests(given)}


def pod_specs(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Name of a workload → the pod spec of its template."""
    found = {}
    for (kind, name), one in by_identity(given).items():
        if kind in ("Deployment", "StatefulSet", "Job"):
            found["langfuse-migrate" if kind == "Job" else name] = one["spec"]["template"]["spec"]
    return found


def environment(given: Mapping[str, Any], workload: str) -> dict[str, str]:
    """Environment of a container as its process sees it: references followed, `$` as the kubelet reads it."""
    objects_ = by_identity(given)
    found = {}
    for entry in pod_specs(given)[workload]["containers"][0]["env"]:
        if "value" in entry:
            found[entry["name"]] = re.sub(r"\$(\$|\((\w+)\))", _expanded, entry["value"])
        else:
            where = entry["valueFrom"]["secretKeyRef"]
            found[entry["name"]] = base64.b64decode(objects_["Secret", where["name"]]["data"][where["key"]]).decode()
    return found


def _expanded(match: re.Match[str]) -> str:
    """`$$` is `$` to the kubelet, and `$(NAME)` the value of another variable."""
    return "$" if match[1] == "$" else f"<value of {match[2]}>"


# Kinds that Kubernetes itself has: the Python client knows their fields.
MODELS = {
    ("v1", "Namespace"): "V1Namespace",
    ("v1", "Secret"): "V1Secret",
    ("v1", "ConfigMap"): "V1ConfigMap",
    ("v1", "Service"): "V1Service",
    ("v1", "ServiceAccount"): "V1ServiceAccount",
    ("apps/v1", "Deployment"): "V1Deployment",
    ("apps/v1", "StatefulSet"): "V1StatefulSet",
    ("batch/v1", "Job"): "V1Job",
    ("networking.k8s.io/v1", "NetworkPolicy"): "V1NetworkPolicy",
    ("networking.k8s.io/v1", "Ingress"): "V1Ingress",
    ("policy/v1", "PodDisruptionBudget"): "V1PodDisruptionBudget",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "V2HorizontalPodAutoscaler",
}


def unfit(found: Mapping[str, Any]) -> list[str]:
    """What the API would not take: fields that are unknown, missing, or of another type."""
    if model := MODELS.get((found["apiVersion"], found["kind"])):
        try:
            getattr(models, model).model_validate(found)
        except ValidationError as error:
            return [".".join(map(str, one["loc"])) + ": " + one["msg"] for one in error.errors()]
        return []
    schema = _strict(_custom_resources()[f"{found['apiVersion']} {found['kind']}"])
    errors = Draft202012Validator(schema).iter_errors(found)
    return [".".join(map(str, error.absolute_path)) + ": " + error.message for error in errors]


@functools.cache
def _custom_resources() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("custom_resources.json").read_text("utf-8"))
    return loaded | SCHEMAS


def _strict(schema: Any) -> Any:
    """The schema, refusing fields that the API would drop without a word."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    # Alternatives only say which fields go together, so they are left alone.
    strict = {
        key: value if key in ("anyOf", "oneOf", "allOf", "not") else _strict(value) for key, value in schema.items()
    }
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        strict["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    return strict
