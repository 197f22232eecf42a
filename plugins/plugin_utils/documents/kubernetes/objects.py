# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of an instance in a cluster: Plan and Secrets in, manifests out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ....module_utils.kubernetes.objects import RECORD
from ..document import merge_patch
from . import clickhouse_operator, monitoring, outside, policies, postgresql, scaling, stores, workload
from . import secrets as kept
from .manifest import APPLICATION, Manifest, Plan, Wave, config_map, name_of

_ENFORCED = "pod-security.kubernetes.io"


class NoSuchObject(ValueError):
    """A patch names an object that the instance does not have. The message holds no values."""


def objects(plan: Plan, secrets: Mapping[str, str]) -> list[Manifest]:
    """All objects in the order in which they are applied. Raises NoSuchObject for a patch without its object."""
    patches, found = plan["kubernetes"]["patches"], _built(plan, secrets)
    if not plan["enabled"]:
        # What is patched may be away for now: it has to be there once the instance is on again.
        patched(_built({**plan, "enabled": True}, secrets), patches)
        there = {one.identity for one in found}
        patches = [patch for patch in patches if (patch["kind"], patch["name"]) in there]
    return patched(found, patches)


def _built(plan: Plan, secrets: Mapping[str, str]) -> list[Manifest]:
    found = [
        *_namespace(plan),
        *kept.manifests(plan, secrets),
        *policies.manifests(plan),
        *postgresql.manifests(plan),
        *stores.manifests(plan, secrets),
        *clickhouse_operator.manifests(plan, secrets),
        *workload.manifests(plan, secrets),
        *scaling.manifests(plan),
        *outside.manifests(plan),
        *monitoring.manifests(plan),
        _record(plan),
    ]
    return sorted(found, key=lambda one: one.wave)


def _namespace(plan: Plan) -> list[Manifest]:
    """The namespace, which others may share: below the baseline nothing runs, below restricted there is a warning."""
    if not plan["kubernetes"]["create_namespace"]:
        return []
    name = plan["kubernetes"]["namespace"]
    labels = {f"{_ENFORCED}/enforce": "baseline", f"{_ENFORCED}/audit": "restricted", f"{_ENFORCED}/warn": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    return [Manifest(Wave.NAMESPACE, namespace, keep=True)]


def _record(plan: Plan) -> Manifest:
    """Where the data is, behind the migration, without which there is none. It outlives the pods as the data does."""
    name = name_of(plan, RECORD)
    return replace(config_map(plan, name, RECORD, APPLICATION, plan["kubernetes"]["record"]), wave=Wave.WEB, keep=True)


def patched(manifests: Sequence[Manifest], patches: Iterable[Mapping[str, Any]]) -> list[Manifest]:
    """The objects with the user's patches over them. Raises NoSuchObject for one without its object."""
    found = list(manifests)
    for patch in patches:
        wanted = (patch["kind"], patch["name"])
        places = [number for number, one in enumerate(found) if one.identity == wanted]
        if not places:
            there = ", ".join(sorted({f"{kind}/{name}" for kind, name in (one.identity for one in found)}))
            raise NoSuchObject(
                f"langfuse_kubernetes_patches: has a patch for {'/'.join(wanted)}, which the instance does not have. "
                f"It has {there}"
            )
        for place in places:
            one = found[place]
            patched = merge_patch(one.object, patch["patch"])
            found[place] = Manifest(one.wave, patched, one.sensitive, one.keep)
    return found
