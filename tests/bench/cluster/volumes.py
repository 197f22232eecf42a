"""Volumes as folders of the node: what local-path provisioners do. Pure: claims and volumes in, what is to be done out.

The volumes are of the type `local`, because those honour `fsGroup`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Object = Mapping[str, Any]
STORAGE_CLASS = "local-path"
PROVISIONER = "bench.localhost/folders"
_SELECTED_NODE = "volume.kubernetes.io/selected-node"
_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"


def storage_class() -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": True,
    }


def is_waiting(claim: Object, node: str) -> bool:
    """Whether the claim waits for a volume on this node."""
    metadata, spec = claim["metadata"], claim["spec"]
    return (
        spec.get("storageClassName") == STORAGE_CLASS
        and not spec.get("volumeName")
        and not metadata.get("deletionTimestamp")
        and (metadata.get("annotations") or {}).get(_SELECTED_NODE) == node
    )


def is_growing(claim: Object) -> bool:
    """Whether the claim asks for more than its volume has. A folder has no size of its own, so that saying so is all."""
    capacity = (claim.get("status") or {}).get("capacity") or {}
    asked = claim["spec"]["resources"]["requests"]["storage"]
    return (
        claim["spec"].get("storageClassName") == STORAGE_CLASS
        and "storage" in capacity
        and capacity["storage"] != asked
        and not claim["metadata"].get("deletionTimestamp")
    )


def volume_name(claim: Object) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def new_volume(claim: Object, node: str, folder: Path) -> dict[str, Any]:
    """The volume of a claim, already bound to it."""
    metadata, spec = claim["metadata"], claim["spec"]
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume_name(claim), "annotations": {_PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "volumeMode": "Filesystem",
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": STORAGE_CLASS,
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [term]}]}},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
        },
    }


def released(volumes: Iterable[Object]) -> list[Object]:
    """Volumes of ours whose claim is gone and that are not to be kept."""
    return [
        volume
        for volume in volumes
        if (volume["metadata"].get("annotations") or {}).get(_PROVISIONED_BY) == PROVISIONER
        and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
        and volume.get("status", {}).get("phase") in ("Released", "Failed")
    ]
