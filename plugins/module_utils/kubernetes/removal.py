# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes an instance out of a cluster: ways in, application, stores, and at last what these read. Data stays unless it is confirmed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .apply import Applier, Options, Step, told_as_diff
from .client import Cluster
from .jobs import is_running
from .look import Found, look
from .objects import Identity, Object, Owner, in_waves
from .ownership import by_flux
from .prune import REMOVE, Verdict, prune

# What ends together; its pods have ended before the next goes. All that is not named goes first, or last with what is read.
_APPLICATION, _STORES, _DATABASES = (
    ("Deployment", "Job"),
    ("StatefulSet", "Pooler"),
    ("Cluster", "Database", "ClickHouseCluster", "KeeperCluster"),
)
_READ = (
    *("ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim", "NetworkPolicy", "CiliumNetworkPolicy"),
    *("PodDisruptionBudget", "Service", "ReferenceGrant", "ObjectStore", "TriggerAuthentication"),
)
_ORDER = (_APPLICATION, _STORES, _DATABASES, _READ)


class Outcome(NamedTuple):
    """``asleep`` are objects that stay and have no pods any more."""

    verdicts: Sequence[Verdict]
    asleep: Sequence[Step]
    unseen: Sequence[str]

    def as_result(self) -> dict[str, Any]:
        """Arguments of ``exit_json``. Nothing of it is secret."""
        removed = [one.identity for one in self.verdicts if one.action == REMOVE]
        stopped = [one for one in self.asleep if one.changed]
        return {
            "changed": bool(removed or stopped),
            "removed": [str(one) for one in removed],
            "stopped": [str(one.wanted.identity) for one in stopped],
            "kept": [{"object": str(one.identity), "why": one.why} for one in self.verdicts if one.action != REMOVE],
            "unseen": list(self.unseen),
            "diff": told_as_diff(stopped, removed),
        }


def phases(identities: Iterable[Identity]) -> list[list[Identity]]:
    """Those that may go at once, in the order in which they go. identities: in the order of removal."""
    places: dict[int, list[Identity]] = {}
    for one in identities:
        place = next((number for number, kinds in enumerate(_ORDER, 1) if one.kind in kinds), 0)
        places.setdefault(place, []).append(one)
    return [places[place] for place in sorted(places)]


def confirmed(live: Iterable[Mapping[str, Any]], data: bool, named: Collection[str] = ()) -> set[str]:
    """What goes although data or keys may go with it, as ``Kind/name``. Pure.

    A store goes in any case where its volume stays, because the next run makes it again.
    """
    found = {f"{one['kind']}/{one['metadata']['name']}" for one in live if data or _leaves_its_volume(one)}
    return {*found, *named}


def _leaves_its_volume(found: Mapping[str, Any]) -> bool:
    if found["kind"] != "StatefulSet":
        return False
    policy = (found.get("spec") or {}).get("persistentVolumeClaimRetentionPolicy") or {}
    return bool(policy.get("whenDeleted", "Retain") == "Retain")


class Remover(Applier):
    """``data``: whether volumes, databases and keys go too. ``options.remove`` names single ones of them."""

    def __init__(self, cluster: Cluster, owner: Owner, options: Options, check_mode: bool, data: bool) -> None:
        super().__init__(cluster, owner, options, check_mode)
        self._data = data

    def remove(self, documents: Iterable[Mapping[str, Any]]) -> Outcome:
        """documents: objects that stay, in the form in which they have no pods. Those that are not there are not made. Raises Failure."""
        sleeping = [one for wave in in_waves(documents) for one in wave]
        found = self._look()
        if found.flux:
            raise by_flux(found.flux, removing=True)
        if not self._check and (
            running := [one for one in found.live.values() if one["kind"] == "Job" and is_running(one)]
        ):
            # A migration that was cut off leaves a schema that a human has to look at.
            for job in running:
                self._waiter.ended(job, self._options.migration_timeout)
            found = self._look()
        live = list(found.live.values())
        verdicts = prune(live, self._needed(()), self._owner, confirmed(live, self._data, self._options.remove), "")
        going = [one.identity for one in verdicts if one.action == REMOVE]
        # What goes need not sleep before.
        steps = self._plan([one for one in sleeping if one.identity in found.live and one.identity not in going], found)
        if not self._check:
            self._go(phases(going), steps, found)
        return Outcome(verdicts, steps, found.unseen)

    def _look(self) -> Found:
        return look(self._cluster, (), self._owner, self._options.elsewhere, strict=True)

    def _go(self, groups: Sequence[Sequence[Identity]], steps: Sequence[Step], found: Found) -> None:
        last = [group for group in groups if group[0].kind in _READ]
        for group in groups:
            if group not in last:
                self._remove_whole([found.live[one] for one in group])
        self._apply(steps, found)
        self._waiter.ended_pods([step.result for step in steps])
        for group in last:
            self._remove_whole([found.live[one] for one in group])

    def _remove_whole(self, gone: Sequence[Object]) -> None:
        for one in gone:
            self._delete(one)
        for one in gone:
            self._waiter.gone(one)
        self._waiter.ended_pods(gone)
