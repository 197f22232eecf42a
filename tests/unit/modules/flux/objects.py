"""Objects of Flux as an API server returns them, with conditions in the words of its controllers."""

from __future__ import annotations

from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.flux.state import Key, Seen, Tree

Found = dict[str, Any]
NAMES = ("langfuse-stores", "langfuse-migrate", "langfuse")
SOURCE: Key = ("GitRepository", "flux-system", "flux-system")
PATH = "kubernetes/apps/ai-system/langfuse"
TREE = Tree("flux-system", NAMES, SOURCE, "sops-age", PATH)
OLD, NEW = ("main@sha1:" + digit * 40 for digit in "ab")
_REF = {"kind": "GitRepository", "name": "flux-system", "namespace": "flux-system"}


def condition(kind: str, status: str, reason: str, message: str) -> Found:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def made(kind: str, name: str, *conditions: Found, namespace: str = "flux-system", **content: Any) -> Found:
    metadata = {"name": name, "namespace": namespace, **content.pop("metadata", {})}
    status = {"conditions": list(conditions), **content.pop("status", {})}
    return {"kind": kind, "metadata": metadata, "status": status, **content}


def kustomization(name: str, *conditions: Found, revision: str = NEW, **content: Any) -> Found:
    spec = {"sourceRef": _REF, "decryption": {"secretRef": {"name": "sops-age"}}, **content.pop("spec", {})}
    status = {"lastAppliedRevision": revision, **content.pop("status", {})}
    return made("Kustomization", name, *conditions, spec=spec, status=status, **content)


def ready(revision: str = NEW) -> Found:
    return condition("Ready", "True", "ReconciliationSucceeded", f"Applied revision: {revision}")


def failed(reason: str, message: str) -> Found:
    return condition("Ready", "False", reason, message)


def source(*conditions: Found, revision: str = NEW, kind: str = "GitRepository", name: str = "flux-system") -> Found:
    given = conditions or (condition("Ready", "True", "Succeeded", f"stored artifact for revision '{revision}'"),)
    return made(kind, name, *given, spec={}, status={"artifact": {"revision": revision}} if revision else {})


def key_of(found: Found) -> Key:
    return found["kind"], found["metadata"]["namespace"], found["metadata"]["name"]


def seen(*others: Found, gone: tuple[Key, ...] = (), **more: Any) -> Seen:
    """Everything is ready, but for what is given instead, and for what is not there."""
    well = [source(), *(kustomization(name, ready()) for name in NAMES)]
    objects: dict[Key, Found | None] = {key_of(one): one for one in (*well, *others)}
    return Seen({**objects, **dict.fromkeys(gone)}, **more)


def event(name: str, reason: str, message: str, time: str, kind: str = "Warning", revision: str = NEW) -> Found:
    metadata = {"annotations": {"kustomize.toolkit.fluxcd.io/revision": revision}}
    about = {"kind": "Kustomization", "namespace": "flux-system", "name": name}
    return {
        "metadata": metadata,
        "involvedObject": about,
        "type": kind,
        "reason": reason,
        "message": message,
        "lastTimestamp": time,
    }
