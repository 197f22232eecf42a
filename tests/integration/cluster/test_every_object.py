"""Every object of an instance, in each configuration of the unit tests, as a real API server with the operators' definitions sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.objects import objects

from tests.bench.cluster import manifests
from tests.bench.cluster.api import Api
from tests.bench.cluster.layout import Layout
from tests.integration.cluster.objects import known
from tests.integration.cluster.own_server import api_server
from tests.integration.cluster.running import LAYOUT
from tests.integration.modules.conftest import call
from tests.unit.documents.kubernetes.support import CONFIGURATIONS, derived

pytestmark = [pytest.mark.engine]


_DISKS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "disks", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "example.com/nobody",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Layout]:
    """With the operators' definitions and the namespaces of the configurations."""
    with api_server() as (layout, api):
        api.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            for name in ("ai-system", "llm", "network", "storage")
        )
        api.apply([_DISKS])
        for source in (*manifests.DEFINITIONS, manifests.GATEWAY_API, manifests.CNPG):
            found = manifests.ensure(LAYOUT, source, {})
            manifests.apply(api, [one for one in found if one["kind"] == "CustomResourceDefinition"])
        yield layout


def _call(server: Layout, module: str, given: dict[str, Any], **options: Any) -> dict[str, Any]:
    plan = derived(given)
    contents = known(one.as_data() for one in objects(plan.plan, plan.secrets))
    result = call(
        module,
        check=True,
        kubeconfig=str(server.kubeconfig),
        instance=plan.plan["instance"],
        namespace=plan.plan["kubernetes"]["namespace"],
        objects=json.dumps(contents),
        **options,
    )
    secrets = {
        name: value for name, value in plan.secrets.items() if not name.endswith("public_key") and len(value) > 12
    }
    assert not [name for name, value in secrets.items() if value in json.dumps(result)]
    # The namespaces are the test's, and used as they are.
    result["expected"] = len(contents) - 1
    return result


@pytest.mark.parametrize("given", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_the_server_takes_every_object(server: Layout, given: dict[str, Any]) -> None:
    result = _call(server, "kubernetes_apply", given)
    assert not result.get("failed"), result
    assert len(result["applied"]) == result["expected"]


def test_preflight_tells_what_such_a_cluster_lacks(server: Layout) -> None:
    result = _call(server, "kubernetes_preflight", CONFIGURATIONS["shared"])
    assert result["version"].startswith("v1.")
    assert [one["code"] for one in result["findings"]] == ["no_gateway"], result["errors"]
    assert _call(server, "kubernetes_preflight", CONFIGURATIONS["quiet"])["errors"] == []
    result = _call(server, "kubernetes_preflight", CONFIGURATIONS["big"])
    assert [one["code"] for one in result["findings"]] == ["no_storage_class"], result["errors"]


def test_an_operator_that_does_not_run_is_told(server: Layout) -> None:
    """Its definitions are there, so that the server takes its objects, and nobody would ever make what they ask for."""
    label = {"app.kubernetes.io/name": "cloudnative-pg"}
    container = {"name": "manager", "image": "example.com/cloudnative-pg:1"}
    pod = {"metadata": {"labels": label}, "spec": {"containers": [container]}}
    metadata = {"name": "cnpg", "namespace": "storage", "labels": label}
    spec = {"selector": {"matchLabels": label}, "template": pod}
    operator = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    api = Api(server.kubeconfig)
    api.apply([operator])
    try:
        (found,) = _call(server, "kubernetes_preflight", CONFIGURATIONS["quiet"])["findings"]
        assert (found["code"], found["level"]) == ("operator_down", "error")
        assert found["what"] == "CloudNativePG is installed and has no pod that is ready (storage/cnpg)"
        status = {"status": {"replicas": 1, "readyReplicas": 1, "observedGeneration": 1}}
        api.call("PATCH", f"{api.path_of(operator)}/status", status, "application/merge-patch+json")
        assert _call(server, "kubernetes_preflight", CONFIGURATIONS["quiet"])["findings"] == []
    finally:
        api.delete(api.path_of(operator))


def test_the_roles_of_preflight_are_enough(server: Layout) -> None:
    """An account that has nothing but them passes, and one without is told them."""
    given = CONFIGURATIONS["quiet"]
    roles = _call(server, "kubernetes_preflight", given)["roles"]
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer", "namespace": "llm"}}
    api = Api(server.kubeconfig)
    api.apply([account])
    token = api.call("POST", f"{api.path_of(account)}/token", {"spec": {}})["status"]["token"]
    path = server.state / "deployer.kubeconfig"
    content = yaml.safe_load(server.kubeconfig.read_text())
    content["users"][0]["user"] = {"token": token}
    path.write_text(json.dumps(content))
    plan = derived(given)
    options = {
        "instance": plan.plan["instance"],
        "namespace": "llm",
        "kubeconfig": str(path),
        "objects": json.dumps(known(one.as_data() for one in objects(plan.plan, plan.secrets))),
    }
    (before,) = call("kubernetes_preflight", **options)["findings"]
    assert before["code"] == "forbidden"
    assert "create, delete, get, list, patch deployments.apps in llm" in before["what"]
    for role in roles:
        kind = role["kind"]
        binding = {
            "apiVersion": role["apiVersion"],
            "kind": f"{kind}Binding",
            "metadata": role["metadata"],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role["metadata"]["name"]},
            "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": "llm"}],
        }
        api.apply([role, binding])
    assert call("kubernetes_preflight", **options)["errors"] == []
    result = call("kubernetes_apply", check=True, **options)
    assert not result.get("failed"), result
