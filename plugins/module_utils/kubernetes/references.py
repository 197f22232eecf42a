# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets of somebody else that pods of an instance read: without one, or a key of it, they never start. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .objects import Identity, Wanted


class Reference(NamedTuple):
    """A Secret in the namespace of its reader, and the key that is read; None for all of it, as a volume."""

    reader: Identity
    secret: str
    key: str | None


def of_others(wanted: Iterable[Wanted]) -> list[Reference]:
    """References to Secrets that are not among the wanted ones, each once, with its first reader."""
    everything = list(wanted)
    own = {(one.identity.namespace, one.identity.name) for one in everything if one.identity.kind == "Secret"}
    found: dict[tuple[str, str, str | None], Reference] = {}
    for one in everything:
        for secret, key in _in(one.object.get("spec")):
            place = (one.identity.namespace, secret)
            if place not in own:
                found.setdefault((*place, key), Reference(one.identity, secret, key))
    return list(found.values())


def _in(value: Any) -> Iterator[tuple[str, str | None]]:
    """Name and key of every reference that is not optional, however deep."""
    if isinstance(value, Mapping):
        where = value.get("secretKeyRef")
        if isinstance(where, Mapping) and not where.get("optional"):
            yield str(where.get("name")), str(where.get("key"))
        volume = value.get("secret")
        if isinstance(volume, Mapping) and "secretName" in volume and not volume.get("optional"):
            yield str(volume["secretName"]), None
        for one in value.values():
            yield from _in(one)
    elif isinstance(value, list):
        for one in value:
            yield from _in(one)
