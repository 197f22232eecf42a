# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tree remembers of itself: whose it is, which files are ours, and as what they were written.

It lies in the tree and is committed with it. All fingerprints in it are keyed, because some are of secrets.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..documents.document import HEADER
from ..settings.secrets import fingerprint

NAME = ".langfuse.json"
# The header is the first line; SOPS may put a mark before it.
_HEAD = 512


@dataclass(frozen=True)
class Entry:
    """A file of ours: fingerprints of its bytes as written (two while a run is writing it), and of the secrets in it before encryption."""

    written: tuple[str, ...] = ()
    content: str = ""


@dataclass(frozen=True)
class Record:
    """`instance` is whose tree it is, empty where there is none; `files` are by their path below the tree, and `keys` fingerprints of
    what data cannot be read without."""

    instance: str = ""
    files: Mapping[str, Entry] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        content = {
            "about": HEADER,
            "instance": self.instance,
            **({"keys": dict(sorted(self.keys.items()))} if self.keys else {}),
            "files": {
                path: {"written": list(entry.written), **({"content": entry.content} if entry.content else {})}
                for path, entry in sorted(self.files.items())
            },
        }
        return json.dumps(content, indent=1) + "\n"

    def while_writing(self, after: Record) -> Record:
        """What the tree says while it becomes what `after` says: whatever is found then is ours."""
        paths = {**self.files, **after.files}
        files = {path: _both(self.files.get(path), after.files.get(path)) for path in paths}
        return Record(after.instance, files, {**self.keys, **after.keys})


def _both(before: Entry | None, after: Entry | None) -> Entry:
    entries = [entry for entry in (before, after) if entry]
    written = dict.fromkeys(one for entry in entries for one in entry.written)
    # Which of two contents a file has is not known any more.
    contents = {entry.content for entry in entries}
    return Entry(tuple(written), contents.pop() if len(contents) == 1 else "")


def read(data: bytes) -> Record:
    """What is no record, as after a merge gone wrong, says nothing."""
    try:
        content = json.loads(data.decode("utf-8", "replace"))
        files = {str(path): _entry(entry) for path, entry in dict(content["files"]).items()}
        keys = {str(name): str(value) for name, value in dict(content.get("keys", {})).items()}
        return Record(str(content["instance"]), files, keys)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Record()


def _entry(data: Mapping[str, Any]) -> Entry:
    written: Iterable[Any] = data["written"]
    return Entry(tuple(map(str, written)), str(data.get("content", "")))


def mark(key: bytes, path: str, data: bytes) -> str:
    """Fingerprint of what is in a file."""
    return fingerprint(key, b"file of a tree", path.encode(), data)


def has_header(data: bytes) -> bool:
    """Whether a file says of itself that it is ours."""
    return HEADER.encode() in data[:_HEAD]
