# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods of an instance as the walk over the hops knows containers, and what workloads and events say beside them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..containers import SHOWN, mask, parse_log
from .api_errors import refused
from .client import ApiError, Cluster, of_kind
from .jobs import failed, succeeded
from .look import appliers
from .objects import KINDS, Kind, Object, Owner
from .ownership import foreign, managers
from .readiness import state_of
from .reasons import Event, explain, pods_of

_PODS, _EVENTS = Kind("v1", "Pod", "pods"), Kind("v1", "Event", "events")
_COMPONENT = "app.kubernetes.io/component"
_ROLES = {"ingestion": "worker", "valkey": "redis", "seaweedfs": "s3", "database": "postgres"}
_WORKLOADS = ("Cluster", "StatefulSet", "Job", "Deployment", "PersistentVolumeClaim", "HTTPRoute")
_WAITING = {"CrashLoopBackOff": "restarting"}
Record = dict[str, Any]


class Pods:
    """The runtime of an instance in a cluster. What the account may not read is not known. Raises Failure where nothing answers."""

    def __init__(self, cluster: Cluster, owner: Owner, lines: int) -> None:
        self._cluster, self._owner, self._lines = cluster, owner, lines

    def names(self) -> dict[str, str]:
        """Pods have no names that others know; Services are reached through the API server."""
        return {}

    def states(self) -> list[Record]:
        """Every container of the instance's pods, without logs."""
        events = self._list(_EVENTS)
        return [one for pod in self._pods() for one in records(pod, events)]

    def wanted(self) -> dict[str, int]:
        """Component → number of pods that its workload is to have."""
        found: dict[str, int] = {}
        for one in self._workloads():
            component = (one["metadata"].get("labels") or {}).get(_COMPONENT)
            number = (one.get("spec") or {}).get("instances" if one["kind"] == "Cluster" else "replicas")
            if one["kind"] in ("Cluster", "StatefulSet", "Deployment") and component:
                found[component] = found.get(component, 0) + (1 if number is None else number)
        return found

    def migrations(self) -> list[dict[str, str]]:
        """Name and state of each."""
        jobs = [one for one in self._workloads() if one["kind"] == "Job"]
        return [{"name": one["metadata"]["name"], "state": _job_state(one)} for one in jobs]

    def gather(self, evidence: dict[str, Any]) -> list[Record]:
        """The same with their last lines, and into the evidence what the rules for clusters read."""
        events, pods = self._list(_EVENTS), self._pods()
        workloads = self._workloads()
        evidence["cluster"] = {"namespace": self._owner.namespace, "instance": self._owner.instance}
        evidence["cluster"]["flux"] = ", ".join(
            f"{name} in {where}" for where, name in appliers(self._cluster, workloads)
        )
        evidence["workloads"] = troubles(workloads, pods, events)
        if not any(one["kind"] == "Deployment" for one in workloads):
            evidence["cluster"]["empty"] = True
        evidence["unrolled"] = unrolled(pods, self._list(_kind("Secret")))
        policies = self._list(_kind("NetworkPolicy"))
        evidence["policies"] = acting(policies, pods, self._owner)
        found = [one for pod in pods for one in records(pod, events)]
        for one in found:
            one["log"] = self._log(one)
        return found

    def _pods(self) -> list[Object]:
        """Those that end are none any more, nor are those that are done."""
        return [
            one
            for one in self._list(_PODS, self._owner.selector)
            if not one["metadata"].get("deletionTimestamp") and (one.get("status") or {}).get("phase") != "Succeeded"
        ]

    def _workloads(self) -> list[Object]:
        return [one for name in _WORKLOADS for one in self._list(_kind(name), self._owner.workload_selector)]

    def _list(self, kind: Kind, selector: str = "") -> list[Object]:
        try:
            return self._cluster.list(kind, self._owner.namespace, selector) or []
        except ApiError as error:
            if error.code == 403:
                return []
            raise refused(of_kind(kind, self._owner.namespace), error.status, "look at") from None

    def _log(self, one: Record) -> list[dict[str, Any]]:
        """Of a container that was started again the lines before that as well."""
        now = datetime.datetime.now(tz=datetime.timezone.utc)
        found = []
        for previous in (True, False) if one["restarts"] else (False,):
            text = self._cluster.log(self._owner.namespace, one["name"], one["container"], self._lines, previous)
            found += parse_log(text, now)
        return found


def _job_state(job: Object) -> str:
    return "is done" if succeeded(job) else "has failed" if failed(job) is not None else "is not done"


def _kind(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


def records(pod: Object, events: Iterable[Event]) -> list[Record]:
    """The containers of a pod in the words of :mod:`containers`. Pure."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    component = (metadata.get("labels") or {}).get(_COMPONENT, "")
    statuses = {one["name"]: one for one in (pod.get("status") or {}).get("containerStatuses") or ()}
    said = [
        mask(str(event.get("message") or event.get("note") or "").strip())[:200]
        for event in events
        if event.get("reason") == "Unhealthy" and (event.get("involvedObject") or {}).get("name") == metadata["name"]
    ]
    return [
        {
            "id": f"{metadata.get('uid')}/{container['name']}",
            "name": metadata["name"],
            "container": container["name"],
            "service": component,
            "role": _ROLES.get(component, component or "other"),
            "image": container.get("image", ""),
            "oneoff": component == "migrate",
            "restart_policy": "always" if spec.get("restartPolicy", "Always") == "Always" else "no",
            "health_log": said[-2:],
            **_state(statuses.get(container["name"]) or {}),
            **_environment(container),
            "log": [],
        }
        for container in spec.get("containers") or ()
    ]


def _state(status: Mapping[str, Any]) -> Record:
    state = status.get("state") or {}
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    running = "running" in state
    waiting = (state.get("waiting") or {}).get("reason", "")
    health = ""
    if running:
        # One that was ready before and is not any more is not on its way up.
        health = "healthy" if status.get("ready") else "unhealthy" if status.get("started") else "starting"
    return {
        "state": "running" if running else "exited" if "terminated" in state else _WAITING.get(waiting, "created"),
        "exit_code": int(ended.get("exitCode") or 0),
        "oom_killed": ended.get("reason") == "OOMKilled",
        "restarts": int(status.get("restartCount") or 0),
        "started": (state.get("running") or {}).get("startedAt", ""),
        "health": health,
    }


def _environment(container: Mapping[str, Any]) -> Record:
    """Values of a list of names that hold no secrets; those of Secrets stand nowhere in a pod."""
    given = container.get("env") or ()
    shown = {one["name"]: mask(str(one["value"])) for one in given if "value" in one and SHOWN.match(one["name"])}
    return {"env_names": sorted(one["name"] for one in given), "env": shown}


def troubles(workloads: Iterable[Object], pods: Sequence[Object], events: Sequence[Event]) -> list[dict[str, str]]:
    """``{object, code, what, cure}`` for each workload that is not as it should be. Pure."""
    found = []
    for one in workloads:
        kind, name = one["kind"], one["metadata"]["name"]
        if kind == "Deployment" and one["spec"].get("replicas") == 0:
            found.append({"object": f"{kind} {name}", "code": "scaled", "what": f"{kind} {name}", "cure": ""})
        state = state_of(one)
        if state.ready:
            continue
        labels = pods_of(one) or {}
        own = [pod for pod in pods if labels and labels.items() <= (pod["metadata"].get("labels") or {}).items()]
        why = explain(own, events, name)
        code = "migration" if kind == "Job" else why.code if why else "waiting"
        what = why.sentence if why else f"{kind} {name} waits for {state.waits_for}"
        found.append({"object": f"{kind} {name}", "code": code, "what": what, "cure": why.cure if why else ""})
    return found


def unrolled(pods: Iterable[Object], secrets: Iterable[Object]) -> list[dict[str, str]]:
    """``{secret, pod}`` for each container that started before the Secret of its environment was last changed. Pure."""
    written = {one["metadata"]["name"]: _written(one) for one in secrets}
    found = []
    for pod in pods:
        started = {one["container"]: one["started"] for one in records(pod, ())}
        for container in (pod.get("spec") or {}).get("containers") or ():
            for name in sorted(_read(container)):
                if started[container["name"]] and started[container["name"]] < written.get(name, ""):
                    found.append({"secret": name, "pod": pod["metadata"]["name"]})
    return found


def _written(secret: Object) -> str:
    """When its content was last changed; a label is none."""
    times = [str(one.get("time") or "") for one in managers(secret) if "f:data" in (one.get("fieldsV1") or {})]
    return max(times, default="")


def _read(container: Mapping[str, Any]) -> set[str]:
    """Secrets that its environment is made of."""
    single = [(one.get("valueFrom") or {}).get("secretKeyRef") for one in container.get("env") or ()]
    whole = [one.get("secretRef") for one in container.get("envFrom") or ()]
    return {one["name"] for one in (*single, *whole) if one}


def acting(policies: Iterable[Object], pods: Sequence[Object], owner: Owner) -> list[dict[str, str]]:
    """``{name, whose}`` of the policies that are for pods of the instance; ``whose`` is empty for its own. Pure."""
    labels = [(pod["metadata"].get("labels") or {}).items() for pod in pods]
    found = []
    for one in policies:
        selector = one["spec"].get("podSelector") or {}
        wanted = (selector.get("matchLabels") or {}).items()
        if not selector.get("matchExpressions") and any(wanted <= has for has in labels):
            found.append({"name": one["metadata"]["name"], "whose": foreign(one, owner) or ""})
    return found
