"""The inventories that are shipped derive, as they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.objects import objects
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.contract import contract
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.derive import Derived, derive
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.plan import Placement

from .support import CANDIDATES
from .test_shared import STACK

INVENTORIES = Path(__file__).resolve().parents[3] / "inventories"
# Inventory → stores of its own, networks that it joins.
SHIPPED: dict[str, tuple[set[str], list[str]]] = {
    "local": ({"postgres", "clickhouse", "valkey", "seaweedfs"}, []),
    "compose-shared": ({"clickhouse", "seaweedfs"}, ["shop_default"]),
    "kubernetes": ({"postgres", "clickhouse"}, []),
}
_LOOKUP = re.compile(r"\{\{ lookup\('ansible\.builtin\.env', '\w+'\) \}\}")


def run(inventory: str, found: str = "canary-of-the-shop") -> Derived:
    """Derive it on a host with the stack of the guide. ``found`` is what each environment variable holds that it reads."""
    text = (INVENTORIES / inventory / "group_vars" / "langfuse.yml").read_text("utf-8")
    given: dict[str, Any] = yaml.safe_load(_LOOKUP.sub(found, text))
    assert "{{" not in str(given), "the inventory has a template that this test does not know"
    stack = STACK if given.get("langfuse_shared_project") == STACK["project"] else {}
    return derive(contract(), given, list(given), {}, CANDIDATES, Placement(("localhost",), stack))


def test_none_is_left_out() -> None:
    assert {path.name for path in INVENTORIES.iterdir()} == set(SHIPPED)


@pytest.mark.parametrize("inventory", SHIPPED)
def test_it_derives_as_it_is(inventory: str) -> None:
    result = run(inventory)
    assert (result.problems, result.warnings) == ((), ())
    stores, networks = SHIPPED[inventory]
    of_target = result.plan[result.plan["target"]]
    assert (set(of_target["stores"]), of_target.get("networks", [])) == (stores, networks)


def test_the_cluster_is_the_one_of_the_guide() -> None:
    result = run("kubernetes")
    plan = result.plan
    assert (plan["url"], plan["kubernetes"]["namespace"]) == ("https://langfuse.example.com", "ai-system")
    endpoints = plan["endpoints"]
    assert endpoints["postgres"]["host"] == "langfuse-postgresql-rw.ai-system.svc.cluster.local"
    assert endpoints["redis"]["host"] == "dragonfly.cache.svc.cluster.local"
    assert (endpoints["redis"]["username"], endpoints["redis"]["prefix"]) == ("langfuse", "langfuse:")
    assert endpoints["s3"]["endpoint"] == "http://rustfs-svc.storage.svc.cluster.local:9000"
    off = {name for name, feature in plan["features"].items() if not feature["on"]}
    assert off == {"admin_api", "email", "enterprise", "password_login", "telemetry"}
    assert objects(plan, result.secrets)


@pytest.mark.parametrize(
    ("inventory", "missing"),
    [
        ("compose-shared", {"langfuse_postgres_admin_password", "langfuse_redis_admin_password"}),
        (
            "kubernetes",
            {
                *("dragonfly_langfuse_password", "langfuse_keycloak_client_secret"),
                *("langfuse_s3_access_key", "langfuse_s3_secret_key"),
            },
        ),
    ],
)
def test_environment_variables_that_are_not_set_are_missed_before_anything_is_looked_at(
    inventory: str, missing: set[str]
) -> None:
    assert {problem.variable for problem in run(inventory, found="").problems} == missing
