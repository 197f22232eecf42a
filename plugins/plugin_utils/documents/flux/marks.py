# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Annotations by which objects of the tree tell Flux or Argo CD what it must not do with them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace

from ...settings.gitops import FLUX
from ..document import merge_patch
from ..kubernetes.manifest import Manifest, Plan

_FLUX, _ARGO = "kustomize.toolkit.fluxcd.io", "argocd.argoproj.io"
# What Flux leaves in the cluster when it leaves the tree.
PRUNED_NOT = {f"{_FLUX}/prune": "disabled"}
# A failed migration has nobody here who makes its Job anew, and one that found a store not ready yet may go on. Both of the
# application's migration tools refuse a schema that a migration before has left half-way, so nothing is tried on top of that.
_RETRIES = 4
# Without Flux stores may begin with it. So often, it goes on for half an hour.
_RETRIES_BESIDE_STORES = 10
# As Flux reads it: a name, or one with a default or a change of its value. `${1}` is of a regular expression.
_NAMED = re.compile(r"\$\{#?[A-Za-z_]\w*([:=^,#%/-][^}]*)?\}")


def marked(plan: Plan, manifest: Manifest) -> Manifest:
    """The object as the tree has it."""
    if manifest.identity[0] == "Job":
        manifest = _job(plan, manifest)
    marks = _for_flux(plan, manifest) if plan["gitops"]["flavour"] == FLUX else _for_argo(manifest)
    if not marks:
        return manifest
    return replace(manifest, object=merge_patch(manifest.object, {"metadata": {"annotations": marks}}))


def _job(plan: Plan, manifest: Manifest) -> Manifest:
    """A Job cannot change, and whoever applies the tree applies it again and again: so all that is in it is in its name.

    There is no secret in it.
    """
    name = manifest.object["metadata"]["name"].rpartition("-")[0]
    retries = _RETRIES if plan["gitops"]["flavour"] == FLUX else _RETRIES_BESIDE_STORES
    job = merge_patch(manifest.object, {"spec": {"backoffLimit": retries}})
    digest = hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()
    return replace(manifest, object=merge_patch(job, {"metadata": {"name": f"{name}-{digest[:10]}"}}))


def _stays(manifest: Manifest) -> bool:
    """Whether it may not go with the tree. The data of a StatefulSet is in claims that outlive it, and without the tree its pods
    would run on without their Service and their network policies."""
    return manifest.keep and manifest.identity[0] != "StatefulSet"


def _for_flux(plan: Plan, manifest: Manifest) -> Mapping[str, str]:
    marks = {}
    if _stays(manifest):
        marks.update(PRUNED_NOT)
    if not _substituted(plan, manifest):
        marks[f"{_FLUX}/substitute"] = "disabled"
    return marks


def _substituted(plan: Plan, manifest: Manifest) -> bool:
    """Whether Flux may replace in it. It takes `$$` for an escape too, which is how a container's environment has a `$`."""
    text = json.dumps(manifest.object)
    if "${" not in text and "$$" not in text:
        return True
    return bool(plan["gitops"]["substitute_from"]) and "$$" not in text and bool(_NAMED.search(text))


def _for_argo(manifest: Manifest) -> Mapping[str, str]:
    marks = {f"{_ARGO}/sync-wave": str(int(manifest.wave))}
    if _stays(manifest):
        marks[f"{_ARGO}/sync-options"] = "Prune=false,Delete=false"
    return marks
