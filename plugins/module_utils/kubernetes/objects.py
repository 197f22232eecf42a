# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which object of a cluster is which, whose it is by its labels, and in which order kinds come and go. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

# Under this name the API server remembers which fields are set here.
FIELD_MANAGER = "llmops.langfuse"
MANAGED_BY = "app.kubernetes.io/managed-by"
INSTANCE = "app.kubernetes.io/instance"
# Namespace of the instance: its objects elsewhere, such as a route, would else be those of another one of its name.
HOME = "llmops.langfuse/namespace"

COMPONENT = "app.kubernetes.io/component"
# Component of the ConfigMap that says where an instance has its data.
RECORD = "store-places"

Object = Mapping[str, Any]


class Kind(NamedTuple):
    """A kind of object as the API serves it: ``plural`` is its name in addresses and rights."""

    api: str
    name: str
    plural: str
    namespaced: bool = True


# In the order in which they are applied within a wave: what others need comes first. They are removed from the end on,
# so that policies go after the pods that they are for.
KINDS: Sequence[Kind] = (
    Kind("v1", "Namespace", "namespaces", namespaced=False),
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    Kind("v1", "Secret", "secrets"),
    Kind("v1", "ConfigMap", "configmaps"),
    Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Kind("cilium.io/v2", "CiliumNetworkPolicy", "ciliumnetworkpolicies"),
    Kind("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "referencegrants"),
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("v1", "Service", "services"),
    Kind("barmancloud.cnpg.io/v1", "ObjectStore", "objectstores"),
    Kind("keda.sh/v1alpha1", "TriggerAuthentication", "triggerauthentications"),
    Kind("postgresql.cnpg.io/v1", "Cluster", "clusters"),
    Kind("postgresql.cnpg.io/v1", "Database", "databases"),
    Kind("postgresql.cnpg.io/v1", "ScheduledBackup", "scheduledbackups"),
    Kind("postgresql.cnpg.io/v1", "Pooler", "poolers"),
    Kind("clickhouse.com/v1alpha1", "KeeperCluster", "keeperclusters"),
    Kind("clickhouse.com/v1alpha1", "ClickHouseCluster", "clickhouseclusters"),
    Kind("apps/v1", "StatefulSet", "statefulsets"),
    Kind("batch/v1", "Job", "jobs"),
    Kind("apps/v1", "Deployment", "deployments"),
    Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Kind("keda.sh/v1alpha1", "ScaledObject", "scaledobjects"),
    Kind("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors"),
    Kind("monitoring.coreos.com/v1", "PodMonitor", "podmonitors"),
    Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"),
    Kind("networking.k8s.io/v1", "Ingress", "ingresses"),
)
# Those that an instance may have outside of its own namespace.
ELSEWHERE = ("HTTPRoute", "ReferenceGrant")


class Identity(NamedTuple):
    """What makes two objects the same one. The version of the API does not; ``namespace`` is empty where there is none."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """As messages have it, like C(Deployment langfuse-web in ai-system)."""
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.kind} {self.name}{where}"

    @property
    def short(self) -> str:
        """As a person confirms it, like ``Cluster/langfuse-postgresql``."""
        return f"{self.kind}/{self.name}"


def group_of(api: str) -> str:
    """Group of an ``apiVersion``; empty for Kubernetes' oldest kinds."""
    return api.rpartition("/")[0]


def identity_of(found: Object) -> Identity:
    metadata = found["metadata"]
    return Identity(group_of(found["apiVersion"]), found["kind"], metadata.get("namespace") or "", metadata["name"])


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in labels.items())


class Owner(NamedTuple):
    """The instance that objects belong to."""

    instance: str
    namespace: str

    @property
    def labels(self) -> dict[str, str]:
        return {MANAGED_BY: FIELD_MANAGER, INSTANCE: self.instance, HOME: self.namespace}

    @property
    def selector(self) -> str:
        """What a list of the API takes to find the instance's objects in any namespace."""
        return _selector(self.labels)

    @property
    def workload_selector(self) -> str:
        """The same for workloads: Helm, where it makes some for the instance, calls itself their manager."""
        return _selector({name: value for name, value in self.labels.items() if name != MANAGED_BY})

    def has(self, found: Object) -> bool:
        """Whether the labels of the object say that it is the instance's."""
        return self.labels.items() <= (found["metadata"].get("labels") or {}).items()


def is_record(found: Object) -> bool:
    """Whether it says where the instance has its data, store → place."""
    labels = found["metadata"].get("labels") or {}
    return bool(labels.get(COMPONENT) == RECORD)


def made_for(found: Object) -> str | None:
    """Kind and name of the object that this one was made for, and goes with. The collection makes none so."""
    references = found["metadata"].get("ownerReferences") or ()
    return f"{references[0]['kind']} {references[0]['name']}" if references else None


class Wanted(NamedTuple):
    """An object as the filter ``kubernetes_objects`` returns it. ``sensitive`` ones never show their content."""

    object: Object
    wave: int
    sensitive: bool = False

    @property
    def identity(self) -> Identity:
        return identity_of(self.object)


def in_waves(documents: Iterable[Mapping[str, Any]]) -> list[list[Wanted]]:
    """The waves, each one in the order of kinds. Every wave is ready before the next is applied."""
    found = [Wanted(one["object"], one["wave"], one.get("sensitive", False)) for one in documents]
    return [
        sorted((one for one in found if one.wave == wave), key=lambda one: _place(one.identity))
        for wave in sorted({one.wave for one in found})
    ]


def in_removal_order(identities: Iterable[Identity]) -> list[Identity]:
    """Ways in first, then what serves them, then what these read."""
    return sorted(identities, key=_place, reverse=True)


_ORDER = {(group_of(kind.api), kind.name): number for number, kind in enumerate(KINDS)}


def _place(identity: Identity) -> tuple[int, str, str]:
    # A kind of a patch of the user's comes last, where all that it may need is there.
    return _ORDER.get((identity.group, identity.kind), len(_ORDER)), identity.namespace, identity.name
