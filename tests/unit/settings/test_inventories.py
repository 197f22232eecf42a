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

from .cases import RECIPIENT
from .support import CANDIDATES
from .test_shared import STACK

INVENTORIES = Path(__file__).resolve().parents[3] / "inventories"
# Inventory → stores of its own, networks that it joins.
SHIPPED: dict[str, tuple[set[str], list[str]]] = {
    "local": ({"postgres", "clickhouse", "valkey", "seaweedfs"}, []),
    "compose-shared": ({"clickhouse", "seaweedfs"}, ["shop_default"]),
    "kubernetes": ({"postgres", "clickhouse"}, []),
    "gitops": ({"postgres", "clickhouse"}, []),
}
_LOOKUP = re.compile(r"\{\{ lookup\('ansible\.builtin\.env', '(\w+)'\) \}\}")
# Environment variables that have a form.
_FORMS = {"LANGFUSE_GITOPS_DIRECTORY": "/srv/fleet", "LANGFUSE_AGE_RECIPIENT": RECIPIENT}


def variables(inventory: str, found: str = "canary-of-the-shop") -> dict[str, Any]:
    """What it says. ``found`` is what each environment variable holds that it reads, unless it has a form; "" for none."""
    text = (INVENTORIES / inventory / "group_vars" / "langfuse.yml").read_text("utf-8")
    given: dict[str, Any] = yaml.safe_load(_LOOKUP.sub(lambda match: found and _FORMS.get(match[1], found), text))
    assert "{{" not in str(given), "the inventory has a template that this test does not know"
    return given


def run(inventory: str, found: str = "canary-of-the-shop") -> Derived:
    """Derive it on a host with the stack of the guide."""
    given = variables(inventory, found)
    stack = STACK if given.get("langfuse_shared_project") == STACK["project"] else {}
    return derive(contract(), given, list(given), {}, CANDIDATES, Placement(("localhost",), stack))


def test_none_is_left_out() -> None:
    assert {path.name for path in INVENTORIES.iterdir()} == set(SHIPPED)


@pytest.mark.parametrize("inventory", SHIPPED)
def test_it_derives_as_it_is(inventory: str) -> None:
    result = run(inventory)
    assert (result.problems, result.warnings) == ((), ())
    stores, networks = SHIPPED[inventory]
    of_target = result.plan["compose" if result.plan["target"] == "compose" else "kubernetes"]
    assert (set(of_target["stores"]), of_target.get("networks", [])) == (stores, networks)


@pytest.mark.parametrize("inventory", ["kubernetes", "gitops"])
def test_the_cluster_is_the_one_of_the_guide(inventory: str) -> None:
    result = run(inventory)
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
        (
            "gitops",
            {
                *("dragonfly_langfuse_password", "langfuse_keycloak_client_secret"),
                *("langfuse_s3_access_key", "langfuse_s3_secret_key"),
                *("langfuse_gitops_directory", "langfuse_age_recipients"),
            },
        ),
    ],
)
def test_environment_variables_that_are_not_set_are_missed_before_anything_is_looked_at(
    inventory: str, missing: set[str]
) -> None:
    assert {problem.variable for problem in run(inventory, found="").problems} == missing
