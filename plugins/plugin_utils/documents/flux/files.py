# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file of the tree an object is in, and which of the steps applies that file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ..kubernetes.manifest import Manifest, Wave

_COMPONENT = "app.kubernetes.io/component"
# Components of the application; everything else with a name of its own is a store.
_APPLICATION = ("web", "worker", "ingestion")


class Step(StrEnum):
    """What is applied together, in this order: each waits until the one before is ready."""

    STORES = "stores"
    MIGRATION = "migration"
    APPLICATION = "app"


@dataclass(frozen=True)
class Place:
    """A file of the tree, relative to the instance's directory. Every file belongs to one step."""

    step: Step
    path: str


# Kind → file, by the names that the platform's other applications have too.
_BY_KIND: Mapping[str, Place] = {
    "Namespace": Place(Step.STORES, "app/namespace.yaml"),
    "Secret": Place(Step.STORES, "app/secret.sops.yaml"),
    "ServiceAccount": Place(Step.STORES, "app/serviceaccount.yaml"),
    **dict.fromkeys(("NetworkPolicy", "CiliumNetworkPolicy"), Place(Step.STORES, "app/networkpolicy.yaml")),
    **dict.fromkeys(
        ("Cluster", "Database", "ScheduledBackup", "ObjectStore", "Pooler"), Place(Step.STORES, "app/postgresql.yaml")
    ),
    "Job": Place(Step.MIGRATION, "migration/job.yaml"),
    "HTTPRoute": Place(Step.APPLICATION, "app/httproute.yaml"),
    "ReferenceGrant": Place(Step.APPLICATION, "app/referencegrant.yaml"),
    "Ingress": Place(Step.APPLICATION, "app/ingress.yaml"),
    **dict.fromkeys(("ServiceMonitor", "PodMonitor"), Place(Step.APPLICATION, "app/servicemonitor.yaml")),
    **dict.fromkeys(("HelmRepository", "OCIRepository"), Place(Step.APPLICATION, "app/helmrepository.yaml")),
    "HelmRelease": Place(Step.APPLICATION, "app/helmrelease.yaml"),
}


def place(manifest: Manifest) -> Place:
    """Where the object is. Kinds that several components have are in the file of their component."""
    kind, _name = manifest.identity
    if kind in _BY_KIND:
        return _BY_KIND[kind]
    component = manifest.object["metadata"]["labels"][_COMPONENT]
    late = component in _APPLICATION or manifest.wave > Wave.MIGRATION
    return Place(Step.APPLICATION if late else Step.STORES, f"app/{component}.yaml")


def in_files(manifests: Iterable[Manifest]) -> dict[Place, list[Manifest]]:
    """The objects of each file, in the order in which they are applied; files by their paths."""
    found: dict[Place, list[Manifest]] = {}
    for manifest in manifests:
        found.setdefault(place(manifest), []).append(manifest)
    return dict(sorted(found.items(), key=lambda item: item[0].path))
