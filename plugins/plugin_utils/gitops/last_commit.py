# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree as it was committed last, and so may have been applied. Before the first commit one may change one's mind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain

from ..documents.document import Document
from ..settings.problems import Problem
from . import appliers, handed_over
from . import record as records
from .elsewhere import trees
from .git import Checkout
from .keys import Place
from .record import Record
from .secret_files import ENCRYPTED
from .stored import committed, refusals, telling


class LastCommit:
    """What it has of the tree of `instance`, which is to be at `path`."""

    def __init__(self, checkout: Checkout, path: str, instance: str, key: bytes) -> None:
        self._checkout = checkout
        self._path = path
        self._instance = instance
        self._key = key

    @cached_property
    def _homes(self) -> list[str]:
        """Where it has the tree: it may be on its way to another path."""
        read = self._checkout.committed
        if read(f"{self._path}/{records.NAME}") is not None:
            return [self._path]
        named = self._checkout.committed_named(records.NAME)
        return [self._path, *trees(named, read, self._instance, self._key, self._path)]

    def places(self, documents: Iterable[Document], now: Callable[[str], bytes | None]) -> Iterator[Place]:
        """Where its keys are. now: what is in a file of the checkout, where keys that are the same were looked at."""
        sensitive = [one for one in documents if one.sensitive]
        for home in self._homes:
            record = self._record(home)
            if record.instance in ("", self._instance):
                found = [(self._read(home, self._name(one.path)), one) for one in sensitive]
                changes = [(before, one) for before, one in found if before != now(one.path)]
                yield Place(home, record, changes, str(self._checkout.directory))

    def lost_data(self, documents: Sequence[Document], moved_stores: Collection[str]) -> Iterator[Problem]:
        """Stores may have data since."""
        wanted = telling(documents)
        for home in self._homes:
            live = committed(self._texts(home, map(self._name, wanted)))
            yield from refusals(home, chain.from_iterable(wanted.values()), live, moved_stores)

    def handed_over(self, documents: Sequence[Document], names: Collection[str]) -> Iterator[Problem]:
        for home in self._homes if names else ():
            texts = self._texts(home, [name for name in self._record(home).files if name.endswith(ENCRYPTED)])
            yield from handed_over.refusals(home, texts, documents, names)

    def appliers(self, documents: Sequence[Document]) -> Iterator[Problem]:
        """Flux and Helm have applied what it says."""
        wanted = {self._name(one.path): one for one in documents}
        for home in self._homes if wanted else ():
            texts = {name: text for name in appliers.FILES if (text := self._read(home, name)) is not None}
            yield from appliers.refusals(home, texts, wanted)

    def _record(self, home: str) -> Record:
        data = self._read(home, records.NAME)
        return records.read(data) if data is not None else Record()

    def _texts(self, home: str, names: Iterable[str]) -> Iterator[bytes]:
        return (data for name in names if (data := self._read(home, name)) is not None)

    def _read(self, home: str, name: str) -> bytes | None:
        return self._checkout.committed(f"{home}/{name}")

    def _name(self, path: str) -> str:
        return path.removeprefix(f"{self._path}/")
