# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of somebody else's that is edited: read as it is, replaced as a whole, with its mode and owner kept."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile

from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


def read(path: str) -> str | None:
    """The text, or None where there is no file. Bytes that are not UTF-8 survive a later ``write``. Raises Failure."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failure(
            "file_unreadable", f"{path} cannot be read: {error.strerror}.", "Name a file that this user may read."
        ) from None


def check_writable(path: str) -> None:
    """Whether ``write`` could do it, so that a check says so too. Raises Failure."""
    directory = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(directory):
        raise Failure(
            "directory_missing", f"There is no directory {directory} for {path}.", "Correct the path, or make it first."
        )
    if not os.access(directory, os.W_OK | os.X_OK):
        raise Failure("file_unwritable", f"This user may not write into {directory}.", "Use become, or another path.")


def write(path: str, text: str) -> None:
    """Replace the file in one step. A new one is private and belongs to the owner of its directory. Raises Failure."""
    target = os.path.realpath(path)
    check_writable(target)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=os.path.dirname(target))
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _like_before(target, temporary)
        os.replace(temporary, target)
    except OSError as error:
        raise Failure(
            "file_unwritable",
            f"{path} cannot be written with its owner and mode kept: {error.strerror}.",
            "Run as its owner or as root; a file that is itself a mount cannot be replaced.",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def readable_by_others(path: str) -> bool:
    """Whether everybody on the machine may read it."""
    try:
        return bool(os.stat(path).st_mode & stat.S_IROTH)
    except OSError:
        return False


def _like_before(target: str, temporary: str) -> None:
    try:
        before = os.stat(target)
    except FileNotFoundError:
        owner = os.stat(os.path.dirname(target))
        if os.geteuid() == 0:
            os.chown(temporary, owner.st_uid, owner.st_gid)
        return
    if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(temporary, before.st_uid, before.st_gid)
    shutil.copystat(target, temporary)
    os.utime(temporary)
