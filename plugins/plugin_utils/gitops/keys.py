# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys without which data cannot be read: a tree may be the only place that still has them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...module_utils.kubernetes.preflight import KEYS_OF_DATA
from ..documents.document import Document
from ..settings.problems import Problem
from ..settings.secrets import fingerprint
from ..sops import Cipher
from .record import Record
from .secret_files import ENCRYPTED, has_keys, lost_keys, values

VARIABLE = "langfuse_secrets_file"
# Fingerprints are made with a key that comes from this one: with another, those of all are others.
_FIRST = "ENCRYPTION_KEY"


@dataclass(frozen=True)
class Place:
    """Where the instance has a tree at `path`: the checkout, or the last commit of the one in `directory`.

    record: the instance's own, if it can be read. changes: files with secrets, and what is to be in their place.
    """

    path: str
    record: Record
    changes: Sequence[tuple[bytes | None, Document]]
    directory: str = ""

    @property
    def secret(self) -> str:
        return f"{self.path}/app/secret{ENCRYPTED}"

    @property
    def name(self) -> str:
        return f"the last commit of {self.path}" if self.directory else self.path

    @property
    def cure(self) -> str:
        decrypt = f"sops decrypt {self.secret}"
        if self.directory:
            show = f"git -C {shlex.quote(self.directory)} show {shlex.quote(f'HEAD:{self.secret}')}"
            decrypt = f"{show} | sops decrypt --input-type yaml --output-type yaml /dev/stdin"
        return f"Restore the file from its backup, or take them from the tree: {decrypt}"


def marks(key: bytes, documents: Iterable[Document]) -> dict[str, str]:
    """Fingerprints of the keys in `documents`, by which a record knows them without an identity."""
    found = [values(one) for document in documents if document.sensitive for one in document.object]
    return {
        name: fingerprint(key, b"key of data", name.encode(), one[name].encode())
        for one in found
        for name in KEYS_OF_DATA
        if name in one
    }


def refusals(
    places: Iterable[Place], new_secrets: Sequence[str], wanted: Mapping[str, str], cipher: Cipher
) -> Iterator[Problem]:
    """Why the wanted keys, which have these fingerprints, cannot take the place of those that are there. One place tells."""
    for place in places:
        found = list(_refusals(place, new_secrets, wanted, cipher))
        yield from found
        if found:
            return


def _refusals(place: Place, new_secrets: Sequence[str], wanted: Mapping[str, str], cipher: Cipher) -> Iterator[Problem]:
    has = f"{place.name} has an instance already, whose data needs the old ones"
    # Without a record, as after a merge gone wrong, the files themselves tell.
    if new_secrets and (place.record.instance or any(has_keys(before) for before, _after in place.changes)):
        yield Problem(VARIABLE, f"lacks {' and '.join(new_secrets)}, and {has}", place.cure)
        return
    opened = [(after.path, keys) for before, after in place.changes if (keys := lost_keys(before, after, cipher))]
    for path, keys in opened:
        yield Problem(VARIABLE, f"has another {' and '.join(keys)} than {path}, and {has}", place.cure)
    known = place.record.keys
    if not opened and (keys := [name for name in wanted if known.get(name, wanted[name]) != wanted[name]]):
        keys = [_FIRST] if _FIRST in keys else keys
        yield Problem(VARIABLE, f"has another {' and '.join(keys)} than {place.secret}, and {has}", place.cure)
