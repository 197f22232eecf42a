"""What sources say of themselves, in the form of source-controller. Pure: objects in, status out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from tests.bench.cluster.sources import NAME

Object = dict[str, Any]
REQUESTED = "reconcile.fluxcd.io/requestedAt"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
# What the stand-in reads. Anything else changes what a source means, and is refused.
KNOWN = {
    "GitRepository": {"url", "interval", "timeout", "ref"},
    "HelmRepository": {"url", "interval", "timeout", "type"},
    "HelmChart": {"chart", "version", "sourceRef", "interval", "reconcileStrategy"},
    "OCIRepository": {"url", "interval", "timeout", "ref", "layerSelector", "insecure"},
}


class SourceError(Exception):
    """A source that cannot be had. `reason` is a word of the condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Artifact:
    """`path` is relative to what is served. `more` goes into the status beside it."""

    path: PurePosixPath
    revision: str
    content: bytes = field(repr=False)
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


def seconds(duration: str) -> float:
    """As Go has it: `1h30m`."""
    found = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", duration)
    if "".join(number + unit for number, unit in found) != duration:
        raise ValueError(f"{duration} is no duration")
    return sum(float(number) * _UNITS[unit] for number, unit in found)


def interval(source: Object) -> float:
    """Seconds between two looks. A HelmRepository of a registry needs none."""
    return seconds(source["spec"].get("interval") or "1h")


def place(source: Object, name: str) -> PurePosixPath:
    """Where an artifact of this name is served: `gitrepository/flux-system/flux-system/NAME`."""
    metadata = source["metadata"]
    return PurePosixPath(source["kind"].lower(), metadata["namespace"], metadata["name"], name)


def refuse_unknown(source: Object) -> None:
    spec = source["spec"]
    # The API's own default.
    of_none = {"provider"} if spec.get("provider") == "generic" else set()
    if unknown := sorted(set(spec) - KNOWN[source["kind"]] - {"suspend"} - of_none):
        raise SourceError("Unsupported", f"{NAME} does not read {', '.join(unknown)}")


def is_due(source: Object, now: float, last: float) -> bool:
    """Whether it changed, somebody asks for it by the annotation, or its interval is over. Times are seconds of one clock."""
    if source["spec"].get("suspend"):
        return False
    status, metadata = source.get("status", {}), source["metadata"]
    asked = (metadata.get("annotations") or {}).get(REQUESTED, "")
    return bool(
        status.get("observedGeneration") != metadata["generation"]
        or asked != status.get("lastHandledReconcileAt", "")
        or now - last >= interval(source)
    )


def _conditions(source: Object, ready: bool, reason: str, message: str, now: str) -> list[Object]:
    before = {each["type"]: each for each in source.get("status", {}).get("conditions") or ()}
    kinds = ("Ready", "ArtifactInStorage") if ready else ("Ready",)
    found = []
    for kind in kinds:
        status = str(ready)
        since = before[kind]["lastTransitionTime"] if before.get(kind, {}).get("status") == status else now
        generation = source["metadata"]["generation"]
        found.append(
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": f"{message} ({NAME})",
                "lastTransitionTime": since,
                "observedGeneration": generation,
            }
        )
    return found


def _handled(source: Object) -> Object:
    """Merged into the status: null takes a key away."""
    asked = (source["metadata"].get("annotations") or {}).get(REQUESTED)
    return {"observedGeneration": source["metadata"]["generation"], "lastHandledReconcileAt": asked}


def stored(source: Object, artifact: Artifact, address: str, now: str) -> Object:
    """The status with an artifact, which is served below `address`. One that is there already keeps its time."""
    url = f"{address}/{artifact.path}"
    new = {
        "path": str(artifact.path),
        "url": url,
        "revision": artifact.revision,
        "digest": artifact.digest,
        "size": len(artifact.content),
    }
    old = source.get("status", {}).get("artifact") or {}
    same = all(old.get(name) == value for name, value in new.items())
    message = f"stored artifact for revision '{artifact.revision}'"
    return {
        **_handled(source),
        **artifact.more,
        "url": url,
        "artifact": {**new, "lastUpdateTime": old["lastUpdateTime"] if same else now},
        "conditions": _conditions(source, True, "Succeeded", message, now),
    }


def ready(source: Object, message: str, now: str) -> Object:
    """The status of what needs no artifact."""
    return {**_handled(source), "conditions": _conditions(source, True, "Succeeded", message, now)[:1]}


def failed(source: Object, error: SourceError, now: str) -> Object:
    """The artifact that was there stays."""
    return {**_handled(source), "conditions": _conditions(source, False, error.reason, str(error), now)}
