# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the host the containers of the application see."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

# Folder of the collection's own files in web, worker and migration.
OWN = "/etc/langfuse"
CA_FILE = f"{OWN}/certificates/ca.pem"
# What the collection or the container runtime mounts there itself.
TAKEN = (OWN, "/tmp", "/proc", "/sys", "/dev")  # noqa: S108 - a path in the container


@dataclass(frozen=True)
class Mount:
    """One entry of `langfuse_extra_volumes`."""

    source: str
    target: str
    read_only: bool


def parse(text: str) -> Mount | None:
    """`source:target`, with `:ro` or `:rw`; None where it has another form."""
    parts = text.split(":")
    if len(parts) == 2:
        parts.append("rw")
    if len(parts) != 3 or parts[2] not in ("ro", "rw"):
        return None
    source, target, mode = parts
    if not all(path.startswith("/") and posixpath.normpath(path) == path for path in (source, target)):
        return None
    return Mount(source, target, mode == "ro")


def taken(target: str) -> bool:
    """Whether a mount at `target` would cover, or lie in, what is mounted there already."""
    return any(_within(target, own) or _within(own, target) for own in TAKEN)


def _within(path: str, folder: str) -> bool:
    return posixpath.commonpath([path, folder]) == folder
