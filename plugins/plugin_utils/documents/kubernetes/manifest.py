# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An object of the cluster with its place in the order, and what all objects of an instance have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

from ....module_utils.kubernetes.objects import Owner

Plan = Mapping[str, Any]

APPLICATION = "langfuse"
_LABEL = "app.kubernetes.io"


class Wave(IntEnum):
    """Objects of one wave are applied together, and the next wave waits until they are ready."""

    NAMESPACE = 0
    CONFIGURATION = 1
    STORES = 2
    DATABASES = 3
    MIGRATION = 4
    WEB = 5
    WORKER = 6
    AROUND = 7


@dataclass(frozen=True)
class Manifest:
    """One object.

    object: as the API takes it, with kind and metadata. sensitive: holds secrets, so its content never
    shows. keep: is not removed when it is no longer wanted, because data or keys would go with it.
    """

    wave: Wave
    object: dict[str, Any]
    sensitive: bool = False
    keep: bool = False

    def as_data(self) -> dict[str, Any]:
        """The manifest as a filter may return it."""
        return {**asdict(self), "wave": int(self.wave)}

    @property
    def identity(self) -> tuple[str, str]:
        """Kind and name, by which patches find it."""
        return self.object["kind"], self.object["metadata"]["name"]


def name_of(plan: Plan, suffix: str = "") -> str:
    """Name of an object of the instance."""
    return f"{plan['instance']}-{suffix}" if suffix else str(plan["instance"])


def selector(plan: Plan, application: str, component: str) -> dict[str, str]:
    """Labels by which pods are found. They never change: selectors of workloads cannot."""
    return {
        f"{_LABEL}/name": application,
        f"{_LABEL}/instance": plan["instance"],
        f"{_LABEL}/component": component,
    }


def labels(plan: Plan, application: str, component: str) -> dict[str, str]:
    """Labels of an object, those of the user included."""
    return {
        **plan["labels"],
        **selector(plan, application, component),
        f"{_LABEL}/part-of": APPLICATION,
        **owner_labels(plan),
    }


def owner_labels(plan: Plan) -> dict[str, str]:
    """Labels that say whose an object is."""
    return Owner(plan["instance"], plan["kubernetes"]["namespace"]).labels


def resource(
    plan: Plan,
    api: str,
    kind: str,
    name: str,
    component: str,
    application: str = APPLICATION,
    namespace: str | None = None,
    annotations: Mapping[str, str] | None = None,
    **content: Any,
) -> dict[str, Any]:
    """An object of the instance; `content` is what it has beside its metadata."""
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace or plan["kubernetes"]["namespace"],
            "labels": labels(plan, application, component),
            **({"annotations": dict(annotations)} if annotations else {}),
        },
        **content,
    }


def config_map(plan: Plan, name: str, component: str, application: str, data: Mapping[str, str]) -> Manifest:
    return Manifest(
        Wave.CONFIGURATION, resource(plan, "v1", "ConfigMap", name, component, application, data=dict(data))
    )


def service(
    plan: Plan, wave: Wave, name: str, component: str, ports: Mapping[str, int], application: str = APPLICATION
) -> Manifest:
    """A Service inside the cluster, whose pods listen on the same ports."""
    spec = {
        "type": "ClusterIP",
        "selector": selector(plan, application, component),
        "ports": [
            {"name": port, "port": number, "targetPort": port, "protocol": "TCP"} for port, number in ports.items()
        ],
    }
    return Manifest(wave, resource(plan, "v1", "Service", name, component, application, spec=spec))
