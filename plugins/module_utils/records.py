# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What successful steps leave in a project directory, so that the next run knows what it need not do again."""

from __future__ import annotations

import hashlib
import json
import os

PROJECT = "compose.yaml"
# What the last successful migration ran with. The stores have held data since.
MIGRATION = ".migration.json"
# Digest of the project that the stores were started from and prepared for.
STORES = ".stores.sha256"
# What the stores of others called themselves when they were last prepared.
IDENTITIES = ".identities.json"
# On which buckets the instance's key was proved by writing, as digests.
PROOFS = ".proofs.json"
# What the Python environment was made of; written after the libraries were installed.
PYTHON = os.path.join(".python", "requirements.txt")


def read(*parts: str) -> str:
    """Content of a file, "" without one that can be read."""
    try:
        with open(os.path.join(*parts), encoding="utf-8") as stream:
            return stream.read()
    except (OSError, UnicodeDecodeError):
        return ""


def migrated(directory: str) -> bool:
    """Whether a migration of this project has succeeded."""
    return os.path.exists(os.path.join(directory, MIGRATION))


def identities(directory: str) -> dict[str, list[str]]:
    """Store → what it called itself; nothing where that was not kept."""
    try:
        content = json.loads(read(directory, IDENTITIES))
    except ValueError:
        return {}
    return {name: list(words) for name, words in content.items()} if isinstance(content, dict) else {}


def proofs(directory: str) -> tuple[str, ...]:
    """Digests of what was proved, sorted; none where that was not kept."""
    try:
        content = json.loads(read(directory, PROOFS))
    except ValueError:
        return ()
    return tuple(sorted(map(str, content))) if isinstance(content, list) else ()


def digest(directory: str) -> str:
    """Of the project as it is written down; what mounted files hold is in its labels."""
    return hashlib.sha256(read(directory, PROJECT).encode()).hexdigest() + "\n"


def stores_started(directory: str) -> bool:
    """Whether the stores were started from the project as it is written down now. A run may have ended in between."""
    return read(directory, STORES) == digest(directory)
