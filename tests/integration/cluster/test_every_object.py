"""Every object of an instance, in each configuration of the unit tests, as a real API server with the operators' definitions sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.objects import objects

from tests.integration.cluster.running import LAYOUT, Running
from tests.integration.modules.conftest import call
from tests.unit.documents.kubernetes.support import CONFIGURATIONS, derived

pytestmark = [pytest.mark.engine]


@pytest.fixture(scope="module")
def defined(definitions: Running) -> Iterator[Running]:
    """With the namespaces of the configurations."""
    with definitions.namespaces("ai-system", "llm", "network", "storage"):
        yield definitions


def _call(module: str, given: dict[str, Any], **options: Any) -> dict[str, Any]:
    plan = derived(given)
    contents = [one.as_data() for one in objects(plan.plan, plan.secrets)]
    result = call(
        module,
        check=True,
        kubeconfig=str(LAYOUT.kubeconfig),
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
def test_the_server_takes_every_object(defined: Running, given: dict[str, Any]) -> None:
    result = _call("kubernetes_apply", given)
    assert not result.get("failed"), result
    assert len(result["applied"]) == result["expected"]


def test_preflight_tells_what_such_a_cluster_lacks(defined: Running) -> None:
    result = _call("kubernetes_preflight", CONFIGURATIONS["shared"])
    assert result["version"].startswith("v1.")
    assert [one["code"] for one in result["findings"]] == ["no_gateway"], result["errors"]
    assert _call("kubernetes_preflight", CONFIGURATIONS["quiet"])["errors"] == []
    result = _call("kubernetes_preflight", CONFIGURATIONS["big"])
    assert [one["code"] for one in result["findings"]] == ["no_storage_class"], result["errors"]


def test_the_roles_of_preflight_are_enough(defined: Running) -> None:
    """An account that has nothing but them passes, and one without is told them."""
    given = CONFIGURATIONS["quiet"]
    roles = _call("kubernetes_preflight", given)["roles"]
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer", "namespace": "llm"}}
    defined.api.apply([account])
    token = defined.kubectl("create", "token", "deployer", "--namespace=llm").stdout.strip()
    path = LAYOUT.state / "deployer.kubeconfig"
    content = json.loads(defined.kubectl("config", "view", "--raw", "--output=json").stdout)
    content["users"][0]["user"] = {"token": token}
    path.write_text(json.dumps(content))
    plan = derived(given)
    options = {
        "instance": plan.plan["instance"],
        "namespace": "llm",
        "kubeconfig": str(path),
        "objects": json.dumps([one.as_data() for one in objects(plan.plan, plan.secrets)]),
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
        defined.api.apply([role, binding])
    assert call("kubernetes_preflight", **options)["errors"] == []
    result = call("kubernetes_apply", check=True, **options)
    assert not result.get("failed"), result
