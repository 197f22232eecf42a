# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods of an instance: restricted Pod Security, no token of the API, places that the user chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .manifest import APPLICATION, Manifest, Plan, Wave, labels, name_of, owner_labels, resource, selector
from .secrets import CHECKSUM

TMP = {"name": "tmp", "mountPath": "/tmp"}
_HOSTNAME = "kubernetes.io/hostname"


@dataclass(frozen=True)
class Pod:
    """What is particular to the pods of one component.

    container: without image and security. volumes: name → source. user: uid and gid. seconds: what it may take to
    stop. checksum: of what it reads, so that a change rolls it. beside: further containers of the same image, name →
    what is particular to them.
    """

    component: str
    image: str
    container: Mapping[str, Any]
    user: int
    seconds: int
    checksum: str
    application: str = APPLICATION
    volumes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mounts: Sequence[Mapping[str, Any]] = ()
    restart: str = "Always"
    service_account: str | None = None
    beside: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def template(plan: Plan, pod: Pod) -> dict[str, Any]:
    """The pod template of a workload."""
    kubernetes, wishes = plan["kubernetes"], plan["kubernetes"]["pods"]
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        # Services of the namespace would become variables, and Langfuse reads many.
        "enableServiceLinks": False,
        "restartPolicy": pod.restart,
        "terminationGracePeriodSeconds": pod.seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": pod.user,
            "runAsGroup": pod.user,
            "fsGroup": pod.user,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": _HOSTNAME,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector(plan, pod.application, pod.component)},
            }
        ],
        "containers": [
            _container(kubernetes, pod.component, pod.image, pod.container, pod.mounts),
            *(_container(kubernetes, name, pod.image, content) for name, content in pod.beside.items()),
        ],
        "volumes": [
            {"name": "tmp", "emptyDir": {}},
            *({"name": name, **source} for name, source in pod.volumes.items()),
        ],
        **placement(plan),
    }
    if pod.service_account:
        spec["serviceAccountName"] = pod.service_account
    if kubernetes["pull_secrets"]:
        spec["imagePullSecrets"] = [{"name": name} for name in kubernetes["pull_secrets"]]
    if wishes["extra_hosts"] and pod.application == APPLICATION:
        spec["hostAliases"] = _host_aliases(wishes["extra_hosts"])
    return {
        "metadata": {
            "labels": labels(plan, pod.application, pod.component),
            "annotations": {**wishes["annotations"], CHECKSUM: pod.checksum},
        },
        "spec": spec,
    }


def _host_aliases(hosts: Mapping[str, str]) -> list[dict[str, Any]]:
    """One entry for each address: the API merges them by it, and refuses two."""
    names: dict[str, list[str]] = {}
    for name, address in hosts.items():
        names.setdefault(address, []).append(name)
    return [{"ip": address, "hostnames": sorted(found)} for address, found in sorted(names.items())]


def placement(plan: Plan) -> dict[str, Any]:
    """On which nodes pods may be, and how important they are."""
    wishes = plan["kubernetes"]["pods"]
    wanted = {
        "nodeSelector": wishes["node_selector"],
        "tolerations": wishes["tolerations"],
        "priorityClassName": wishes["priority_class"],
    }
    return {key: value for key, value in wanted.items() if value}


def _container(
    kubernetes: Mapping[str, Any],
    name: str,
    image: str,
    content: Mapping[str, Any],
    mounts: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": kubernetes["pull_policy"],
        **content,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [TMP, *mounts],
    }


@dataclass(frozen=True)
class Store:
    """A store that runs as a single pod with a volume of its own."""

    service: str
    pod: Pod
    data: str
    ports: Mapping[str, int]


def stateful(plan: Plan, store: Store) -> Manifest:
    """The StatefulSet of a store. Its volume outlives it."""
    pod, storage = store.pod, plan["kubernetes"]["storage"][store.service]
    name = name_of(plan, pod.component)
    claim: dict[str, Any] = {
        # Fields that the API server would add, so that nothing seems to differ afterwards.
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        # It outlives what it was made for, and is found by these labels. A user's own may change, and this may not.
        "metadata": {
            "name": "data",
            "labels": {**selector(plan, pod.application, pod.component), **owner_labels(plan)},
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": storage["size"]}},
            **({"storageClassName": storage["class"]} if storage["class"] else {}),
        },
    }
    pod_template = template(plan, pod)
    pod_template["spec"]["containers"][0]["volumeMounts"].append({"name": "data", "mountPath": store.data})
    pod_template["spec"].pop("topologySpreadConstraints")
    spec = {
        "replicas": 1 if plan["enabled"] else 0,
        "serviceName": name,
        # With the other policy a pod that cannot start is in the way of the next form of itself, until somebody removes it.
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "selector": {"matchLabels": selector(plan, pod.application, pod.component)},
        "template": pod_template,
        "volumeClaimTemplates": [claim],
    }
    return Manifest(
        Wave.STORES,
        resource(plan, "apps/v1", "StatefulSet", name, pod.component, pod.application, spec=spec),
        keep=True,
    )
