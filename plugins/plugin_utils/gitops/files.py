# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a checkout: what is in the way of one, and how it is written and taken away."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

_TEMPORARY = ".langfuse-new-"


def obstacle(root: Path, path: str) -> dict[str, str]:
    """What makes the file another one than its path says, path → words; nothing in the way is no entry."""
    parts = path.split("/")
    if ".." in parts or path.startswith("/"):
        return {path: "which is outside of it"}
    for number in range(1, len(parts) + 1):
        step = "/".join(parts[:number])
        try:
            mode = (root / step).lstat().st_mode
        except OSError:
            return {}
        if stat.S_ISLNK(mode):
            return {step: "a symbolic link, and nothing is written through one"}
        if number < len(parts) and not stat.S_ISDIR(mode):
            return {step: "which is no directory"}
        if number == len(parts) and not stat.S_ISREG(mode):
            return {step: "which is no file"}
    return {}


def nearest(target: Path) -> Path:
    """The folder of the file, or the one in which that is made."""
    folder = target.parent
    while not folder.exists():
        folder = folder.parent
    return folder


def put(target: Path, content: bytes, mode: int) -> None:
    """By a rename, so that a reader sees the old or the new one, never half."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=_TEMPORARY)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def take(root: Path, path: str) -> None:
    """With the folders that are empty then, and no one above the root."""
    target = root / path
    target.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        for folder in target.relative_to(root).parents[:-1]:
            (root / folder).rmdir()


def remove_leftovers(folder: Path) -> None:
    """Temporary files of a run that was killed."""
    for where, _folders, files in os.walk(folder):
        for name in files:
            if name.startswith(_TEMPORARY):
                Path(where, name).unlink(missing_ok=True)
