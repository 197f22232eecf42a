"""Every kind that is written, changed by hand: shown without anything secret, and set back. What others rightly set stays."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Identity, Owner, identity_of
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.objects import objects

from tests.integration.cluster.objects import Document, known
from tests.integration.cluster.place import Place, Result
from tests.integration.cluster.running import Running
from tests.unit.documents.kubernetes.support import CONFIGURATIONS, derived

pytestmark = [pytest.mark.engine]
SECRET = "Warbler-of-drift"
# Kind → where a hand changes it, as a JSON pointer, and to what.
DRIFT: dict[str, tuple[str, Any]] = {
    "Namespace": ("/metadata/labels/pod-security.kubernetes.io~1enforce", "privileged"),
    "ServiceAccount": ("/automountServiceAccountToken", True),
    "Secret": ("/data/{first}", base64.b64encode(SECRET.encode()).decode()),
    "ConfigMap": ("/data/{first}", "none"),
    "NetworkPolicy": ("/spec/ingress", []),
    "CiliumNetworkPolicy": ("/spec/ingress", []),
    "ReferenceGrant": ("/spec/to", [{"group": "", "kind": "Service"}]),
    "PodDisruptionBudget": ("/metadata/labels/app.kubernetes.io~1name", "another"),
    "Service": ("/spec/ports/0/port", 81),
    "ObjectStore": ("/spec/retentionPolicy", "1d"),
    "TriggerAuthentication": ("/spec/secretTargetRef/0/key", "another"),
    "Cluster": ("/spec/imagePullPolicy", "Always"),
    "Database": ("/spec/ensure", "absent"),
    "ScheduledBackup": ("/spec/schedule", "0 0 4 * * *"),
    "Pooler": ("/spec/instances", 5),
    "StatefulSet": ("/spec/template/spec/terminationGracePeriodSeconds", 1),
    "Deployment": ("/spec/template/spec/automountServiceAccountToken", True),
    "HorizontalPodAutoscaler": ("/spec/maxReplicas", 50),
    "ScaledObject": ("/spec/maxReplicaCount", 50),
    "ServiceMonitor": ("/spec/endpoints/0/interval", "1s"),
    "PodMonitor": ("/spec/podMetricsEndpoints/0/interval", "1s"),
    "HTTPRoute": ("/spec/hostnames", ["another.example.com"]),
    "Ingress": ("/spec/rules/0/host", "another.example.com"),
}


def everything(namespace: str) -> tuple[Owner, list[Document], list[str]]:
    """Objects of all kinds in one place and one wave, and the secrets in them. No node takes their pods."""
    given = {
        "langfuse_kubernetes_namespace": namespace,
        "langfuse_gateway_namespace": namespace,
        "langfuse_node_selector": {"drift": "none"},
    }
    found: dict[Identity, Document] = {}
    secrets: list[str] = []
    for name in ("everything", "big"):
        plan = derived({**CONFIGURATIONS[name], **given})
        kinds = {identity.kind for identity in found}
        secrets += [
            value for name, value in plan.secrets.items() if not name.endswith("public_key") and len(value) > 12
        ]
        for document in known({**one.as_data(), "wave": 1} for one in objects(plan.plan, plan.secrets)):
            if document["object"]["metadata"].get("namespace"):
                document["object"]["metadata"]["namespace"] = namespace
            identity = identity_of(document["object"])
            # A migration is what it was made of, and never set back.
            if identity.kind not in {*kinds, "Job"}:
                found[identity] = document
    return Owner("langfuse", namespace), list(found.values()), secrets


@pytest.fixture
def whole(place: Place, definitions: Running) -> tuple[Place, list[Document], list[str]]:
    owner, documents, secrets = everything(place.owner.namespace)
    there = Place(definitions, owner)
    # Nothing of it becomes ready, and nobody waits.
    result = there.apply(*documents, timeout=0)
    assert len(result.get("applied", ())) == len(documents), result
    return there, documents, secrets


def _changed(result: Result) -> set[str]:
    return {one["object"].split(" in ")[0] for one in result["applied"] if one["action"] == "changed"}


def _by_hand(place: Place, found: dict[str, Any], path: str, value: Any) -> None:
    words = [f"{found['kind']}.{found['apiVersion'].rpartition('/')[0]}".rstrip("."), found["metadata"]["name"]]
    operation = [{"op": "replace", "path": path, "value": value}]
    place.kubectl("patch", *words, "--type=json", f"--patch={json.dumps(operation)}", "--field-manager=kubectl-edit")


def test_each_kind_changed_by_hand_is_shown_and_set_back(whole: tuple[Place, list[Document], list[str]]) -> None:
    place, documents, secrets = whole
    settled = place.apply(*documents, check=True)
    assert not settled["changed"], settled["diff"]
    one_of_each = {one["object"]["kind"]: one["object"] for one in reversed(documents)}
    assert set(one_of_each) == set(DRIFT)
    for kind, found in one_of_each.items():
        path, value = DRIFT[kind]
        _by_hand(place, found, path.format(first=next(iter(found.get("data") or {}), "")), value)
    checked = place.apply(*documents, check=True)
    told = json.dumps(checked)
    expected = {f"{kind} {found['metadata']['name']}" for kind, found in one_of_each.items()}
    assert _changed(checked) == expected
    for secret in (*secrets, SECRET):
        assert secret not in told and base64.b64encode(secret.encode()).decode() not in told
    shown = {one["before_header"].split(" ")[0]: one for one in checked["diff"]}
    assert all(shown[kind]["before"] != shown[kind]["after"] for kind in DRIFT), shown
    repaired = place.apply(*documents, timeout=0)
    assert _changed(repaired) == expected and SECRET not in json.dumps(repaired)
    settled = place.apply(*documents, check=True)
    assert not settled["changed"], settled["diff"]


def test_what_others_rightly_set_stays(whole: tuple[Place, list[Document], list[str]]) -> None:
    place, documents, _secrets = whole
    place.kubectl("rollout", "restart", "deployment/langfuse-web")
    place.kubectl("scale", "deployment/langfuse-worker", "--replicas=3")
    place.kubectl(
        "annotate",
        "ingress/langfuse",
        "cert-manager.io/issue-temporary-certificate=true",
        "--field-manager=cert-manager",
    )
    place.kubectl("label", "service/langfuse-web", "team=another")
    before = {name: place.find(*name.split("/"))["metadata"]["resourceVersion"] for name in OTHERS}
    result = place.apply(*documents, timeout=0)
    assert not result.get("applied"), result
    assert {name: place.find(*name.split("/"))["metadata"]["resourceVersion"] for name in OTHERS} == before
    restarted = place.find("deployment", "langfuse-web")["spec"]["template"]["metadata"]["annotations"]
    assert "kubectl.kubernetes.io/restartedAt" in restarted
    assert place.find("deployment", "langfuse-worker")["spec"]["replicas"] == 3


OTHERS = ("ingress/langfuse", "service/langfuse-web")
