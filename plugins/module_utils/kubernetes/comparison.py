# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What applying would change: the live object beside the answer to a server-side dry run. Pure.

The API server itself adds defaults and what webhooks write, so both sides have them and nothing has to be guessed here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .objects import Object, identity_of

HIDDEN = "(hidden)"
# Made by the server, and different after every write.
_SERVERS = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
# Written by other ways of applying; it holds a whole object, secrets included.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# What makes entries of a list the same one, tried in this order.
_KEYS = ("name", "mountPath", "ip", "containerPort", "port")
_MISSING = object()


class Change(NamedTuple):
    """A value that differs. None where it is not there."""

    path: str
    before: Any
    after: Any


class Comparison(NamedTuple):
    """``action`` is ``created``, ``changed`` or ``same``. The changes hold nothing secret."""

    action: str
    changes: list[Change]

    @property
    def changed(self) -> bool:
        return self.action != "same"


def compare(live: Object | None, result: Object, sensitive: bool = False) -> Comparison:
    """``result`` is the server's answer. Of sensitive objects only the names of what changes are told."""
    changes = _without_former_secrets(_differences("", _own(live) if live is not None else {}, _own(result)))
    if sensitive or result["kind"] == "Secret":
        changes = [_hidden(one) for one in changes]
    if live is None:
        return Comparison("created", changes)
    return Comparison("changed" if changes else "same", changes)


def _own(found: Object) -> dict[str, Any]:
    """The object without what the server keeps for itself."""
    metadata = {name: value for name, value in found["metadata"].items() if name not in _SERVERS}
    annotations = {name: value for name, value in (metadata.get("annotations") or {}).items() if name != _LAST_APPLIED}
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    return {**{name: value for name, value in found.items() if name != "status"}, "metadata": metadata}


def _differences(path: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            inner = f"{path}.{name}" if path else str(name)
            yield from _differences(inner, before.get(name, _MISSING), after.get(name, _MISSING))
    elif (entries := _keyed(before, after)) is not None:
        for name in sorted({*entries[0], *entries[1]}):
            yield from _differences(f"{path}[{name}]", entries[0].get(name, _MISSING), entries[1].get(name, _MISSING))
    else:
        yield Change(path, *(None if value is _MISSING else value for value in (before, after)))


def _keyed(before: Any, after: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Both lists by what names their entries, so that one more at the front does not change all that follow."""
    if not (isinstance(before, list) and isinstance(after, list)):
        return None
    for key in _KEYS:
        sides = [_by(key, side) for side in (before, after)]
        if sides[0] is not None and sides[1] is not None:
            return sides[0], sides[1]
    return None


def _by(key: str, entries: Sequence[Any]) -> dict[str, Any] | None:
    if not all(isinstance(one, Mapping) and key in one for one in entries):
        return None
    found = {str(one[key]): one for one in entries}
    return found if len(found) == len(entries) else None


def _hidden(change: Change) -> Change:
    """Names, labels and the kind of a Secret may be seen, content may not."""
    if change.path.split(".", 1)[0] in ("metadata", "apiVersion", "kind", "type"):
        return change
    names = change.after if isinstance(change.after, Mapping) else change.before
    shown = f"{change.path}: {', '.join(sorted(names))}" if isinstance(names, Mapping) else change.path
    return Change(
        shown,
        None if change.before is None else HIDDEN,
        None if change.after is None else f"{HIDDEN[:-1]}, changed)" if change.before is not None else HIDDEN,
    )


def _without_former_secrets(found: Iterator[Change]) -> list[Change]:
    """A variable that is read from a Secret from now on, or was until now, has a value that is one."""
    changes = list(found)
    read = {one.path.split(".valueFrom")[0] for one in changes if ".valueFrom" in one.path}
    values = {f"{path}.value" for path in read}
    return [
        Change(one.path, *(None if value is None else HIDDEN for value in one[1:])) if one.path in values else one
        for one in changes
    ]


def as_diff(comparison: Comparison, result: Object) -> dict[str, str]:
    """What Ansible shows: a line for each value that differs, which is all that a person looks for."""
    name = str(identity_of(result))
    return {
        "before_header": name,
        "after_header": name,
        "before": _lines(comparison.changes, "before"),
        "after": _lines(comparison.changes, "after"),
    }


def _lines(changes: Sequence[Change], side: str) -> str:
    values = ((one.path, getattr(one, side)) for one in changes)
    return "".join(f"{path}: {_text(value)}\n" for path, value in values if value is not None)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
