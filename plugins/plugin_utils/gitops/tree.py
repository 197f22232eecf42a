# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree of an instance in a checkout: compare, refuse, write. Secrets are on the disk encrypted only, temporary files too."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..documents.document import Document
from ..settings.problems import Problem
from ..sops import Cipher
from . import keys
from . import record as records
from .elsewhere import trees
from .files import nearest, obstacle, put, remove_leftovers, take
from .git import Checkout
from .keys import Place
from .last_commit import LastCommit
from .record import Entry, Record
from .secret_files import ENCRYPTED, FIELDS, encrypted, is_same, redacted
from .stored import NAMESPACE

PATH, OVERWRITE = "langfuse_gitops_path", "langfuse_gitops_overwrite"
_CIPHERTEXT = "(of the new ciphertext)"


@dataclass(frozen=True)
class Change:
    """A file that is new, different or no longer wanted (`after` is None). Paths are relative to the root of the checkout."""

    path: str
    before: bytes | None
    after: Document | None


@dataclass(frozen=True)
class Comparison:
    """What a run would do, or why it may not."""

    problems: Sequence[Problem] = ()
    changes: Sequence[Change] = ()
    # Wanted files that stay as they are, with their bytes.
    kept: Sequence[tuple[Document, bytes]] = ()
    before: Record = field(default_factory=Record)
    # The tree's own record, and whether it changes too.
    record_path: str = ""
    record_changes: bool = False

    @property
    def changed(self) -> bool:
        return bool(self.changes) or self.record_changes

    @property
    def ends(self) -> bool:
        """Whether no file of the tree stays."""
        return not self.kept and not any(change.after for change in self.changes)

    @property
    def written(self) -> list[str]:
        """Paths of files, that of the record last."""
        found = [change.path for change in self.changes if change.after]
        return [*found, self.record_path] if self.record_changes and not self.ends else found

    @property
    def removed(self) -> list[str]:
        found = [change.path for change in self.changes if not change.after]
        return [*found, self.record_path] if self.record_changes and self.ends else found


class Tree:
    """The files of `instance` below `path`, in a checkout."""

    def __init__(
        self,
        checkout: Checkout,
        path: str,
        instance: str,
        cipher: Cipher,
        key: bytes,
        overwrite: Collection[str] = (),
    ) -> None:
        self._checkout = checkout
        self._path = os.path.normpath(path)
        self._instance = instance
        self._cipher = cipher
        self._key = key
        self._overwrite = frozenset(overwrite)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Meanwhile no other run writes into the checkout."""
        with contextlib.ExitStack() as stack:
            # Not every file system knows locks, and what else is wrong is told by who writes.
            with contextlib.suppress(OSError):
                handle = os.open(self._checkout.directory, os.O_RDONLY)
                stack.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def compare(
        self,
        documents: Sequence[Document],
        new_secrets: Sequence[str] = (),
        moved_stores: Collection[str] = (),
        existing_secrets: Collection[str] = (),
    ) -> Comparison:
        """What differs from `documents`, all files of the tree; without any, the whole tree goes.

        new_secrets: keys drawn in this run, which the tree's own would be lost to. moved_stores: those whose data was moved to
        where the documents have them. existing_secrets: names of those that somebody else keeps.
        """
        for document in documents:
            if not document.path.startswith(f"{self._path}/") or os.path.normpath(document.path) != document.path:
                raise ValueError(f"{document.path} is not below {self._path}")
            if document.sensitive and not all(set(FIELDS) & set(one) for one in document.object):
                # It would be written in plain.
                raise ValueError(f"{document.path} has no {' or '.join(FIELDS)} to encrypt")
        problems = self._checkout.unfit()
        # Where others keep all Secrets, nobody here encrypts.
        if any(one.sensitive for one in documents):
            problems += self._cipher.probe("the tree has secrets", must_open=False)
        if problems or (problems := self._links(documents)):
            return Comparison(problems)
        before = self._record()
        if before.instance not in ("", self._instance):
            return Comparison([Problem(PATH, f"is {self._path}, the tree of {before.instance}", "Write another one")])
        compared = self._compared(documents, before)
        last = LastCommit(self._checkout, self._path, self._instance, self._key)
        places, marks = self._places(documents, compared, last), keys.marks(self._key, documents)
        problems += keys.refusals(places, new_secrets, marks, self._cipher)
        problems += last.appliers(documents)
        problems += last.handed_over(documents, existing_secrets)
        lost = list(last.lost_data(documents, moved_stores))
        # Data stays where it is, and the tree with it.
        problems += (
            lost if any(one.variable == NAMESPACE for one in lost) else [*lost, *self._elsewhere(before, documents)]
        )
        problems += self._not_ours(compared, before)
        problems += self._unwritable(compared)
        if kept_out := self._checkout.ignored(
            [*(one.path for one in documents), *([self._record_path] if documents else [])]
        ):
            problems.append(
                Problem(
                    PATH,
                    f"has files that the .gitignore of the repository keeps out of every commit: {', '.join(kept_out)}",
                    "Except them there, or write another path",
                )
            )
        return Comparison(problems) if problems else compared

    def write(self, compared: Comparison) -> None:
        """Bring the tree to what was compared. Whenever it is cut off, the next run goes on from there."""
        contents = {one.path: self._content(one.after, one.before) for one in compared.changes if one.after}
        after = self._next_record(compared, contents)
        remove_leftovers(self._absolute(self._path))
        if compared.changed and not compared.ends:
            # From here on all files are known as ours, in the state before and in the one to come.
            self._put(self._record_path, compared.before.while_writing(after).text().encode())
        for change in compared.changes:
            if change.after:
                self._put(change.path, contents[change.path], int(change.after.mode, 8))
            else:
                self._take(change.path)
        if compared.ends:
            self._take(self._record_path)
        elif compared.changed:
            self._put(self._record_path, after.text().encode())

    def diff(self, compared: Comparison) -> list[dict[str, str]]:
        """What Git would show, with words in the place of secrets."""
        found = [self._difference(change) for change in compared.changes]
        return [*found, self._difference_of_record(compared)] if compared.record_changes else found

    # What there is

    def _record(self) -> Record:
        data = self._read(self._record_path)
        return records.read(data) if data is not None else Record()

    @property
    def _record_path(self) -> str:
        return f"{self._path}/{records.NAME}"

    def _absolute(self, path: str) -> Path:
        return self._checkout.directory / path

    def _read(self, path: str) -> bytes | None:
        try:
            return self._absolute(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _name(self, path: str) -> str:
        """The path as the record has it."""
        return path.removeprefix(f"{self._path}/")

    def _mark(self, path: str, data: bytes) -> str:
        return records.mark(self._key, self._name(path), data)

    def _compared(self, documents: Sequence[Document], before: Record) -> Comparison:
        changes, kept = list[Change](), list[tuple[Document, bytes]]()
        for document in documents:
            data = self._read(document.path)
            if data is not None and self._is_same(document, data, before):
                kept.append((document, data))
            else:
                changes.append(Change(document.path, data, document))
        wanted = {document.path for document in documents}
        for path in sorted(f"{self._path}/{name}" for name in before.files):
            if path not in wanted and (data := self._read(path)) is not None:
                changes.append(Change(path, data, None))
        compared = Comparison((), changes, kept, before, self._record_path)
        # A tree that is to go has a record to take away, if nothing else.
        known = self._foreseen(compared) != before if documents else bool(before.instance)
        return replace(compared, record_changes=known)

    def _foreseen(self, compared: Comparison) -> Record:
        """The next record, with words in the place of what SOPS has not made yet."""
        changes = [one.after for one in compared.changes if one.after]
        after = self._next_record(compared, {one.path: one.content().encode() for one in changes})
        names = [self._name(one.path) for one in changes if one.sensitive]
        hidden = {name: replace(after.files[name], written=(_CIPHERTEXT,)) for name in names}
        return replace(after, files={**after.files, **hidden})

    def _is_same(self, document: Document, data: bytes, before: Record) -> bool:
        if not document.sensitive:
            return data == document.content().encode()
        entry = before.files.get(self._name(document.path), Entry())
        known = self._mark(document.path, data) in entry.written
        return is_same(document, data, self._cipher, known and entry.content == self._secret_mark(document))

    def _secret_mark(self, document: Document) -> str:
        return self._mark(document.path, document.content().encode())

    def _next_record(self, compared: Comparison, contents: dict[str, bytes]) -> Record:
        files = list(compared.kept)
        files += [(change.after, contents[change.path]) for change in compared.changes if change.after]
        entries = {
            self._name(document.path): Entry(
                (self._mark(document.path, data),), self._secret_mark(document) if document.sensitive else ""
            )
            for document, data in files
        }
        return Record(self._instance, entries, keys.marks(self._key, (document for document, _data in files)))

    # What stands in the way

    def _links(self, documents: Sequence[Document]) -> list[Problem]:
        """Links and special files on the way to a file: through them something outside would be written, or read."""
        found = dict[str, str]()
        paths = [self._record_path, *(document.path for document in documents)]
        with contextlib.suppress(OSError):
            paths += (
                [f"{self._path}/{name}" for name in self._record().files] if not self._linked(self._record_path) else []
            )
        for path in paths:
            found |= self._linked(path)
        return [Problem(PATH, f"has {path}, {what}", "Move it away") for path, what in sorted(found.items())]

    def _linked(self, path: str) -> dict[str, str]:
        return obstacle(self._checkout.directory, path)

    def _places(self, documents: Sequence[Document], compared: Comparison, last: LastCommit) -> Iterator[Place]:
        """Where keys are that would be lost: in the tree that is there, and in the one that was committed last."""
        changes = [(one.before, one.after) for one in compared.changes if one.after and one.after.sensitive]
        yield Place(self._path, compared.before, changes)
        if documents:
            yield from last.places(documents, self._read)

    def _elsewhere(self, before: Record, documents: Sequence[Document]) -> Iterator[Problem]:
        """Of two trees each would prune what the other applies, and a Kustomization above both has every name twice."""
        if before.instance and not documents:
            # One of two goes.
            return
        paths = dict.fromkeys(self._checkout.named(records.NAME))
        for other in trees(paths, self._real, self._instance, self._key, self._path):
            wrong = f"is {self._path}, and {other} is the tree of this instance already"
            yield Problem(PATH, wrong, self._way_from(other, before))

    def _way_from(self, other: str, before: Record) -> str:
        stay = f"{PATH}: {other}"
        if before.instance:
            return f"Remove {other} if it is not the one that is applied, or write {stay}"
        if self._absolute(self._path).exists() or os.path.commonpath([other, self._path]) in (other, self._path):
            return f"Write {stay}"
        where, old, new = map(shlex.quote, (str(self._checkout.directory), other, self._path))
        move = f"git mv {old} {new}" if self._checkout.tracks(other) else f"mv {old} {new}"
        return f"Move it (cd {where} && mkdir -p {shlex.quote(os.path.dirname(self._path) or '.')} && {move}), or write {stay}"

    def _real(self, path: str) -> bytes | None:
        """The file, if no link is on the way to it."""
        return None if self._linked(path) else self._read(path)

    def _not_ours(self, compared: Comparison, before: Record) -> list[Problem]:
        uncommitted = self._checkout.uncommitted(self._path)
        foreign, edited = list[str](), list[str]()
        record = self._read(self._record_path)
        files = [(change.path, change.before) for change in compared.changes]
        if record is not None and not before.instance:
            files.append((self._record_path, record))
        for path, data in files:
            if data is None or path in self._overwrite:
                continue
            entry = before.files.get(self._name(path))
            if entry is None and not records.has_header(data):
                foreign.append(path)
            elif path in uncommitted and self._mark(path, data) not in (entry or Entry()).written:
                edited.append(path)
        found = (
            (foreign, "which somebody else made", "Move it away"),
            (edited, "which was changed by hand and not committed", "Commit it or set it back"),
        )
        return [
            Problem(PATH, f"has {', '.join(paths)}, {what}", f"{cure}, or name it in {OVERWRITE}")
            for paths, what, cure in found
            if paths
        ]

    def _unwritable(self, compared: Comparison) -> list[Problem]:
        paths = [*compared.written, *compared.removed, *([self._record_path] if compared.changed else [])]
        folders = {nearest(self._absolute(path)) for path in paths}
        return [
            Problem(PATH, f"is {self._path}, and {folder} cannot be written to", "Mend its rights, or run as who may")
            for folder in sorted(folders)
            if not os.access(folder, os.W_OK | os.X_OK)
        ]

    # What is written

    def _content(self, document: Document, before: bytes | None) -> bytes:
        return encrypted(document, before, self._cipher) if document.sensitive else document.content().encode()

    def _put(self, path: str, content: bytes, mode: int = 0o644) -> None:
        put(self._absolute(path), content, mode)

    def _take(self, path: str) -> None:
        take(self._checkout.directory, path)

    def _difference(self, change: Change) -> dict[str, str]:
        sensitive = change.path.endswith(ENCRYPTED) or (change.after is not None and change.after.sensitive)
        if sensitive:
            before, after = redacted(change.before, change.after, self._cipher)
        else:
            before = (change.before or b"").decode("utf-8", "replace")
            after = change.after.content() if change.after else ""
        return _told(
            change.path, before if change.before is not None else None, after if change.after is not None else None
        )

    def _difference_of_record(self, compared: Comparison) -> dict[str, str]:
        """Its fingerprints are keyed, so they are no secrets."""
        before = self._read(self._record_path)
        return _told(
            self._record_path,
            before.decode("utf-8", "replace") if before is not None else None,
            None if compared.ends else self._foreseen(compared).text(),
        )


def _told(path: str, before: str | None, after: str | None) -> dict[str, str]:
    """A difference as Ansible takes it, with Git's words for what is not there."""
    return {
        "before_header": f"a/{path}" if before is not None else "/dev/null",
        "before": before or "",
        "after_header": f"b/{path}" if after is not None else "/dev/null",
        "after": after or "",
    }
