"""The inventories that are shipped derive, as they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
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
    assert (set(result.plan["compose"]["stores"]), result.plan["compose"]["networks"]) == (stores, networks)


def test_environment_variables_that_are_not_set_are_missed_before_anything_is_looked_at() -> None:
    refused = [problem.variable for problem in run("compose-shared", found="").problems]
    assert refused == ["langfuse_postgres_admin_password", "langfuse_redis_admin_password"]
