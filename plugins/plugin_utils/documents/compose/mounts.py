# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of a user as Compose takes them: places of the host, and text that is not to be interpolated."""

from __future__ import annotations

from typing import Any


def literal(text: str) -> str:
    """`text` in a Compose file, which would read a single `$` as the start of a variable."""
    return text.replace("$", "$$")


def bind(source: str, target: str, read_only: bool = False) -> dict[str, Any]:
    """A place of the host in a container.

    Docker makes no missing source: an empty folder of root in place of a disk that is not mounted
    would be a store that starts from nothing.
    """
    return {
        "type": "bind",
        "source": literal(source),
        "target": literal(target),
        **({"read_only": True} if read_only else {}),
        "bind": {"create_host_path": False},
    }
