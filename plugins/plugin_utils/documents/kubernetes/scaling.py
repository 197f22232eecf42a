# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many pods there are: while nodes are drained, by CPU, by the jobs that wait."""

from __future__ import annotations

from typing import Any

from ...settings.hosts import netloc
from .manifest import APPLICATION, Manifest, Plan, Wave, name_of, resource, selector
from .secrets import reference
from .workload import authorities

# Queues that senders fill; what waits in them is work for more workers.
_QUEUES = ("otel-ingestion-queue", "ingestion-queue")
# KEDA refuses a ScaledObject while there is another autoscaler of its workload, in a dry run too. Whoever applies objects before
# it removes others would never come from the one to the other.
_GIVES_WAY = {"validations.keda.sh/hpa-ownership": "false"}


def manifests(plan: Plan) -> list[Manifest]:
    if not plan["enabled"]:
        return []
    kubernetes = plan["kubernetes"]
    kind = kubernetes["autoscaling"]["kind"]
    found = [_budget(plan, name) for name, number in kubernetes["replicas"].items() if number > 1 or kind != "none"]
    if kind == "none":
        return found
    if kind == "hpa":
        return [*found, *(_by_cpu(plan, name) for name in kubernetes["replicas"])]
    ingests = "ingestion" if "ingestion" in kubernetes["replicas"] else "worker"
    others = [name for name in kubernetes["replicas"] if name != ingests]
    return [*found, *(_by_cpu(plan, name) for name in others), *_by_queues(plan, ingests)]


def _budget(plan: Plan, component: str) -> Manifest:
    """One pod at a time, which always lets a single pod go. Where there is never more than one, it would say nothing."""
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": selector(plan, APPLICATION, component)},
        # A pod that is not ready serves nobody, and must not hold a node up.
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    name = name_of(plan, component)
    return Manifest(Wave.CONFIGURATION, resource(plan, "policy/v1", "PodDisruptionBudget", name, component, spec=spec))


def _target(plan: Plan, component: str) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": name_of(plan, component)}


def _by_cpu(plan: Plan, component: str) -> Manifest:
    kubernetes = plan["kubernetes"]
    scaling = kubernetes["autoscaling"]
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": scaling["cpu"]}}
    spec = {
        "scaleTargetRef": _target(plan, component),
        "minReplicas": kubernetes["replicas"][component],
        "maxReplicas": scaling["most"][component],
        "metrics": [{"type": "Resource", "resource": metric}],
        "behavior": _behaviour(),
    }
    name = name_of(plan, component)
    return Manifest(
        Wave.AROUND,
        resource(plan, "autoscaling/v2", "HorizontalPodAutoscaler", name, component, annotations=_GIVES_WAY, spec=spec),
    )


def _behaviour() -> dict[str, Any]:
    """Slowly down: each stop costs a drain of web, or a whole grace period of a worker."""
    return {
        "scaleDown": {
            "stabilizationWindowSeconds": 600,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 120}],
        }
    }


def _by_queues(plan: Plan, component: str) -> list[Manifest]:
    kubernetes, redis = plan["kubernetes"], plan["endpoints"]["redis"]
    scaling, name = kubernetes["autoscaling"], name_of(plan, component)
    access = _access(plan)
    common = {
        "address": netloc(redis["host"], redis["port"]),
        "listLength": str(scaling["queue_depth"]),
        **({"usernameFromEnv": "REDIS_USERNAME"} if redis["username"] else {}),
        **({"enableTLS": "true"} if redis["tls"] else {}),
    }
    authentication = {"authenticationRef": {"name": name}} if access else {}
    triggers = [
        # Lists of BullMQ: its own word in front, unless the application puts one there.
        {
            "type": "redis",
            "metadata": {**common, "listName": f"{redis['prefix'] or 'bull'}:{queue}:wait"},
            **authentication,
        }
        for queue in _QUEUES
    ]
    spec = {
        "scaleTargetRef": _target(plan, component),
        "minReplicaCount": kubernetes["replicas"][component],
        "maxReplicaCount": scaling["most"][component],
        "pollingInterval": 15,
        "cooldownPeriod": 600,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behaviour()}},
        "triggers": triggers,
    }
    found = [Manifest(Wave.AROUND, resource(plan, "keda.sh/v1alpha1", "ScaledObject", name, component, spec=spec))]
    if access:
        found.insert(
            0,
            Manifest(
                Wave.CONFIGURATION,
                resource(plan, "keda.sh/v1alpha1", "TriggerAuthentication", name, component, spec=access),
            ),
        )
    return found


def _access(plan: Plan) -> dict[str, Any]:
    """What KEDA needs to log in to Redis and to trust it; empty where there is nothing."""
    found: dict[str, Any] = {}
    if any(value == {"secret": "langfuse_redis_password"} for value in plan["env"]["worker"].values()):
        where = reference(plan, "langfuse_redis_password")
        found["secretTargetRef"] = [{"parameter": "password", **where}]
    if plan["endpoints"]["redis"]["tls"] and plan["ca_certificates"]:
        found["configMapTargetRef"] = [{"parameter": "ca", **authorities(plan)}]
    return found
