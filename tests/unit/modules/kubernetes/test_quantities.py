"""Amounts as Kubernetes writes them, and what a quota does not leave."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.quantities import (
    amount,
    asked,
    over,
    without_limits,
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
    ],
)
def test_amounts(text: str, value: str) -> None:
    assert amount(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "much", "2GB", "-1", "1 Gi", "m"])
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
    ],
)  # fmt: skip
def test_what_a_quota_does_not_leave(hard: dict[str, str], used: dict[str, str], lines: list[str]) -> None:
    assert over(_quota(hard, used), asked(OBJECTS)) == lines


def test_a_quota_that_nobody_has_counted_yet() -> None:
    assert over(made("ResourceQuota", "small", spec={"hard": {"pods": "1"}}), asked(OBJECTS))


def test_a_quota_of_processor_limits_refuses_every_pod_without_one() -> None:
    assert without_limits(_quota({"limits.cpu": "8"}), OBJECTS)
    assert without_limits(made("ResourceQuota", "small", spec={"hard": {"limits.cpu": "8"}}), OBJECTS)
    assert not without_limits(made("ResourceQuota", "small"), OBJECTS)
    assert over(made("ResourceQuota", "small"), asked(OBJECTS)) == []
    assert not without_limits(_quota({"requests.cpu": "8"}), OBJECTS)
    assert asked([made("Job", "x", spec={"template": {"spec": {"containers": [{}]}}})])["pods"] == 1
    limited = {"limits": {"cpu": "1"}}
    one = made("Deployment", "x", spec={"template": {"spec": {"containers": [{"resources": limited}]}}})
    assert not without_limits(_quota({"limits.cpu": "8"}), [one])


def test_the_objects_of_the_filter_can_be_counted() -> None:
    found = asked(one.object for one in manifests(BIG))
    # Three of PostgreSQL, two of ClickHouse and three of its Keeper, the stores, the migration; replicas are the autoscaler's.
    assert found["pods"] == 3 + 2 + 3 + 2 + 1 + 3
    assert found["requests.storage"] > amount("40Gi")
