# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operators that are installed and have no pod that is ready: what they are asked to make would be waited for in vain. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .objects import Kind, Object

DEPLOYMENTS = Kind("apps/v1", "Deployment", "deployments")
# Label and the values that the operators' own manifests and charts give their Deployments → the group whose objects they make.
_MARKS: Mapping[str, Mapping[str, str]] = {
    "app.kubernetes.io/name": {
        "cloudnative-pg": "postgresql.cnpg.io",
        "plugin-barman-cloud": "barmancloud.cnpg.io",
        "clickhouse-operator": "clickhouse.com",
        "keda-operator": "keda.sh",
        "prometheus-operator": "monitoring.coreos.com",
        "kube-prometheus-stack-prometheus-operator": "monitoring.coreos.com",
    },
    "app": {"barman-cloud": "barmancloud.cnpg.io"},
}
GROUPS = frozenset(group for marks in _MARKS.values() for group in marks.values())


class Down(NamedTuple):
    """Group of the operator's objects, and its Deployments as ``namespace/name``."""

    group: str
    deployments: tuple[str, ...]


def selectors() -> list[str]:
    """What lists of the API take to find all of these Deployments, one after the other. Pure."""
    return [f"{label} in ({','.join(sorted(marks))})" for label, marks in _MARKS.items()]


def stopped(groups: Iterable[str], deployments: Sequence[Object]) -> list[Down]:
    """Those of the groups of whose Deployments none has a ready pod. Nothing is said of an operator that is not found. Pure."""
    found = []
    for group in sorted(groups):
        its = [one for one in deployments if group in _groups(one)]
        if its and not any((one.get("status") or {}).get("readyReplicas") for one in its):
            places = {f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in its}
            found.append(Down(group, tuple(sorted(places))))
    return found


def _groups(deployment: Object) -> set[str]:
    labels = deployment["metadata"].get("labels") or {}
    return {marks[labels[label]] for label, marks in _MARKS.items() if labels.get(label) in marks}
