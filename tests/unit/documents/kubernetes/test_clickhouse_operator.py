"""ClickHouse by its operator: what its cluster and its Keeper are asked for."""

from __future__ import annotations

from typing import Any

import pytest

from ...settings.cluster_cases import CLUSTER
from .support import by_identity, derived, environment, unfit

OPERATED: dict[str, Any] = {**CLUSTER, "clickhouse_operator_enabled": True, "langfuse_clickhouse_replicas": 3}


def _spec(kind: str, given: dict[str, Any] = OPERATED) -> dict[str, Any]:
    return dict(by_identity(given)[kind, "langfuse"]["spec"])


def test_the_cluster_is_in_the_place_of_the_pod() -> None:
    found = by_identity(OPERATED)
    assert ("StatefulSet", "langfuse-clickhouse") not in found
    assert ("StatefulSet", "langfuse-clickhouse") in by_identity(CLUSTER)
    spec = _spec("ClickHouseCluster")
    assert (spec["replicas"], spec["shards"], spec["keeperClusterRef"]) == (3, 1, {"name": "langfuse"})
    assert _spec("KeeperCluster")["replicas"] == 3


def test_one_service_reaches_the_servers_at_both_ports() -> None:
    service = by_identity(OPERATED)["Service", "langfuse-clickhouse"]["spec"]
    assert service["selector"] == {"app": "langfuse-clickhouse", "clickhouse.com/role": "clickhouse-server"}
    assert [one["targetPort"] for one in service["ports"]] == [8123, 9000]


def test_langfuse_knows_that_it_is_a_cluster() -> None:
    found = environment(OPERATED, "langfuse-web")
    assert found["CLICKHOUSE_CLUSTER_ENABLED"] == "true"
    assert (found["CLICKHOUSE_USER"], found["CLICKHOUSE_DB"]) == ("default", "default")
    assert found["CLICKHOUSE_URL"] == "http://langfuse-clickhouse.ai-system.svc.cluster.local:8123"
    assert environment(CLUSTER, "langfuse-web")["CLICKHOUSE_CLUSTER_ENABLED"] == "false"


def test_the_password_comes_from_the_secret_of_the_application() -> None:
    settings = _spec("ClickHouseCluster")["settings"]
    reference = {"name": "langfuse-clickhouse-credentials", "key": "password"}
    assert settings["defaultUserPassword"] == {"passwordType": "password", "secret": reference}
    secret = by_identity(OPERATED)["Secret", "langfuse-clickhouse-credentials"]
    assert list(secret["data"]) == ["password"]


def test_another_password_makes_the_servers_anew() -> None:
    def rolls(password: str) -> str:
        spec = _spec("ClickHouseCluster", {**OPERATED, "langfuse_clickhouse_password": password})
        return str(spec["containerTemplate"]["env"][0]["value"])

    assert rolls("one-password-of-clickhouse") != rolls("another-password-of-clickhouse")


def test_what_a_single_server_is_told_is_told_to_each() -> None:
    settings = _spec("ClickHouseCluster", {**OPERATED, "langfuse_clickhouse_version": "26.9"})["settings"]
    assert settings["extraConfig"]["timezone"] == "UTC"
    assert settings["extraConfig"]["trace_log"] == {"@remove": "1"}
    profile = settings["extraUsersConfig"]["profiles"]["default"]
    assert profile["input_format_read_datetime_number_as_raw_value"] == 1
    assert settings["logger"]["logToFile"] is False


def test_images_are_of_the_registry() -> None:
    given = {
        **OPERATED,
        "langfuse_image_registry": "registry.example.com:5000/mirror",
        "langfuse_clickhouse_version": "25.12",
    }
    image = _spec("ClickHouseCluster", given)["containerTemplate"]["image"]
    assert image == {"repository": "registry.example.com:5000/mirror/clickhouse/clickhouse-server", "tag": "25.12"}
    keeper = _spec("KeeperCluster", given)["containerTemplate"]["image"]
    assert keeper["repository"] == "registry.example.com:5000/mirror/clickhouse/clickhouse-keeper"


def test_switched_off_it_has_no_servers_and_keeps_its_volumes() -> None:
    off = {**OPERATED, "langfuse_enabled": False}
    assert (_spec("ClickHouseCluster", off)["replicas"], _spec("KeeperCluster", off)["replicas"]) == (0, 0)


@pytest.mark.parametrize("kind", ["ClickHouseCluster", "KeeperCluster"])
def test_the_check_of_fields_sees_an_unknown_one(kind: str) -> None:
    found = by_identity(OPERATED)[kind, "langfuse"]
    assert unfit(found) == []
    found["spec"]["podTemplate"]["priorityClassName"] = "important"
    assert len(unfit(found)) == 1


def test_the_provision_of_others_has_no_part_in_it() -> None:
    assert "clickhouse" not in derived(OPERATED).plan["provision"]
