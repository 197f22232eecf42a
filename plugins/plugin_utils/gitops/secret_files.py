# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the tree that SOPS encrypts: whether one still says the same, and what may be told of a change."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from ...module_utils.kubernetes.preflight import KEYS_OF_DATA
from ..documents.document import Document, to_yaml_all
from ..sops import Cipher, SopsFailed, keys_of, metadata
from .record import has_header

ENCRYPTED = ".sops.yaml"
# Keys of a Secret whose values are encrypted; everything else Flux has to read before it decrypts.
FIELDS = ("data", "stringData")
REGEX = f"^({'|'.join(FIELDS)})$"
# What is in clear of an object in a diff. Metadata are, where the file is ours: another's may have been encrypted too.
_CLEAR, _METADATA = ("apiVersion", "kind"), ("metadata", "type")
_HIDDEN = "(hidden)"
Objects = list[dict[str, Any]]


def is_same(document: Document, data: bytes, cipher: Cipher, remembered: bool) -> bool:
    """Whether `data` is the document, encrypted for the right recipients.

    remembered: that the record says so, which counts where no identity is here to look.
    """
    if not _is_ours(data, cipher):
        return False
    if not cipher.opens:
        return remembered
    try:
        return _loaded(cipher.decrypt(data)) == _loaded(document.content())
    except SopsFailed:
        return False


def _loaded(text: str | bytes) -> Objects:
    """Every value as text: writers of YAML differ in what they put into quotes."""
    return [one for one in yaml.load_all(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader)) if one]


def encrypted(document: Document, before: bytes | None, cipher: Cipher) -> bytes:
    """The document as its file is to be. Of the file `before`, values that stay keep their ciphertext, where an identity is here
    to make the others like them. Raises SopsFailed."""
    if before is not None and cipher.sets and _is_ours(before, cipher):
        with contextlib.suppress(SopsFailed, yaml.YAMLError, KeyError, TypeError):
            found = _renewed(document, before, cipher)
            if is_same(document, found, cipher, False):
                return found
    return cipher.encrypt(document.content(), only=REGEX)


def _renewed(document: Document, before: bytes, cipher: Cipher) -> bytes:
    """By SOPS' own `set`, which knows the first document of a file only: new values of an object are made in a file of their own with the
    same key, and the file is put together of these and the old ones. The last `set` changes nothing and seals the whole."""
    old, opened = _loaded(before), _loaded(cipher.decrypt(before))
    known = {_identity(plain): (plain, closed) for plain, closed in zip(opened, old, strict=True)}
    seal = next(iter(yaml.safe_load_all(before)))["sops"]
    objects = []
    for one in document.object:
        plain, closed = known.get(_identity(one), ({}, {}))
        fields = {
            field: _ciphertexts(one[field], plain.get(field) or {}, closed.get(field) or {}, (field, seal), cipher)
            for field in FIELDS
            if field in one
        }
        objects.append({**one, **fields, "sops": seal})
    first = objects[0]
    return cipher.set(to_yaml_all(objects).encode(), "kind", first["kind"])


def _ciphertexts(
    values: Mapping[str, str],
    plain: Mapping[str, str],
    closed: Mapping[str, str],
    place: tuple[str, Mapping[str, Any]],
    cipher: Cipher,
) -> dict[str, str]:
    field, seal = place
    changed = {key: value for key, value in values.items() if plain.get(key) != value}
    made: dict[str, str] = {}
    if changed:
        alone = to_yaml_all([{"kind": "Secret", "sops": seal}]).encode()
        made = _loaded(cipher.set(alone, field, changed))[0][field]
    return {key: made[key] if key in changed else closed[key] for key in values}


def _is_ours(data: bytes, cipher: Cipher) -> bool:
    found = metadata(data)
    return found is not None and keys_of(data) == cipher.recipients and found.get("encrypted_regex") == REGEX


def redacted(before: bytes | None, after: Document | None, cipher: Cipher) -> tuple[str, str]:
    """The file before and after, with words in the place of secrets: which keys change, and for whom they are encrypted."""
    old, opened = _objects(before, cipher)
    clear = _clear(before is not None and has_header(before))
    new = _loaded(after.content()) if after else []
    known = {_identity(one): one for one in old}
    return (
        _told(keys_of(before) if before is not None else None, [_hide(one, one, True, clear) for one in old]),
        _told(
            cipher.recipients if after else None,
            [_hide(one, known.get(_identity(one)), opened, _clear(True)) for one in new],
        ),
    )


def has_keys(data: bytes | None) -> bool:
    """Whether the file is ours, or has keys without which data cannot be read. No identity is needed to see that."""
    if data is None:
        return False
    objects, _opened = _plain(data)
    return has_header(data) or any(key in KEYS_OF_DATA for one in objects for key in values(one))


def lost_keys(before: bytes | None, after: Document, cipher: Cipher) -> list[str]:
    """Keys that would be replaced although data needs them, whatever the Secret with them was called. Of what is encrypted none is seen
    without an identity."""
    old, opened = _objects(before, cipher)
    if not opened:
        return []
    new = [values(one) for one in _loaded(after.content())]
    return [
        key
        for key in KEYS_OF_DATA
        if (wanted := {one[key] for one in new if key in one})
        and {one[key] for one in map(values, old) if key in one} - wanted
    ]


def values(one: Mapping[str, Any]) -> dict[str, str]:
    """What a Secret has, as `data` would have it: its `stringData` goes before that."""
    data, text = (one.get(field) for field in FIELDS)
    return {
        **{key: "".join(str(value).split()) for key, value in (data if isinstance(data, dict) else {}).items()},
        **{
            key: base64.b64encode(str(value).encode()).decode()
            for key, value in (text if isinstance(text, dict) else {}).items()
        },
    }


def _objects(data: bytes | None, cipher: Cipher) -> tuple[Objects, bool]:
    """The objects in a file, and whether their values could be opened."""
    if data is None:
        return [], True
    with contextlib.suppress(SopsFailed, yaml.YAMLError):
        if cipher.opens:
            return _only_objects(_loaded(cipher.decrypt(data))), True
    return _plain(data)


def _plain(data: bytes) -> tuple[Objects, bool]:
    """The same without opening anything."""
    try:
        found = _only_objects(_loaded(data))
    except yaml.YAMLError:
        return [], False
    return [{key: value for key, value in one.items() if key != "sops"} for one in found], metadata(data) is None


def _only_objects(found: Sequence[Any]) -> Objects:
    return [one for one in found if isinstance(one, dict)]


def _identity(one: Mapping[str, Any]) -> tuple[Any, ...]:
    about = one.get("metadata")
    about = about if isinstance(about, dict) else {}
    return (str(one.get("kind")), str(about.get("namespace")), str(about.get("name")))


def _clear(ours: bool) -> Sequence[str]:
    return (*_CLEAR, *_METADATA) if ours else _CLEAR


def _hide(
    one: Mapping[str, Any], before: Mapping[str, Any] | None, opened: bool, clear: Sequence[str]
) -> dict[str, Any]:
    before = before or {}
    shown = dict[str, Any]()
    for key, value in one.items():
        old = before.get(key)
        if key in clear and (key == "metadata" or isinstance(value, str)):
            shown[key] = value
        elif key in FIELDS and isinstance(value, dict):
            known = old if isinstance(old, dict) else {}
            shown[key] = {name: _word(name, each, known, opened) for name, each in value.items()}
        else:
            shown[key] = _word(key, value, before, opened)
    return shown


def _word(key: str, value: Any, old: Mapping[str, Any], opened: bool) -> str:
    if key not in old:
        return "(hidden, new)"
    if not opened:
        return "(hidden, not compared)"
    return _HIDDEN if old[key] == value else "(hidden, changed)"


def _told(recipients: frozenset[str] | None, shown: Objects) -> str:
    if not shown:
        return ""
    text = to_yaml_all(shown)
    return text if recipients is None else f"# encrypted for {', '.join(sorted(recipients))}\n{text}"
