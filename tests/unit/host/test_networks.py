"""Networks of others: those that are not there, and names on them that somebody else has."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import networks, preflight
from ansible_collections.llmops.langfuse.plugins.module_utils.host import Host
from ansible_collections.llmops.langfuse.plugins.module_utils.networks import Found, Joined

from .test_preflight import GOOD, WANTED

WANT = Joined(("shop_default",), ("langfuse-web", "langfuse-worker"), ("clickhouse",))


def _container(project: str, name: str, **aliases: list[str]) -> dict[str, Any]:
    joined = {network: {"Aliases": names} for network, names in aliases.items()}
    labels = {"com.docker.compose.project": project} if project else None
    return {"Name": f"/{name}", "Config": {"Labels": labels}, "NetworkSettings": {"Networks": joined}}


@pytest.mark.parametrize(
    ("container", "taken"),
    [
        (_container("langfuse", "langfuse-web-1", shop_default=["langfuse-web"]), None),
        (_container("second", "second-web-1", shop_default=["langfuse-web", "c0ffee"]), "langfuse-web"),
        (_container("second", "second-web-1", second_default=["langfuse-web"]), None),
        (_container("", "langfuse-web", shop_default=[]), "langfuse-web"),
        (_container("shop", "shop-ch-1", shop_default=["clickhouse"]), "clickhouse"),
        (_container("shop", "shop-pgsql-1", shop_default=["pgsql"]), None),
    ],
)
def test_names_of_others(container: dict[str, Any], taken: str | None) -> None:
    found = networks.taken([container], "langfuse", WANT)
    assert list(found.items()) == ([(("shop_default", taken), container["Name"][1:])] if taken else [])


def test_findings_name_network_and_container() -> None:
    found = Found(("shop_storage",), {("shop_default", "langfuse-web"): "a-1", ("shop_default", "clickhouse"): "b-1"})
    missing, clickhouse, web = networks.findings(WANT, found)
    assert (missing["code"], "shop_storage" in missing["what"]) == ("network_missing", True)
    assert "langfuse_compose_networks" in missing["what"]
    assert "b-1" in clickhouse["what"] and "existing" in clickhouse["cure"]
    assert "a-1" in web["what"] and "langfuse_compose_networks" in web["cure"]


def test_they_are_part_of_preflight() -> None:
    host = Host(**GOOD, networks=Found(missing=("shop_default",)))
    assert [one["code"] for one in preflight.findings(host, WANTED)] == ["network_missing"]
    host.docker_error = "Cannot connect to the Docker daemon"
    assert [one["code"] for one in preflight.findings(host, WANTED)] == ["docker_down"]
