# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits until objects are ready, and says for what they waited when they are not."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..failure import Failure, joined
from .api_errors import refused
from .client import ApiError, Cluster, of_kind
from .objects import Identity, Kind, Object, identity_of
from .readiness import State, state_of
from .reasons import Event, Reason, explain, made_since, newest_event, pods_of, since, why_there

_PODS, _EVENTS = Kind("v1", "Pod", "pods"), Kind("v1", "Event", "events")
_CLAIMS = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
# A pooler tells how many pods there are, and its Deployment, which has its name, how many of them are ready.
_MADE = {"Pooler": Kind("apps/v1", "Deployment", "deployments")}
_PAUSE = 0.5
# Seconds between two looks at pods and events, which are many.
_WHY = 5.0
# What tells its readiness without telling of which of its forms: one look more, this many seconds later.
_FORMLESS = {"Cluster": 3.0, "Pooler": 3.0}
_GONE = 120


class Waiter:
    """Looks at the cluster again and again. Raises Failure when there is nothing to wait for any more."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def ready(
        self,
        found: Sequence[Object],
        changed: Sequence[Identity],
        seconds: Mapping[str, int],
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        """found: objects as they were seen last. changed: those just written. seconds: by kind, and of all others under ``""``.
        secrets: as :func:`state_of` takes them."""
        start = time.monotonic()
        states = {identity_of(one): self._state(one, secrets) for one in found}
        waiting = {
            identity_of(one): one
            for one in found
            if not states[identity_of(one)].ready or (one["kind"] in _FORMLESS and identity_of(one) in changed)
        }
        # What had given up before this run may get up again, once its cause is mended.
        old = {one for one in waiting if states[one].hopeless}
        looked, before = 0.0, {name: newest_event(self._events(name)) for name in {one.namespace for one in waiting}}
        while waiting:
            time.sleep(_PAUSE)
            passed = time.monotonic() - start
            for identity, one in list(waiting.items()):
                now = self._again(one)
                states[identity] = self._state(now, secrets) if now else State(False, "it to be there again")
                if states[identity].ready and passed >= _FORMLESS.get(identity.kind, 0):
                    del waiting[identity]
                elif now:
                    waiting[identity] = now
            late = [one for one in waiting if passed >= seconds.get(one.kind, seconds[""])]
            given_up = [one for one in waiting if states[one].hopeless and one not in old]
            if late or given_up or passed - looked >= _WHY:
                looked = passed
                self._judge(waiting, states, [*late, *given_up], before, int(passed))

    def _judge(
        self,
        waiting: Mapping[Identity, Object],
        states: Mapping[Identity, State],
        over: Sequence[Identity],
        before: Mapping[str, str],
        passed: int,
    ) -> None:
        """Gives up these, and what is hopeless by its pods or by events; those from before, and pods that go, do not tell."""
        failures = []
        for identity, one in waiting.items():
            pods, events = self._pods(one), self._events(identity.namespace)
            new = explain(made_since(pods, one), since(events, before.get(identity.namespace, "")), identity.name)
            if identity in over or (new and new.hopeless):
                why = new or explain(pods, events, identity.name)
                failures.append(gave_up(identity, states[identity], why, passed))
        if failures:
            raise joined(failures)

    def ended(self, job: Object, seconds: int) -> None:
        """Until a Job has succeeded or failed, or is gone."""
        start, now = time.monotonic(), self._again(job)
        while now and not (state_of(now).ready or state_of(now).hopeless):
            if (passed := time.monotonic() - start) > seconds:
                raise gave_up(identity_of(job), state_of(now), None, int(passed))
            time.sleep(_PAUSE)
            now = self._again(job)

    def gone(self, found: Object) -> None:
        """Until the object is not there any more; another one of its name is none."""
        start = time.monotonic()
        while (now := self._again(found)) and now["metadata"]["uid"] == found["metadata"]["uid"]:
            if (passed := time.monotonic() - start) > _GONE:
                holds = ", ".join(now["metadata"].get("finalizers") or ()) or "nobody known"
                raise Failure(
                    "not_removed",
                    f"{identity_of(found)} is still there {int(passed)} s after it was to be removed; {holds} holds it.",
                    "Look whether the operator that holds it runs, and run site again.",
                    object=str(identity_of(found)),
                )
            time.sleep(_PAUSE)

    def _state(self, found: Object, secrets: Mapping[str, str] | None) -> State:
        """Of the object, and of what its operator has made for it."""
        state, made = state_of(found, secrets), _MADE.get(found["kind"])
        if not state.ready or made is None:
            return state
        identity = identity_of(found)
        try:
            live = self._cluster.get(made, identity.namespace, identity.name)
        except ApiError as error:
            raise refused(of_kind(made, identity.namespace), error.status, "look at") from None
        return state_of(live) if live else State(False, "its operator to make its pods")

    def ended_pods(self, found: Sequence[Object]) -> None:
        """Until no pods of these objects are left, nor the volumes that CloudNativePG removes with its own."""
        start = time.monotonic()
        while left := [one for each in found for one in self._left(each)]:
            if (passed := time.monotonic() - start) > max(map(grace, left)) + _GONE:
                raise not_ended(left[0], int(passed), self._events(identity_of(left[0]).namespace))
            time.sleep(_PAUSE)

    def _left(self, found: Object) -> Sequence[Object]:
        pods = self._pods(found)
        if found["kind"] != "Cluster" or self._again(found):
            return pods
        return [*pods, *self._list(_CLAIMS, identity_of(found).namespace, _selector(pods_of(found) or {}))]

    def _again(self, found: Object) -> Object | None:
        try:
            return self._cluster.again(found)
        except ApiError as error:
            raise refused(identity_of(found), error.status, "look at") from None

    def _pods(self, found: Object) -> Sequence[Object]:
        labels = pods_of(found)
        if labels is None:
            return ()
        return self._list(_PODS, identity_of(found).namespace, _selector(labels))

    def _events(self, namespace: str) -> Sequence[Event]:
        return self._list(_EVENTS, namespace) if namespace else ()

    def _list(self, kind: Kind, namespace: str, selector: str = "") -> Sequence[Any]:
        try:
            return self._cluster.list(kind, namespace, selector) or ()
        except ApiError as error:
            if error.code == 403:
                # Who may not read these still learns what is waited for.
                return ()
            raise refused(of_kind(kind, namespace), error.status, "look at") from None


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def grace(found: Object) -> int:
    """Seconds that a pod has to end. Pure."""
    spec = found.get("spec") or {}
    given = found["metadata"].get("deletionGracePeriodSeconds", spec.get("terminationGracePeriodSeconds"))
    return 30 if given is None else int(given)


def not_ended(found: Object, passed: int, events: Sequence[Event] = ()) -> Failure:
    """What is told of a pod or a volume that does not go. Pure."""
    where = (found.get("spec") or {}).get("nodeName")
    what = (
        f"{identity_of(found)}{f' on the node {where}' if where else ''} is still there {passed} s after it was to end"
    )
    why = why_there(found, events)
    return Failure(
        "not_removed",
        f"{what}{f': {why}' if why else ''}.",
        "Look whether that node answers (kubectl get nodes), and run teardown again.",
        object=str(identity_of(found)),
    )


def gave_up(identity: Identity, state: State, why: Reason | None, passed: int) -> Failure:
    """What is told of an object that is not ready."""
    what = f"{identity} waits for {state.waits_for or 'its controller'}, after {passed} s."
    if why:
        return Failure(why.code, f"{what} {why.sentence}.", f"{why.cure}.", object=str(identity))
    return Failure(
        "not_ready",
        what,
        "It goes on; run site again, or write a larger langfuse_start_timeout (migrations: langfuse_migration_timeout).",
        object=str(identity),
    )
