# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The number of pods goes over to an autoscaler and back. Pure.

A field that one stops applying goes away, and without a number there is one pod. So the number gets another keeper before it
is left out, and keeps its value until the autoscaler changes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .objects import FIELD_MANAGER, Identity, Object, identity_of, made_for
from .ownership import Conflict, managers

# Keeps the number while nobody else does.
KEEPER = f"{FIELD_MANAGER}.replicas"
AUTOSCALERS = ("HorizontalPodAutoscaler", "ScaledObject")
_FIELD = ".spec.replicas"


def handed_over(wanted: Object, live: Object | None) -> dict[str, Any] | None:
    """What the keeper applies first; None where no number is lost."""
    if live is None or "replicas" in (wanted.get("spec") or {}) or not _sets_the_number(live):
        return None
    metadata = {name: live["metadata"][name] for name in ("name", "namespace")}
    return {
        "apiVersion": wanted["apiVersion"],
        "kind": wanted["kind"],
        "metadata": metadata,
        "spec": {"replicas": live["spec"]["replicas"]},
    }


def _sets_the_number(live: Object) -> bool:
    """Whether we set it, and nobody beside us who would keep it."""
    keepers = {one.get("manager") for one in managers(live) if "f:replicas" in _spec(one)}
    return keepers == {FIELD_MANAGER}


def _spec(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (entry.get("fieldsV1") or {}).get("f:spec") or {}
    return found


def taken_back(
    conflicts: Iterable[Conflict], live: Object, autoscalers: Iterable[Object], going: Collection[Identity]
) -> list[Conflict]:
    """Those that are about the number while nobody scales the object any more: it is ours again.

    autoscalers: all of the namespace, whoever made them. going: objects that are removed first.
    """
    names = {f"{one.kind} {one.name}" for one in going}
    scales = any(
        _scales(one, live) and identity_of(one) not in going and made_for(one) not in names for one in autoscalers
    )
    return [one for one in conflicts if one.field == _FIELD and (one.manager == KEEPER or not scales)]


def _scales(autoscaler: Object, live: Object) -> bool:
    target = (autoscaler.get("spec") or {}).get("scaleTargetRef") or {}
    # A ScaledObject need not say the kind of a Deployment.
    return (target.get("kind") or "Deployment", target.get("name")) == (live["kind"], live["metadata"]["name"])
