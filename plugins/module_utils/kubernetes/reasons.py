# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why pods are not ready: their own status and the events about them, in one sentence with its cure. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .objects import FIELD_MANAGER, Object

Event = Mapping[str, Any]
_COMPONENT = "app.kubernetes.io/component"
# Component → whose memory it has, where that is not its own name.
_MEMORY = {"database": "postgres", "ingestion": "worker", "migrate": "web"}


class Reason(NamedTuple):
    """``rank`` orders them: what keeps a pod from existing comes before what keeps it from answering."""

    rank: int
    code: str
    sentence: str
    cure: str
    # Waiting longer does not help.
    hopeless: bool = False

    def __str__(self) -> str:
        return f"{self.sentence}. {self.cure}."


def explain(pods: Sequence[Object], events: Iterable[Event], about: str = "") -> Reason | None:
    """The reason that comes first, of everything seen; None where nothing says more than that it takes its time.

    pods: of one workload. events: of the namespace, in any order. about: name of the workload, whose own events and
    those of what it makes (its name goes before theirs) count as well.
    """
    names = {pod["metadata"]["name"] for pod in pods}
    newest = _newest(event for event in events if _concerns(event, names, about))
    found = [reason for pod in pods for reason in _of_pod(pod)]
    found += [reason for event in newest for reason in [_of_event(event)] if reason]
    return min(found, key=lambda one: one.rank, default=None)


# Kind → the label that its pods have, with its name and what its operator writes behind it.
_OF_KIND = {
    "Job": ("job-name", ""),
    "Cluster": ("cnpg.io/cluster", ""),
    "Pooler": ("cnpg.io/poolerName", ""),
    "ClickHouseCluster": ("app", "-clickhouse"),
    "KeeperCluster": ("app", "-keeper"),
}


def pods_of(found: Object) -> Mapping[str, str] | None:
    """Labels of the pods of an object; None where it has none of its own."""
    if found["kind"] in _OF_KIND:
        label, behind = _OF_KIND[found["kind"]]
        return {label: found["metadata"]["name"] + behind}
    selector = (found.get("spec") or {}).get("selector") or {}
    # A Service's selector has no matchLabels, and says nothing about whose the pods are.
    labels: Mapping[str, str] | None = selector.get("matchLabels")
    return labels


def made_since(pods: Iterable[Object], found: Object) -> list[Object]:
    """Pods that are not older than what was applied last: those of an earlier form, which go, may have another trouble."""
    entries = found["metadata"].get("managedFields") or ()
    applied = max((str(one.get("time") or "") for one in entries if one.get("manager") == FIELD_MANAGER), default="")
    return [pod for pod in pods if str(pod["metadata"].get("creationTimestamp") or "") >= applied]


def newest_event(events: Iterable[Event]) -> str:
    """When the last of them was; empty without any."""
    return max(map(_time, events), default="")


def since(events: Iterable[Event], when: str) -> list[Event]:
    """Those after `when`, by the cluster's own clock."""
    return [event for event in events if _time(event) > when]


def why_there(found: Object, events: Iterable[Event]) -> str:
    """What is known of a pod that does not end: which containers run, and the last warning of it."""
    statuses = (found.get("status") or {}).get("containerStatuses") or ()
    running = [one["name"] for one in statuses if "running" in (one.get("state") or {})]
    runs = f"{', '.join(running)} still runs" if running else "its containers have ended" if statuses else ""
    name = found["metadata"]["name"]
    own = [one for one in events if one.get("type") == "Warning" and _concerns(one, {name}, "")]
    last = max(own, key=_time, default=None)
    said = f"{last.get('reason')}: {_short(last.get('message'))}" if last else ""
    return "; ".join(filter(None, (runs, said)))


def _concerns(event: Event, pods: set[str], about: str) -> bool:
    name = (event.get("involvedObject") or event.get("regarding") or {}).get("name", "")
    if name in pods:
        return True
    # A ReplicaSet of a Deployment and its pods, a claim (data-NAME-0) of a StatefulSet.
    return bool(about) and bool(re.fullmatch(rf"(.+-)?{re.escape(about)}(-[a-z0-9]+){{0,2}}", name))


def _time(event: Event) -> str:
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return str(next(filter(None, times), None) or event["metadata"].get("creationTimestamp") or "")


def _newest(events: Iterable[Event]) -> list[Event]:
    """The last event of each object: what was said before it may be mended."""
    last: dict[tuple[str, str], Event] = {}
    for event in sorted(events, key=_time):
        where = event.get("involvedObject") or event.get("regarding") or {}
        last[(where.get("kind", ""), where.get("name", ""))] = event
    return list(last.values())


def _of_pod(pod: Object) -> Iterator[Reason]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    if status.get("phase") == "Succeeded":
        return
    if status.get("reason") == "Evicted":
        yield Reason(
            15, "evicted", f"The pod {name} was put off its node: {_short(status.get('message'))}", "Give the node room"
        )
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield _unschedulable(name, condition.get("message") or "")
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for container in statuses:
        if reason := _of_container(pod, container):
            yield reason


# What the scheduler says → cure.
_PLACES = (
    ("unbound", "Write langfuse_storage_class, or look at the claim of the volume: something has to make it"),
    (
        "persistentvolumeclaim",
        "Write langfuse_storage_class, or look at the claim of the volume: something has to make it",
    ),
    ("insufficient memory", "Write less memory (langfuse_size, langfuse_web_memory, ...), or add a node"),
    ("insufficient cpu", "Write less in langfuse_kubernetes_resources, or add a node"),
    ("untolerated taint", "Write langfuse_tolerations"),
    ("node affinity/selector", "Look at langfuse_node_selector"),
    ("no nodes available", "Add a node"),
)


def _unschedulable(name: str, message: str) -> Reason:
    said = message.lower()
    cure = next((cure for words, cure in _PLACES if words in said), "Look at langfuse_node_selector and the nodes")
    return Reason(20, "unschedulable", f"The pod {name} has no node: {_short(message)}", cure)


def _of_container(pod: Object, status: Mapping[str, Any]) -> Reason | None:
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated") or {}
    if waiting := state.get("waiting"):
        maker = _WAITING.get(waiting.get("reason", ""))
        return maker(pod, status, waiting, last) if maker else None
    if (ended := state.get("terminated")) and ended.get("exitCode"):
        return _ended(pod, status, ended)
    return None


def _pull(pod: Object, status: Mapping[str, Any], waiting: Mapping[str, Any], _last: Any) -> Reason:
    said = _short(waiting.get("message"))
    cure = "Look at langfuse_image_registry and the version; a registry with a password needs langfuse_kubernetes_pull_secrets"
    if waiting["reason"] == "ErrImageNeverPull":
        cure = "Bring the image to the node, or write langfuse_image_pull: missing"
    return Reason(
        25,
        "image",
        f"The image {status.get('image')} of the pod {pod['metadata']['name']} cannot be had: {said or waiting['reason']}",
        cure,
        hopeless=waiting["reason"] in ("InvalidImageName", "ErrImageNeverPull"),
    )


def _configuration(pod: Object, _status: Any, waiting: Mapping[str, Any], _last: Any) -> Reason:
    said = waiting.get("message") or waiting["reason"]
    cure = "Look at langfuse_kubernetes_existing_secrets: the Secret must be in the namespace and have that key"
    if "runAsNonRoot" in said or "non-root" in said:
        cure = "The image runs as root; take the official one, or one with the same user"
    return Reason(30, "configuration", f"The pod {pod['metadata']['name']} cannot be set up: {_short(said)}", cure)


def _crashing(pod: Object, status: Mapping[str, Any], _waiting: Any, last: Mapping[str, Any]) -> Reason:
    return _ended(pod, status, last)


_Maker = Callable[[Object, Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], Optional[Reason]]
_WAITING: Mapping[str, _Maker] = {
    **dict.fromkeys(("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"), _pull),
    **dict.fromkeys(("CreateContainerConfigError", "CreateContainerError", "RunContainerError"), _configuration),
    "CrashLoopBackOff": _crashing,
}


def _ended(pod: Object, status: Mapping[str, Any], ended: Mapping[str, Any]) -> Reason:
    name, container = pod["metadata"]["name"], status.get("name")
    times = f", {status['restartCount']} times" if status.get("restartCount") else ""
    component = str((pod["metadata"].get("labels") or {}).get(_COMPONENT, container))
    if ended.get("reason") == "OOMKilled":
        return Reason(
            34,
            "memory",
            f"The container {container} of the pod {name} was ended because it took more memory than it may{times}",
            f"Write a larger langfuse_{_MEMORY.get(component, component)}_memory",
        )
    code = ended.get("exitCode")
    words = _short(ended.get("message"))
    # One that was started again has other words by now.
    previous = "" if (status.get("state") or {}).get("terminated") else "--previous "
    return Reason(
        35,
        "crashing",
        f"The container {container} of the pod {name} ended with {code}{times}{': ' if words else ''}{words}",
        f"Look at its last words: kubectl logs {previous}-n {pod['metadata'].get('namespace')} {name}",
    )


def _of_event(event: Event) -> Reason | None:
    if event.get("type") != "Warning":
        return None
    for reasons, words, maker in _EVENTS:
        text = event.get("message") or event.get("note") or ""
        if event.get("reason") in reasons and re.search(words, text, re.IGNORECASE):
            return maker(_name_of(event), text)
    return None


def _name_of(event: Event) -> str:
    where = event.get("involvedObject") or event.get("regarding") or {}
    return f"{where.get('kind', 'object')} {where.get('name', '')}"


def _quota(name: str, text: str) -> Reason:
    return Reason(
        10,
        "quota",
        f"Pods of the {name} do not fit a quota of the namespace: {_short(re.sub('.*?(?=(exceeded|failed) quota)', '', text))}",
        "Have the quota raised, or write less (langfuse_size, langfuse_kubernetes_resources)",
    )


def _limits(name: str, text: str) -> Reason:
    return Reason(
        10,
        "limits",
        f"Pods of the {name} do not fit a LimitRange of the namespace: {_short(re.sub('.*forbidden: ', '', text))}",
        "Have it changed, or write other values (langfuse_kubernetes_resources, langfuse_web_memory and its like, sizes of volumes)",
        hopeless=True,
    )


def _admission(name: str, text: str) -> Reason:
    return Reason(
        10,
        "admission",
        f"The cluster takes no pods of the {name}: {_short(text)}",
        "Take out of langfuse_kubernetes_patches and langfuse_kubernetes_volumes what its rules forbid",
        hopeless=True,
    )


def _account(name: str, text: str) -> Reason:
    return Reason(
        11, "account", f"Pods of the {name} cannot be made: {_short(text)}", "Run again: it makes the account"
    )


def _provisioning(name: str, text: str) -> Reason:
    return Reason(
        18,
        "volume",
        f"The {name} gets no volume: {_short(text)}",
        "Write the name of a storage class that the cluster has as langfuse_storage_class",
    )


def _mount(name: str, text: str) -> Reason:
    return Reason(
        28, "mount", f"The {name} cannot mount what it needs: {_short(text)}", "Look at that volume or object"
    )


def _sandbox(name: str, text: str) -> Reason:
    return Reason(
        29, "network", f"The {name} gets no network: {_short(text)}", "Look at the network plugin of the node"
    )


def _probe(name: str, text: str) -> Reason:
    return Reason(40, "probe", f"The {name} runs and does not answer as it should: {_short(text)}", "Look at its log")


def _other(name: str, text: str) -> Reason:
    return Reason(12, "creation", f"Pods of the {name} cannot be made: {_short(text)}", "Mend what is named there")


# (reasons of events, what their text has, what it means)
_EVENTS: Sequence[tuple[tuple[str, ...], str, Callable[[str, str], Reason]]] = (
    (("FailedCreate",), "(exceeded|failed) quota", _quota),
    (("FailedCreate",), "(max|min)imum .* (usage )?per (Container|Pod|PersistentVolumeClaim)", _limits),
    (("FailedCreate",), "violates PodSecurity|denied (the )?request", _admission),
    (("FailedCreate",), "serviceaccount", _account),
    (("FailedCreate",), "", _other),
    (("ProvisioningFailed",), "", _provisioning),
    (("FailedMount", "FailedAttachVolume"), "", _mount),
    (("FailedCreatePodSandBox",), "", _sandbox),
    (("FailedScheduling",), "", lambda name, text: _unschedulable(name.replace("Pod ", "", 1), text)),
    (("Unhealthy",), "", _probe),
)


def _short(text: str | None) -> str:
    """One line of it, that still says what it is about."""
    line = " ".join((text or "").split()).rstrip(".")
    return line if len(line) <= 300 else f"{line[:300]}..."
