# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells Flux in which order the tree is applied, what it waits for, and how it decrypts: `ks.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..kubernetes.manifest import Manifest, Plan, Wave, resource
from .files import Place, Step

API = "kustomize.toolkit.fluxcd.io/v1"
# What `langfuse_start_timeout` is given to.
_WAITED = (Wave.STORES, Wave.DATABASES, Wave.WEB, Wave.WORKER)
_READY = "status.conditions.exists(one, one.type == 'Ready' && one.status == 'True')"
_REFUSED = "status.conditions.exists(one, one.type == 'SpecValid' && one.status == 'False')"
# Kinds whose status Flux does not read by itself, or which look ready until their operator has begun: (API, kind) → expressions.
_HEALTH: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("postgresql.cnpg.io/v1", "Cluster"): {
        "current": "status.phase == 'Cluster in healthy state' && status.readyInstances == spec.instances"
    },
    ("postgresql.cnpg.io/v1", "Database"): {"current": "status.applied"},
    ("postgresql.cnpg.io/v1", "Pooler"): {"current": "status.instances == spec.instances"},
    ("clickhouse.com/v1alpha1", "KeeperCluster"): {"current": _READY, "failed": _REFUSED},
    ("clickhouse.com/v1alpha1", "ClickHouseCluster"): {"current": _READY, "failed": _REFUSED},
}


def kustomizations(plan: Plan, files: Mapping[Place, Sequence[Manifest]]) -> list[dict[str, Any]]:
    """One for each step that has files, each depending on the one before."""
    found: list[dict[str, Any]] = []
    before = plan["gitops"]["depends_on"]
    for step in Step:
        manifests = [one for place, objects in files.items() if place.step is step for one in objects]
        if manifests:
            found.append(_kustomization(plan, step, manifests, before))
            # Wherever they are: a kustomization.yaml above may put all of them into another namespace.
            before = [{"name": found[-1]["metadata"]["name"]}]
    return found


def _kustomization(
    plan: Plan, step: Step, manifests: Sequence[Manifest], before: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    gitops = plan["gitops"]
    # No targetNamespace: the route is in the gateway's namespace. No commonMetadata: stores are called after themselves.
    spec = {
        "interval": gitops["interval"],
        "retryInterval": gitops["retry_interval"],
        "timeout": f"{_timeout(plan, step, manifests)}s",
        "path": f"./{gitops['path']}/{step}",
        "prune": True,
        **_waits(plan, manifests),
        **({"dependsOn": [dict(one) for one in before]} if before else {}),
        "sourceRef": gitops["source"],
        **(_decryption(plan) if any(one.sensitive for one in manifests) else {}),
        **({"postBuild": {"substituteFrom": gitops["substitute_from"]}} if gitops["substitute_from"] else {}),
    }
    return resource(
        plan, API, "Kustomization", gitops["kustomizations"][step], "gitops", namespace=gitops["namespace"], spec=spec
    )


def _timeout(plan: Plan, step: Step, manifests: Sequence[Manifest]) -> int:
    """Seconds for all that the step waits for."""
    kubernetes = plan["kubernetes"]
    if step is Step.MIGRATION:
        return int(kubernetes["migration_timeout"])
    return int(kubernetes["start_timeout"]) * max(1, len({one.wave for one in manifests} & {*_WAITED}))


def _waits(plan: Plan, manifests: Sequence[Manifest]) -> dict[str, Any]:
    if not plan["enabled"]:
        # Servers that were sent to sleep are not ready, and would hold up whatever has to go.
        return {"wait": False}
    # All are waited for; these are what a reader looks for, and what is left if somebody takes `wait` away.
    named = [_check(one) for one in manifests if one.identity[0] in ("Deployment", "HelmRelease", "Job")]
    kinds = {(one.object["apiVersion"], one.identity[0]) for one in manifests}
    expressions = [
        {"apiVersion": api, "kind": kind, **_HEALTH[api, kind]} for api, kind in _HEALTH if (api, kind) in kinds
    ]
    return {
        "wait": True,
        **({"healthChecks": named} if named else {}),
        **({"healthCheckExprs": expressions} if expressions else {}),
    }


def _check(manifest: Manifest) -> dict[str, str]:
    found = manifest.object
    metadata = found["metadata"]
    return {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "name": metadata["name"],
        "namespace": metadata["namespace"],
    }


def _decryption(plan: Plan) -> dict[str, Any]:
    return {"decryption": {"provider": "sops", "secretRef": {"name": plan["gitops"]["decryption_secret"]}}}
