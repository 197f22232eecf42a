# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose an object and its fields are: the instance's, a hand's that changed it, or somebody else's. Pure.

The API server remembers who set which field. Whoever applies a field keeps it in a file somewhere, and would set it
again; a controller sets it all the time. A person's hand does it once, and the next run repairs it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from ..failure import Failure
from .objects import FIELD_MANAGER, HOME, INSTANCE, Identity, Object, Owner, made_for

# Our own, where it brings what a hand added to what is wanted.
MENDER = f"{FIELD_MANAGER}.mender"
# What tools of people call themselves when they change a field.
HANDS = (
    *("kubectl", "kubectl-edit", "kubectl-patch", "kubectl-replace", "kubectl-label", "kubectl-annotate"),
    *("kubectl-set", "kubectl-rollout"),
    MENDER,
    # Of an object without any memory of managers, as a restored one.
    "before-first-apply",
)
# Whoever applied the instance from Git before. While it still does, nothing here is changed at all; afterwards its fields are nobody's.
FORMER = ("kustomize-controller",)
_CONFLICT = re.compile(r'conflicts? with "(?P<manager>[^"]*)"')


class Conflict(NamedTuple):
    """A field that another manager has, as the API server tells it."""

    manager: str
    field: str


def managers(live: Object) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = live["metadata"].get("managedFields") or ()
    return found


def _applies(live: Object, manager: str) -> bool:
    """Whether the manager keeps the object's fields by server-side apply."""
    return any(one.get("manager") == manager and one.get("operation") == "Apply" for one in managers(live))


def foreign(live: Object | None, owner: Owner) -> str | None:
    """Who has the object of this name, where it is not the instance's; None where it is, or is not there."""
    if live is None or owner.has(live) or live["kind"] == "Namespace":
        return None
    labels = live["metadata"].get("labels") or {}
    if _applies(live, FIELD_MANAGER):
        return f"the instance {labels.get(INSTANCE)} in {labels.get(HOME, 'another namespace')}"
    return _maker(live)


# Labels of everything that a Kustomization of Flux has applied.
FLUX_NAME, FLUX_NAMESPACE = "kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace"


def flux_of(live: Object) -> tuple[str, str] | None:
    """Namespace and name of the Kustomization that applies the object, or did once: labels outlive it."""
    labels = live["metadata"].get("labels") or {}
    name = labels.get(FLUX_NAME)
    return (str(labels.get(FLUX_NAMESPACE) or ""), str(name)) if name else None


def by_flux(kustomizations: Collection[tuple[str, str]], removing: bool = False) -> Failure:
    """Two who apply the same objects undo each other's work. removing: whether the instance is to go."""
    told = ", ".join(f"{name} in {namespace}" for namespace, name in sorted(kustomizations))
    if removing:
        looks = " and ".join(
            f"kubectl get kustomizations -n {one}" for one in sorted({namespace for namespace, _name in kustomizations})
        )
        return Failure(
            "applied_by_flux",
            f"Flux still applies this instance from Git (Kustomization {told}), and would make anew what is removed from here.",
            f"Wait until Flux has pruned it: {looks}. If they stay, the commit is not applied: look at the one above them, and at the source. Where its "
            "tree is in Git yet, run teardown with langfuse_target: gitops, and commit and push that first.",
        )
    return Failure(
        "applied_by_flux",
        f"Flux applies this instance from Git (Kustomization {told}), and would set back what is changed from here.",
        "Write langfuse_target: gitops, commit and push what is written then, and let Flux apply it. To apply it from here for good, take it from "
        "Flux first (docs/runbooks/gitops.md, Apply it without Flux).",
    )


def left_alone(live: Object | None) -> bool:
    """A namespace that others made is used as it is: its labels are rules for all who live in it."""
    return live is not None and live["kind"] == "Namespace" and not _applies(live, FIELD_MANAGER)


# Label or annotation of a tool → what it says.
_MARKS = (
    ("meta.helm.sh/release-name", "the Helm release {}"),
    ("helm.toolkit.fluxcd.io/name", "the HelmRelease {}"),
    (FLUX_NAME, "the Flux Kustomization {}"),
    ("argocd.argoproj.io/instance", "the Argo CD application {}"),
    ("argocd.argoproj.io/tracking-id", "Argo CD ({})"),
    ("app.kubernetes.io/managed-by", "{}"),
)


def _maker(live: Object) -> str:
    if controller := made_for(live):
        return f"the {controller}"
    metadata = live["metadata"]
    told = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    for name, words in _MARKS:
        if told.get(name):
            return words.format(told[name])
    first = min(managers(live), key=lambda one: str(one.get("time") or ""), default=None)
    return str(first["manager"]) if first and first.get("manager") else "somebody else"


def foreign_object(identity: Identity, whose: str) -> Failure:
    """An object is never taken over: its owner would set it back, or lose it."""
    return Failure(
        "foreign_object",
        f"{identity} is there already and belongs to {whose}.",
        "Remove it if nobody needs it, or give the instance another langfuse_instance or langfuse_kubernetes_namespace.",
        object=str(identity),
    )


def conflicts_of(status: Mapping[str, Any]) -> list[Conflict]:
    """The conflicts that the answer 409 to a server-side apply tells; none where it was about something else."""
    causes = (status.get("details") or {}).get("causes") or ()
    found = []
    for cause in causes:
        said = _CONFLICT.search(cause.get("message") or "")
        if cause.get("reason") == "FieldManagerConflict" and said:
            found.append(Conflict(said["manager"], cause.get("field") or ""))
    return found


def refused_conflicts(conflicts: Collection[Conflict], live: Object) -> list[Conflict]:
    """Those that are neither a hand's nor left behind. Without any of them the fields are taken back, which repairs the object."""
    theirs = [one for one in conflicts if one.manager not in FORMER]
    return [one for one in theirs if one.manager not in HANDS or _applies(live, one.manager)]


def foreign_fields(identity: Identity, conflicts: Collection[Conflict]) -> Failure:
    managers = sorted({one.manager for one in conflicts})
    fields = ", ".join(sorted({one.field.lstrip(".") for one in conflicts}))
    return Failure(
        "foreign_field",
        f"{identity} has fields that {' and '.join(managers)} sets: {fields}.",
        "Have them set in one place: end it there, or take the field out here (langfuse_kubernetes_patches: null removes it). "
        "Replicas are left to an autoscaler with langfuse_autoscaling.",
        object=str(identity),
        managers=managers,
    )
