# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether Flux has brought an instance to what Git says, and why not. Pure: objects in, rows ``{object, code, what, cure}`` out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..kubernetes.objects import Object
from . import messages
from .messages import Said, short

Event = Mapping[str, Any]
Row = dict[str, str]
# Kind, namespace and name.
Key = tuple[str, str, str]
KUSTOMIZATION, RELEASE, CHART = "Kustomization", "HelmRelease", "HelmChart"
REPOSITORIES = ("HelmRepository", "OCIRepository")
# What is no failure yet: Flux is at work, or told to rest, or has not heard of the last commit.
PASSING = ("suspended", "progressing", "behind", "kept")
REVISION = "kustomize.toolkit.fluxcd.io/revision"
_SUCCEEDED = "ReconciliationSucceeded"
# Kind → how the command line of Flux calls it.
_CALLED = {
    KUSTOMIZATION: "kustomization",
    RELEASE: "helmrelease",
    CHART: "source chart",
    "HelmRepository": "source helm",
    "GitRepository": "source git",
    "OCIRepository": "source oci",
    "Bucket": "source bucket",
}


class Tree(NamedTuple):
    """What an inventory says of Flux: the Kustomizations in the order in which they are applied, and their source."""

    namespace: str
    kustomizations: Sequence[str]
    source: Key
    secret: str
    path: str


class Seen(NamedTuple):
    """What of it is in the cluster.

    ``objects`` has None for what is not there. ``unserved`` are kinds that the API server does not know. ``events`` are those about
    these objects. ``kept`` are objects that a Kustomization has made and has no more.
    """

    objects: Mapping[Key, Object | None]
    unserved: Sequence[str] = ()
    events: Sequence[Event] = ()
    controllers: Sequence[Object] = ()
    kept: Sequence[Object] = ()


def judge(tree: Tree, seen: Seen) -> list[Row]:
    """What is wrong, causes before what they cause; nothing where the cluster is as Git says."""
    if missing := _not_installed(tree, seen):
        return missing
    rows = [*_controllers(seen), *_source(tree, seen)]
    rows += [row for name in tree.kustomizations for row in _kustomization(tree, seen, name)]
    rows += [row for key in seen.objects if key[0] == RELEASE for row in _release(tree, seen, key)]
    rows += _kept(seen)
    return _without_echoes(rows)


def fetched(source: Object | None) -> str:
    """What a source has last fetched, as Kustomizations and events name it: ``main@sha1:...`` of Git, a digest of what was packed or of a bucket."""
    return str(_artifact(source).get("revision") or "")


def commit_of(source: Object | None) -> str:
    """The commit in it, like ``main@sha1:...``; "" where nobody says which one was packed."""
    origin = (_artifact(source).get("metadata") or {}).get("org.opencontainers.image.revision")
    return str(origin or "") or (fetched(source) if source and source["kind"] == "GitRepository" else "")


def _artifact(source: Object | None) -> Mapping[str, Any]:
    artifact: Mapping[str, Any] = ((source or {}).get("status") or {}).get("artifact") or {}
    return artifact


def applied(tree: Tree, seen: Seen) -> str:
    """In one line what is applied, and of which revision."""
    found = [seen.objects.get((KUSTOMIZATION, tree.namespace, name)) for name in tree.kustomizations]
    revisions = [str(((one or {}).get("status") or {}).get("lastAppliedRevision") or "") for one in found]
    told = dict.fromkeys(_commit(one) for one in revisions if one)
    return f"{', '.join(tree.kustomizations)} of {tree.namespace} at {', '.join(told) or 'no revision'}"


def _commit(revision: str) -> str:
    """As people know it: a commit by its first digits."""
    name, colon, digest = revision.rpartition(":")
    return f"{name}:{digest[:10]}" if colon else revision


def condition(found: Object, name: str) -> Mapping[str, Any]:
    conditions = (found.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == name), {})


def _row(key: Key, code: str, what: str, cure: str) -> Row:
    kind, namespace, name = key
    return {"object": f"{kind} {name} of {namespace}", "code": code, "what": what, "cure": cure}


def _spec(found: Object) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = found.get("spec") or {}
    return spec


def _not_installed(tree: Tree, seen: Seen) -> list[Row]:
    if KUSTOMIZATION not in seen.unserved:
        return []
    what = "The cluster does not know Flux's Kustomizations"
    cure = "Install Flux, or write langfuse_gitops_flavour: plain where somebody else applies the tree"
    return [_row((KUSTOMIZATION, tree.namespace, tree.kustomizations[-1]), "absent", what, cure)]


def _controllers(seen: Seen) -> Iterator[Row]:
    """Flux' own Deployments without a pod that is ready. Whoever runs it otherwise has none of these names."""
    for one in seen.controllers:
        if not (one.get("status") or {}).get("readyReplicas"):
            name, namespace = one["metadata"]["name"], one["metadata"]["namespace"]
            what = f"{name} of {namespace} has no pod that is ready"
            cure = f"Look at it: kubectl describe deployment -n {namespace} {name}"
            yield _row(("Deployment", namespace, name), "controller", what, cure)


def _source(tree: Tree, seen: Seen) -> Iterator[Row]:
    """Each source that is read: the one that is wanted, and others that the Kustomizations have been given."""
    for key in _sources(tree, seen):
        found, (kind, namespace, name) = seen.objects.get(key), key
        if found is None:
            cure = f"Make it, or correct langfuse_gitops_source_name and langfuse_gitops_source_namespace ({tree.path} is to be in it)"
            yield _row(key, "source", f"There is no {kind} {name} in {namespace}", cure)
            continue
        if _spec(found).get("suspend"):
            yield _suspended(key)
        ready = condition(found, "Ready")
        if ready.get("status") == "False":
            said = messages.of_source(str(ready.get("message") or ""))
            yield _told(key, ready, said, kind=kind)
        elif not fetched(found):
            yield _row(
                key,
                "progressing",
                f"The {kind} {name} of {namespace} has fetched nothing yet",
                f"Have Flux look at once: {again(key)}",
            )


def _sources(tree: Tree, seen: Seen) -> list[Key]:
    found = [seen.objects.get((KUSTOMIZATION, tree.namespace, name)) for name in tree.kustomizations]
    return list(dict.fromkeys(source_of(one) for one in found if one)) or [tree.source]


def _kustomization(tree: Tree, seen: Seen, name: str) -> Iterator[Row]:
    key = (KUSTOMIZATION, tree.namespace, name)
    found = seen.objects.get(key)
    if found is None:
        what = f"There is no Kustomization {name} in {tree.namespace}"
        cure = (
            f"Commit and push {tree.path}, and name it among the resources of a kustomization.yaml that Flux applies already, "
            "mostly the one beside it. Where that is done, look at the Kustomization that applies that one: a Flux older than 2.5 refuses the tree"
        )
        yield _row(key, "missing", what, cure)
        return
    if _spec(found).get("suspend"):
        yield _suspended(key)
        return
    ready, names = condition(found, "Ready"), _names(tree, key, found)
    source = seen.objects.get(source_of(found))
    if not ready:
        what = f"Nobody has looked at the Kustomization {name} yet"
        yield _row(key, "progressing", what, "Look at kustomize-controller where this does not pass")
    elif ready.get("status") == "True":
        yield from _behind(key, found, source)
    else:
        last = ready if ready["status"] == "False" else _last_failure(seen, key, fetched(source))
        if last is None:
            doing = condition(found, "Reconciling").get("message") or ready.get("message")
            yield _row(key, "progressing", f"Flux is at work on {name}: {short(doing)}", "Wait until it is done")
        elif last["reason"] == "DependencyNotReady":
            yield _dependency(tree, seen, key, str(last.get("message") or ""))
        else:
            said = messages.of_kustomization(str(last["reason"]), str(last.get("message") or ""))
            yield _told(key, last, said, **names)


def _names(tree: Tree, key: Key, found: Object) -> dict[str, str]:
    """Names that cures have."""
    given = (_spec(found).get("decryption") or {}).get("secretRef") or {}
    secret = str(given.get("name") or tree.secret)
    return {"name": key[2], "namespace": key[1], "secret": secret, "path": tree.path}


def source_of(found: Object) -> Key:
    """The source that a Kustomization is applied from."""
    given = _spec(found).get("sourceRef") or {}
    return (
        str(given.get("kind")),
        str(given.get("namespace") or found["metadata"]["namespace"]),
        str(given.get("name")),
    )


def _told(key: Key, said_by: Mapping[str, Any], said: Said, **names: str) -> Row:
    kind, namespace, name = key
    reason, message = said_by.get("reason"), short(said_by.get("message"))
    values = {"name": name, "namespace": namespace, "kind": kind, **names}
    return _row(key, said.code, f"{kind} {name} of {namespace}: {reason}, {message}", said.cure.format_map(values))


def _last_failure(seen: Seen, key: Key, revision: str) -> Mapping[str, Any] | None:
    """While Flux tries again, its condition does not tell any more why it has to: the last event does, if it is about what is tried."""
    kind, namespace, name = key
    own = [
        one
        for one in seen.events
        if (one.get("involvedObject") or {}).get("kind") == kind
        and (one["involvedObject"].get("namespace"), one["involvedObject"].get("name")) == (namespace, name)
        and (one.get("type") == "Warning" or one.get("reason") == _SUCCEEDED)
    ]
    last = max(own, key=_time, default=None)
    if last is None or last.get("type") != "Warning":
        return None
    about = (last["metadata"].get("annotations") or {}).get(REVISION)
    return None if about and revision and about != revision else last


def _time(event: Event) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def _behind(key: Key, found: Object, source: Object | None) -> Iterator[Row]:
    done = str((found.get("status") or {}).get("lastAppliedRevision") or "")
    newest = fetched(source)
    if done and newest and done != newest:
        what = f"Flux has fetched {_commit(newest)} and applied {_commit(done)} of {key[2]}"
        yield _row(key, "behind", what, f"Have Flux look at once: {again(key)}")


def _dependency(tree: Tree, seen: Seen, key: Key, message: str) -> Row:
    where = messages.dependency_of(message)
    if where is None:
        return _row(key, "dependency", f"{key[2]} waits: {short(message)}", "Look at what it depends on")
    other: Key = (KUSTOMIZATION, *where)
    found = seen.objects.get(other)
    what = f"{key[2]} waits for the Kustomization {where[1]} of {where[0]}"
    ready = condition(found or {}, "Ready")
    why = short(ready.get("message")) or "nobody has looked at it yet"
    if where[0] == tree.namespace and where[1] in tree.kustomizations:
        # It has a row of its own, or is at work.
        return _row(key, "waits", f"{what} ({why})", "Wait until it is done")
    if found is None:
        cure = (
            "Correct langfuse_gitops_dependencies: an empty text leaves one out that the cluster has under another name"
        )
        return _row(key, "dependency", f"{what}, which is not there", cure)
    if _spec(found).get("suspend"):
        return _row(key, "dependency", f"{what}, which is suspended", f"Let it go on: {_resume(other)}")
    return _row(key, "dependency", f"{what} ({why})", "Mend that one first")


def _release(tree: Tree, seen: Seen, key: Key) -> Iterator[Row]:
    found = seen.objects[key]
    if found is None:
        return
    if _spec(found).get("suspend"):
        yield _suspended(key)
        return
    ready, stalled = condition(found, "Ready"), condition(found, "Stalled")
    charts = _charts(tree, seen)
    yield from charts
    if ready.get("status") == "False":
        said = messages.of_release(str(ready.get("reason")), str(ready.get("message") or ""))
        if said.code == "chart" and charts:
            return
        row = _told(key, ready, said)
        if stalled.get("status") == "True":
            row["what"] += f"; Flux has given up: {short(stalled.get('message'))}"
            if "--reset" not in row["cure"]:
                row["cure"] += f". Then have it tried again: flux reconcile helmrelease {key[2]} -n {key[1]} --reset"
        yield row
    elif ready.get("status") != "True":
        what = f"Flux is at work on the HelmRelease {key[2]}: {short(ready.get('message')) or 'nobody has looked at it yet'}"
        yield _row(key, "progressing", what, "Wait until it is done")


def _charts(tree: Tree, seen: Seen) -> list[Row]:
    """Why there is no chart: the repository says it better than what is taken from it, so that comes first."""
    rows = []
    for kind in (*REPOSITORIES, CHART):
        for key in (one for one in seen.objects if one[0] == kind and one not in _sources(tree, seen)):
            ready = condition(seen.objects[key] or {}, "Ready")
            if ready.get("status") == "False":
                rows.append(_told(key, ready, messages.of_chart(str(ready.get("message") or ""))))
    return rows[:1]


def _suspended(key: Key) -> Row:
    kind, namespace, name = key
    return _row(key, "suspended", f"The {kind} {name} of {namespace} is suspended", f"Let it go on: {_resume(key)}")


def _resume(key: Key) -> str:
    kind, namespace, name = key
    return f"flux resume {_CALLED.get(kind, kind.lower())} {name} -n {namespace}"


def again(key: Key) -> str:
    """What has Flux look at once."""
    kind, namespace, name = key
    return f"flux reconcile {_CALLED.get(kind, kind.lower())} {name} -n {namespace}"


def _kept(seen: Seen) -> Iterator[Row]:
    for one in seen.kept:
        metadata = one["metadata"]
        key = (one["kind"], metadata["namespace"], metadata["name"])
        what = f"{one['kind']} {metadata['name']} of {metadata['namespace']} is no more in Git, and Flux leaves it because of what is in it"
        cure = (
            f"Once nobody needs it: kubectl delete -n {metadata['namespace']} {one['kind'].lower()} {metadata['name']}"
        )
        yield _row(key, "kept", what, cure)


def _without_echoes(rows: Sequence[Row]) -> list[Row]:
    """What only says that something before it is not ready goes, where that is told itself."""
    codes = {row["code"] for row in rows}
    if codes - {"waits", "progressing", "behind", "kept"}:
        rows = [row for row in rows if row["code"] != "waits"]
    if any(row["code"] == "source" and row["object"].split()[0] != KUSTOMIZATION for row in rows):
        rows = [row for row in rows if not (row["code"] == "source" and row["object"].startswith(KUSTOMIZATION))]
    # The one that is waited for is at work.
    return [{**row, "code": "progressing"} if row["code"] == "waits" else row for row in rows]
