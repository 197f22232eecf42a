# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person added to an object with a tool, or Flux has left in it: fields that applying neither sets nor takes away. Pure.

The API server keeps for each manager the tree of its fields: ``f:name`` is a field, ``k:{"name": "web"}`` an entry of a list
by what it is merged by, ``v:"x"`` a value of a set, and ``.`` the thing itself.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Union

from .objects import FIELD_MANAGER, Object
from .ownership import FORMER, HANDS, managers

# Labels and annotations are anybody's: a restart by hand is one, and taking it away would restart again.
# A number of pods that is not ours is an autoscaler's, and without one there would be one pod.
_ANYBODYS = ("f:metadata", "f:status", "f:replicas", ".")
Fields = Mapping[str, Any]
Step = Union[str, int]


class Addition(NamedTuple):
    """``path`` is for people, ``steps`` lead to the place in the live object."""

    path: str
    steps: tuple[Step, ...]

    @property
    def removal(self) -> dict[str, str]:
        """An operation of a JSON patch."""
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in self.steps)
        return {"op": "remove", "path": "".join(f"/{step}" for step in steps)}


def additions(live: Object) -> list[Addition]:
    """In an order in which they can be removed one after the other: of a list the last entries first."""
    ours = _merged(live, "Apply", (FIELD_MANAGER,))
    if not ours:
        return []
    theirs = _merged(live, "Update", HANDS)
    _merge(theirs, _merged(live, "Apply", FORMER))
    found = {one.steps: one for one in _beyond(theirs, ours, live, "", ())}
    return [found[steps] for steps in sorted(found, key=_as_text, reverse=True)]


def mending(live: Object, wanted: Object) -> list[dict[str, Any]]:
    """Operations of a JSON patch that bring what a hand added to what is wanted there, a list as a whole.

    For an object that the API refuses with both, like two ports of one name: entries that a hand gave another key are new ones.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in additions(live):
        place = _list_of(one.steps)
        there, value = _at(wanted, place)
        operation: dict[str, Any] = dict((Addition("", place) if there else one).removal)
        if there:
            operation.update(op="replace", value=value)
        found.setdefault(operation["path"], operation)
    return list(found.values())


def _list_of(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The way to the first list on it, or all of it."""
    first = next((number for number, step in enumerate(steps) if isinstance(step, int)), len(steps))
    return steps[:first]


def _at(found: Any, steps: Sequence[Step]) -> tuple[bool, Any]:
    for step in steps:
        if not (isinstance(found, Mapping) and step in found):
            return False, None
        found = found[step]
    return True, found


def without(found: Object, added: Sequence[Addition]) -> dict[str, Any]:
    """A copy of the object without these, in the order of :func:`additions`."""
    result = copy.deepcopy(dict(found))
    for one in added:
        *way, last = one.steps
        place: Any = result
        for step in way:
            place = place[step]
        del place[last]
    return result


def _as_text(steps: Sequence[Step]) -> list[str]:
    return [f"{step:09}" if isinstance(step, int) else step for step in steps]


def _merged(live: Object, operation: str, names: Sequence[str]) -> dict[str, Any]:
    """Fields of these managers as one tree. A part of an object, such as its scale, is another one's business."""
    tree: dict[str, Any] = {}
    for one in managers(live):
        if one.get("operation") == operation and one.get("manager") in names and not one.get("subresource"):
            _merge(tree, one.get("fieldsV1") or {})
    return tree


def _merge(tree: dict[str, Any], more: Fields) -> None:
    for name, inner in more.items():
        _merge(tree.setdefault(name, {}), inner)


def _beyond(theirs: Fields, ours: Fields, value: Any, path: str, steps: tuple[Step, ...]) -> Iterator[Addition]:
    for name, inner in theirs.items():
        if name in _ANYBODYS:
            continue
        step, shown = _step(name, value)
        if step is None:
            # Gone since, or of a form that is not known.
            continue
        where = f"{path}[{shown}]" if isinstance(step, int) else f"{path}.{shown}".lstrip(".")
        if name not in ours:
            yield Addition(where, (*steps, step))
        elif inner:
            yield from _beyond(inner, ours[name], value[step], where, (*steps, step))


def _step(name: str, value: Any) -> tuple[Step | None, str]:
    """The key or index that a name of the tree means in `value`, and how people know it."""
    kind, _colon, text = name.partition(":")
    if kind == "f":
        return (text if isinstance(value, Mapping) and text in value else None), text
    if not isinstance(value, list) or kind not in ("k", "v"):
        return None, text
    wanted = json.loads(text)
    for number, entry in enumerate(value):
        if kind == "v" and entry == wanted:
            return number, str(wanted)
        if kind == "k" and isinstance(entry, Mapping) and wanted.items() <= entry.items():
            return number, " ".join(map(str, wanted.values()))
    return None, text
