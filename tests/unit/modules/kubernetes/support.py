"""Objects as an API server returns them, as small as a test needs them."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import FIELD_MANAGER, Owner

OWNER = Owner("langfuse", "ai-system")
API = {
    "Cluster": "postgresql.cnpg.io/v1",
    "Database": "postgresql.cnpg.io/v1",
    "Pooler": "postgresql.cnpg.io/v1",
    "ClickHouseCluster": "clickhouse.com/v1alpha1",
    "KeeperCluster": "clickhouse.com/v1alpha1",
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "Job": "batch/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "ScaledObject": "keda.sh/v1alpha1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
}


def made(kind: str, name: str, namespace: str = "ai-system", **content: Any) -> dict[str, Any]:
    """An object of the instance. `metadata` is added to its own."""
    metadata = {"name": name, "namespace": namespace, "labels": dict(OWNER.labels), **content.pop("metadata", {})}
    return {"apiVersion": API.get(kind, "v1"), "kind": kind, "metadata": metadata, **content}


def recorded(**places: str) -> dict[str, Any]:
    """Where the instance has its data, store → place."""
    found = made("ConfigMap", "langfuse-store-places", data=places)
    found["metadata"]["labels"]["app.kubernetes.io/component"] = "store-places"
    return found


def entry(manager: str = FIELD_MANAGER, operation: str = "Apply", time: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    """An entry of `managedFields`."""
    return {"manager": manager, "operation": operation, "time": time, "fieldsV1": {}}


def changed(found: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one value changed, or without it."""
    result = copy.deepcopy(found)
    *way, last = path.split("/")
    place: Any = result
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
    if value is None:
        place.pop(last)
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return result


def condition(kind: str, status: str = "True", **more: str) -> dict[str, str]:
    return {"type": kind, "status": status, **more}
