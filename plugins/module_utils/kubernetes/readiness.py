# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an object is ready, as its own status tells, and what it still waits for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .jobs import failed, succeeded
from .objects import Object, group_of


class State(NamedTuple):
    """``waits_for`` is empty when it is ready. A ``hopeless`` one does not become ready by waiting."""

    ready: bool
    waits_for: str = ""
    hopeless: bool = False


_READY = State(True)
_UNSEEN = State(False, "its controller to see it")


def state_of(live: Object, secrets: Mapping[str, str] | None = None) -> State:
    """Kinds without a status are ready once they are there. secrets: name → ``resourceVersion`` of Secrets beside the object."""
    key = (group_of(live["apiVersion"]), live["kind"])
    judge = _JUDGES.get(key)
    state = judge(live) if judge else _READY
    return _with_passwords(live, secrets or {}) if state.ready and key == _CLUSTER else state


def _status(live: Object) -> Mapping[str, Any]:
    found: Mapping[str, Any] = live.get("status") or {}
    return found


def _condition(live: Object, name: str) -> Mapping[str, Any]:
    conditions = _status(live).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == name), {})


def _seen(live: Object) -> bool:
    """Whether the status is about the object as it is now."""
    return bool(_status(live).get("observedGeneration", 0) >= live["metadata"].get("generation", 0))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _deployment(live: Object) -> State:
    if not _seen(live):
        return _UNSEEN
    status, wanted = _status(live), live["spec"].get("replicas", 1)
    progressing = _condition(live, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return State(False, f"its pods, and gave up: {progressing.get('message', '')}".rstrip(": "), hopeless=True)
    new, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if new < wanted:
        return State(False, f"{wanted - new} of {wanted} new pods to be made")
    if (old := status.get("replicas", 0) - new) > 0:
        return State(False, f"{_count(old, 'old pod')} to end")
    if available < wanted:
        return State(False, f"{wanted - available} of {wanted} pods to be ready")
    return _READY


def _stateful_set(live: Object) -> State:
    if not _seen(live):
        return _UNSEEN
    status, wanted = _status(live), live["spec"].get("replicas", 1)
    if status.get("replicas", 0) > wanted:
        return State(False, f"{_count(status['replicas'] - wanted, 'pod')} to end")
    if wanted and status.get("updateRevision") != status.get("currentRevision"):
        return State(False, "its pods to be made anew")
    if (ready := status.get("readyReplicas", 0)) < wanted:
        return State(False, f"{wanted - ready} of {wanted} pods to be ready")
    return _READY


def _job(live: Object) -> State:
    if succeeded(live):
        return _READY
    why = failed(live)
    return State(False, "its pod to end") if why is None else State(False, f"nothing: it failed, {why}", hopeless=True)


# CloudNativePG's own words for what it does not get out of by itself.
_STUCK = (
    "Cluster is unrecoverable and needs manual intervention",
    "Invalid cluster definition",
    "Waiting for user action",
    "Cluster cannot proceed to reconciliation due to an unknown plugin being required",
)
_HEALTHY = "Cluster in healthy state"


def _asleep(live: Object) -> bool:
    """Whether a cluster of CloudNativePG is to have no servers."""
    return bool((live["metadata"].get("annotations") or {}).get("cnpg.io/hibernation") == "on")


def _cluster(live: Object) -> State:
    """CloudNativePG tells a phase in words, and how many servers answer. Just changed, it may not have said so yet: it does
    not tell which generation its status is about, so whoever waits looks again after a moment."""
    status = _status(live)
    if _asleep(live):
        asleep = _condition(live, "cnpg.io/hibernation").get("status") == "True"
        return _READY if asleep else State(False, "its servers to go to sleep")
    ready, wanted, phase = status.get("readyInstances", 0), live["spec"].get("instances", 1), status.get("phase")
    why = ": ".join(filter(None, (phase, status.get("phaseReason")))) or "nobody has begun"
    if ready < wanted:
        return State(False, f"{wanted - ready} of {wanted} servers to be ready ({why})", phase in _STUCK)
    if phase != _HEALTHY:
        return State(False, f"the operator ({why})", phase in _STUCK)
    return _READY


def _clickhouse(live: Object) -> State:
    """ClickHouse's operator, of its servers and of Keeper's."""
    status, condition = _status(live), _condition(live, "Ready")
    if not _seen(live):
        return _UNSEEN
    if live["spec"].get("replicas") == 0:
        left = status.get("readyReplicas", 0)
        return State(False, f"{_count(left, 'server')} to end") if left else _READY
    invalid = _condition(live, "SpecValid")
    if invalid.get("status") == "False":
        return State(
            False, f"nothing: the operator refuses it, {invalid.get('message', '')}".rstrip(", "), hopeless=True
        )
    if condition.get("status") == "True":
        return _READY
    return State(False, f"the operator ({condition.get('message') or condition.get('reason') or 'nobody has begun'})")


def _with_passwords(live: Object, secrets: Mapping[str, str]) -> State:
    """Once its roles have the passwords of these very Secrets: whoever logs in before is refused."""
    if _asleep(live):
        return _READY
    status = _status(live).get("managedRolesStatus") or {}
    for role in (live["spec"].get("managed") or {}).get("roles") or ():
        secret = secrets.get((role.get("passwordSecret") or {}).get("name", ""))
        known = (status.get("passwordStatus") or {}).get(role["name"]) or {}
        if secret and known.get("resourceVersion") != secret:
            why = "; ".join((status.get("cannotReconcile") or {}).get(role["name"]) or ())
            return State(False, f"the operator to give {role['name']} its password{f' ({why})' if why else ''}")
    return _READY


def _database(live: Object) -> State:
    status = _status(live)
    if status.get("applied") and _seen(live):
        return _READY
    return State(False, f"the operator to make it ({status.get('message') or 'not tried yet'})")


def _pooler(live: Object) -> State:
    """Operators before 1.30 tell only how many pods there are to be."""
    status = _status(live)
    phase = status.get("phase")
    if phase in ("inactive", "failed"):
        why = status.get("phaseReason") or phase
        return State(False, f"the operator ({why})", phase == "failed")
    missing = live["spec"].get("instances", 1) - status.get("instances", 0)
    return State(False, f"{missing} of its pods") if missing > 0 else _READY


def _route(live: Object) -> State:
    parents = _status(live).get("parents") or ()
    if not parents:
        return State(False, "a gateway to take it")
    for parent in parents:
        for condition in parent.get("conditions") or ():
            if condition.get("type") in ("Accepted", "ResolvedRefs") and condition.get("status") == "False":
                said = condition.get("message") or condition.get("reason")
                return State(False, f"the gateway {parent['parentRef']['name']} ({said})")
    return _READY


def _claim(live: Object) -> State:
    phase = _status(live).get("phase")
    return _READY if phase == "Bound" else State(False, f"a volume ({phase or 'not asked for yet'})")


def _scaled_object(live: Object) -> State:
    condition = _condition(live, "Ready")
    if condition.get("status") == "True":
        return _READY
    return State(False, f"KEDA ({condition.get('message') or 'has not seen it yet'})")


def _namespace(live: Object) -> State:
    going = _status(live).get("phase") == "Terminating"
    return State(False, "nothing: it is being removed", hopeless=True) if going else _READY


_CLUSTER = ("postgresql.cnpg.io", "Cluster")
_JUDGES: Mapping[tuple[str, str], Callable[[Object], State]] = {
    ("", "Namespace"): _namespace,
    ("", "PersistentVolumeClaim"): _claim,
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
    ("clickhouse.com", "ClickHouseCluster"): _clickhouse,
    ("clickhouse.com", "KeeperCluster"): _clickhouse,
    ("gateway.networking.k8s.io", "HTTPRoute"): _route,
    ("keda.sh", "ScaledObject"): _scaled_object,
    _CLUSTER: _cluster,
    ("postgresql.cnpg.io", "Database"): _database,
    ("postgresql.cnpg.io", "Pooler"): _pooler,
}
