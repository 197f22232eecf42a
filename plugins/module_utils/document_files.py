# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory of documents: compare, write atomically, remove what is no longer wanted."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MANIFEST = ".documents.json"
_ENV_LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)")


@dataclass(frozen=True)
class Change:
    """A document that is new or different. `before` is empty where the file was missing."""

    file: Mapping[str, Any]
    before: str
    after: str
    mode_before: str


class Store:
    """The documents of one directory."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def _path(self, relative: str) -> str:
        path = os.path.normpath(os.path.join(self.directory, relative))
        if not path.startswith(os.path.normpath(self.directory) + os.sep):
            raise ValueError(f"{relative} is not under {self.directory}")
        return path

    def compare(
        self, files: Sequence[Mapping[str, Any]], contents: Mapping[str, str]
    ) -> tuple[list[Change], list[str]]:
        """What differs from the wanted documents, and which earlier ones are no longer wanted."""
        changes = []
        for file in files:
            before, mode = _read(self._path(file["path"]))
            if before != contents[file["path"]] or mode != file["mode"]:
                changes.append(Change(file, before or "", contents[file["path"]], mode))
        wanted = {file["path"] for file in files}
        removed = [path for path in self._remembered() if path not in wanted and os.path.lexists(self._path(path))]
        return changes, removed

    def write(self, files: Sequence[Mapping[str, Any]], contents: Mapping[str, str]) -> None:
        """Write each file by a rename, so that a reader sees the old or the new one, never half."""
        for file in files:
            path = self._path(file["path"])
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                    stream.write(contents[file["path"]])
                    stream.flush()
                    os.fsync(stream.fileno())
                os.chmod(temporary, int(file["mode"], 8))
                os.replace(temporary, path)
            except BaseException:
                os.unlink(temporary)
                raise

    def remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            os.unlink(self._path(path))

    def _remembered(self) -> list[str]:
        text, _mode = _read(os.path.join(self.directory, MANIFEST))
        try:
            remembered = json.loads(text or "[]")
        except ValueError:
            return []
        return [path for path in remembered if isinstance(path, str)]

    def remember(self, paths: Sequence[str]) -> None:
        """Keep the list of documents, for the run that wants fewer."""
        if self._remembered() != list(paths):
            self.write([{"path": MANIFEST, "mode": "0644"}], {MANIFEST: json.dumps(list(paths))})


def _read(path: str) -> tuple[Any, str]:
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            return stream.read(), f"{os.fstat(stream.fileno()).st_mode & 0o7777:04o}"
    except (FileNotFoundError, NotADirectoryError):
        return None, ""


def _names(text: str) -> dict[str, str]:
    return {match[1]: match[2] for match in map(_ENV_LINE.fullmatch, text.splitlines()) if match}


def sensitive_summary(form: str, before: str, after: str) -> tuple[str, str]:
    """What may be told of a change in a sensitive document: names of variables, never values."""
    if form != "env":
        return "(hidden)\n", "(hidden, changed)\n"
    old, new = _names(before), _names(after)
    lines_before, lines_after = [], []
    for name in sorted(set(old) | set(new)):
        if old.get(name) != new.get(name):
            lines_before += [f"{name}=(hidden)\n"] if name in old else []
            lines_after += [f"{name}=(hidden, {'changed' if name in old else 'new'})\n"] if name in new else []
    return "".join(lines_before), "".join(lines_after)


def diff_text(path: str, change: Change) -> dict[str, str]:
    """A diff that Ansible can show; of a sensitive document only names."""
    before, after = change.before, change.after
    if change.file["sensitive"]:
        before, after = sensitive_summary(change.file["form"], before, after)
    if change.mode_before and change.mode_before != change.file["mode"]:
        before, after = f"mode: {change.mode_before}\n{before}", f"mode: {change.file['mode']}\n{after}"
    return {"before_header": path, "before": before, "after_header": path, "after": after}
