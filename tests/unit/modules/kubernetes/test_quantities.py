"""Amounts as Kubernetes writes them, and what a quota does not leave."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.quantities import (
    amount,
    asked,
    over,
    unsaid,
)

from ...documents.kubernetes.support import BIG, manifests
from .support import made


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        (2, "2"),
        ("0.5", "0.5"),
        ("1.5Gi", str(3 * 2**29)),
        ("2048Mi", str(2**31)),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("3T", str(3 * 10**12)),
        ("1P", str(10**15)),
        ("2E", str(2 * 10**18)),
        ("1Pi", str(2**50)),
        ("1Ei", str(2**60)),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1.5e+3", "1500"),
        ("5e-1", "0.5"),
        ("100u", "0.0001"),
        ("5n", "0.000000005"),
    ],
)
def test_amounts(text: str, value: str) -> None:
    assert amount(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "much", "2GB", "-1", "1 Gi", "m", "1e", "1e3Gi", "e3"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        amount(text)


RESOURCES = {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
CLAIM = {"spec": {"resources": {"requests": {"storage": "20Gi"}}}}
POD = {"spec": {"containers": [{"resources": RESOURCES}, {"resources": {}}]}}
OBJECTS = [
    made("Deployment", "langfuse-web", spec={"replicas": 2, "template": POD}),
    made("StatefulSet", "langfuse-clickhouse", spec={"template": POD, "volumeClaimTemplates": [CLAIM]}),
    made("Cluster", "langfuse-postgresql", spec={"instances": 3, "resources": RESOURCES, "storage": {"size": "10Gi"}}),
    made("ConfigMap", "langfuse"),
]


def test_what_objects_ask_for() -> None:
    found = asked(OBJECTS)
    assert {name: found[name] for name in ("pods", "requests.cpu", "persistentvolumeclaims")} == {
        "pods": 6,
        "requests.cpu": 3,
        "persistentvolumeclaims": 4,
    }
    assert (found["requests.memory"], found["limits.memory"]) == (amount("6Gi"), amount("12Gi"))
    assert found["requests.storage"] == amount("50Gi")
    assert (found["count/ConfigMap"], found["count/Cluster"]) == (1, 1)


def _quota(hard: dict[str, str], used: dict[str, str] | None = None) -> dict[str, Any]:
    return made("ResourceQuota", "small", status={"hard": hard, "used": used or {}})


@pytest.mark.parametrize(
    ("hard", "used", "lines"),
    [
        ({"limits.memory": "12Gi"}, {}, []),
        ({"limits.memory": "12Gi"}, {"limits.memory": "1Gi"}, ["limits.memory: 1Gi of 12Gi is taken, and 12Gi more is needed"]),
        ({"memory": "4Gi", "cpu": "2"}, {}, ["cpu: 0 of 2 is taken, and 3 more is needed", "memory: 0 of 4Gi is taken, and 6Gi more is needed"]),
        ({"requests.storage": "1Ti", "pods": "5"}, {"pods": "1"}, ["pods: 1 of 5 is taken, and 6 more is needed"]),
        ({"requests.cpu": "2500m"}, {}, ["requests.cpu: 0 of 2500m is taken, and 3000m more is needed"]),
        ({"services.loadbalancers": "0"}, {}, []),
        ({"limits.memory": "1e9"}, {}, ["limits.memory: 0 of 1e9 is taken, and 12884901888 more is needed"]),
    ],
)  # fmt: skip
def test_what_a_quota_does_not_leave(hard: dict[str, str], used: dict[str, str], lines: list[str]) -> None:
    assert over(_quota(hard, used), asked(OBJECTS)) == lines


def test_a_quota_that_nobody_has_counted_yet() -> None:
    assert over(made("ResourceQuota", "small", spec={"hard": {"pods": "1"}}), asked(OBJECTS))


SCOPED = [
    {"scopes": ["BestEffort"]},
    {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}},
]


@pytest.mark.parametrize("scope", SCOPED)
def test_a_quota_of_some_pods_only_is_left_to_the_server(scope: dict[str, Any]) -> None:
    hard = {"pods": "0", "limits.cpu": "8"}
    quota = made("ResourceQuota", "small", spec={"hard": hard, **scope}, status={"hard": hard, "used": {}})
    assert over(quota, asked(OBJECTS)) == [] and unsaid(quota, OBJECTS, []) == {}


def _workload(kind: str, name: str, *resources: dict[str, Any], first: dict[str, Any] | None = None) -> dict[str, Any]:
    pod: dict[str, Any] = {"containers": [{"resources": one} for one in resources]}
    if first is not None:
        pod["initContainers"] = [{"resources": first}]
    return made(kind, name, spec={"template": {"spec": pod}})


LIMITED = {"limits": {"cpu": "1", "memory": "1Gi"}}
WITH = _workload("Deployment", "with", LIMITED)


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (WITH, []),
        (_workload("Deployment", "without", {}), ["limits.cpu", "limits.memory", "requests.cpu", "requests.memory"]),
        (_workload("Job", "half", LIMITED, {"limits": {"memory": "1Gi"}}), ["limits.cpu", "requests.cpu"]),
        (_workload("StatefulSet", "first", LIMITED, first=RESOURCES), ["limits.cpu"]),
        (made("Pooler", "pooler", spec={"template": {"spec": {"containers": [{"resources": RESOURCES}]}}}), ["limits.cpu"]),
        (made("Cluster", "database", spec={"resources": RESOURCES}), ["limits.cpu"]),
        (made("KeeperCluster", "keeper", spec={"containerTemplate": {"resources": RESOURCES}}), ["limits.cpu"]),
        (made("ObjectStore", "backups", spec={"instanceSidecarConfiguration": {"resources": RESOURCES}}), ["limits.cpu"]),
        (made("ConfigMap", "x"), []),
    ],
)  # fmt: skip
def test_a_quota_refuses_pods_with_a_container_that_does_not_say_what_it_counts(
    one: dict[str, Any], names: list[str]
) -> None:
    """Each container counts: what one says does not hide another that does not."""
    quota = _quota({"limits.cpu": "8", "limits.memory": "64Gi", "cpu": "8", "requests.memory": "64Gi", "pods": "9"})
    assert unsaid(quota, [WITH, one], []) == {name: [one] for name in names}


def test_what_a_quota_does_not_count_need_not_be_said() -> None:
    assert unsaid(_quota({"pods": "8"}), OBJECTS, []) == {}
    assert unsaid(made("ResourceQuota", "small"), OBJECTS, []) == {}
    assert over(made("ResourceQuota", "small"), asked(OBJECTS)) == []
    assert unsaid(made("ResourceQuota", "small", spec={"hard": {"limits.cpu": "8"}}), OBJECTS, [])
    assert asked([_workload("Job", "x", {})])["pods"] == 1


def _range(kind: str = "Container", **said: dict[str, str]) -> dict[str, Any]:
    return made("LimitRange", "defaults", spec={"limits": [{"type": kind, **said}]})


@pytest.mark.parametrize(
    ("ranges", "names"),
    [
        ([], ["limits.cpu", "requests.cpu"]),
        ([made("LimitRange", "empty")], ["limits.cpu", "requests.cpu"]),
        ([_range(default={"cpu": "1"})], []),
        ([_range(defaultRequest={"cpu": "1"})], ["limits.cpu"]),
        ([_range(defaultRequest={"cpu": "1"}), _range(default={"cpu": "1"})], []),
        ([_range(default={"memory": "1Gi"})], ["limits.cpu", "requests.cpu"]),
        # A bound of the whole pod fills nothing in.
        ([_range("Pod", max={"cpu": "1"}, default={"cpu": "1"})], ["limits.cpu", "requests.cpu"]),
    ],
)
def test_a_limit_range_says_it_for_containers(ranges: list[dict[str, Any]], names: list[str]) -> None:
    quota = _quota({"limits.cpu": "8", "requests.cpu": "8"})
    assert list(unsaid(quota, [_workload("Deployment", "without", {})], ranges)) == names


def test_the_objects_of_the_filter_can_be_counted() -> None:
    found = asked(one.object for one in manifests(BIG))
    # Three of PostgreSQL and two of its pooler, two of ClickHouse and three of its Keeper, the stores, the migration; replicas are the autoscaler's.
    assert found["pods"] == 3 + 2 + 2 + 3 + 2 + 1 + 3
    assert found["requests.storage"] > amount("40Gi")
