# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets of somebody else that an instance reads: without one, or a key of it, pods never start, and a change must roll them. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .objects import Identity, Wanted

# Namespace and name of a Secret.
Place = tuple[str, str]
# Place → what the Secret has, as the API has it; None where there is none.
Contents = Mapping[Place, "Mapping[str, str] | None"]

CHECKSUM = "llmops.langfuse/checksum-of-others"
# What rolls the servers of an operator that passes on no annotations.
ROLLS = "LANGFUSE_CHECKSUM"
# The one secret of an instance that never changes, whoever keeps it.
_FROZEN = "ENCRYPTION_KEY"
# Fields that name a Secret, and mostly a key of it, of pods and of the operators' resources.
_NAMED = ("secretKeyRef", "secretRef", "secret", "accessKeyId", "secretAccessKey")
# Group and kind of CloudNativePG's servers.
_DATABASES = ("postgresql.cnpg.io", "Cluster")


class Reference(NamedTuple):
    """A Secret in the namespace of its reader, and the key that is read; None for all of it, as a volume."""

    reader: Identity
    secret: str
    key: str | None

    @property
    def place(self) -> Place:
        return self.reader.namespace, self.secret


def of_others(wanted: Iterable[Wanted]) -> list[Reference]:
    """References to Secrets that are not among the wanted ones, each once, with its first reader."""
    everything = list(wanted)
    own, found = _own(everything), dict[tuple[str, str, str | None], Reference]()
    for one in everything:
        for reference in _references(one):
            if reference.place not in own:
                found.setdefault((*reference.place, reference.key), reference)
    return list(found.values())


def followed(wanted: Iterable[Wanted], contents: Contents) -> list[Wanted]:
    """The wanted objects with a keyed fingerprint of what their pods read in Secrets of others, so that a change rolls them.

    A migration, which cannot change, gets another name by it. Without the key of the fingerprint, as in an instance that is off, nothing is marked.
    """
    everything = list(wanted)
    own = _own(everything)
    key = next(filter(None, (_frozen(one, own, contents) for each in everything for one in _references(each))), None)
    if key is None:
        return everything
    return [
        _followed(one, [two for two in _references(one) if two.place not in own], contents, key) for one in everything
    ]


def _own(wanted: Iterable[Wanted]) -> dict[Place, Mapping[str, str]]:
    return {
        (one.identity.namespace, one.identity.name): one.object.get("data") or {}
        for one in wanted
        if one.identity.kind == "Secret"
    }


def _references(one: Wanted) -> list[Reference]:
    spec = one.object.get("spec") or {}
    logins = _logins(spec) if (one.identity.group, one.identity.kind) == _DATABASES else ()
    return [Reference(one.identity, secret, key) for secret, key in (*_in(spec), *logins)]


def _logins(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and keys of the Secrets of users, which CloudNativePG takes by their type: no field of its names the keys."""
    initdb = (spec.get("bootstrap") or {}).get("initdb") or {}
    roles = (spec.get("managed") or {}).get("roles") or ()
    for found in (initdb.get("secret"), *(role.get("passwordSecret") for role in roles)):
        if found:
            yield from ((str(found["name"]), key) for key in ("username", "password"))


def _frozen(reference: Reference, own: Contents, contents: Contents) -> bytes | None:
    if reference.key != _FROZEN:
        return None
    value = (own.get(reference.place) or contents.get(reference.place) or {}).get(_FROZEN)
    return hmac.new(value.encode(), b"llmops.langfuse secrets of others v1", hashlib.sha256).digest() if value else None


def _followed(one: Wanted, theirs: Iterable[Reference], contents: Contents, key: bytes) -> Wanted:
    read = {f"{ref.secret} {ref.key or ''}": _content(ref, contents) for ref in theirs}
    if not read:
        return one
    spec, kind = one.object["spec"], one.identity.kind

    def mark(before: str = "") -> str:
        said = json.dumps([before, read], sort_keys=True).encode()
        return hmac.new(key, said, hashlib.sha256).hexdigest()[:32]

    if kind == "Job":
        stem, _dash, before = one.identity.name.rpartition("-")
        name = f"{stem}-{mark(before)[:10]}"
        return one._replace(object={**one.object, "metadata": {**one.object["metadata"], "name": name}})
    if kind in ("Deployment", "StatefulSet"):
        metadata = spec["template"].get("metadata") or {}
        annotations = {**(metadata.get("annotations") or {}), CHECKSUM: mark()}
        template = {**spec["template"], "metadata": {**metadata, "annotations": annotations}}
        return one._replace(object={**one.object, "spec": {**spec, "template": template}})
    return one._replace(object={**one.object, "spec": _rolled(spec, mark)})


def _content(reference: Reference, contents: Contents) -> Any:
    found = contents.get(reference.place)
    if found is None or reference.key is None:
        return found
    return found.get(reference.key)


def _rolled(value: Any, mark: Any) -> Any:
    """The same with another value of the variable that rolls servers."""
    if isinstance(value, Mapping):
        if value.get("name") == ROLLS:
            return {**value, "value": mark(value["value"])}
        return {name: _rolled(one, mark) for name, one in value.items()}
    return [_rolled(one, mark) for one in value] if isinstance(value, list) else value


def _in(value: Any) -> Iterator[tuple[str, str | None]]:
    """Name and key of every reference that is not optional, however deep."""
    if isinstance(value, Mapping):
        for field in _NAMED:
            where = value.get(field)
            if isinstance(where, Mapping) and not where.get("optional"):
                name = where.get("secretName") or where.get("name")
                if name:
                    yield str(name), str(where["key"]) if where.get("key") else None
        for one in value.values():
            yield from _in(one)
    elif isinstance(value, list):
        for one in value:
            yield from _in(one)
