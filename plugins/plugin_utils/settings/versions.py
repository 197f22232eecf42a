# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions as users write them: image tags that start with numbers, such as `17.6` or `4.16.0-alpine`."""

from __future__ import annotations

import re

_TAG = re.compile(r"v?(\d+(?:\.\d+)*)(?:-[0-9A-Za-z][0-9A-Za-z._-]*)?\Z")


def numbers(tag: str) -> tuple[int, ...] | None:
    """`"17.6-trixie"` → `(17, 6)`; None where the tag does not start with a version (`latest`, `stable-1`)."""
    match = _TAG.match(tag)
    return tuple(int(part) for part in match[1].split(".")) if match else None


def at_least(tag: str, *minimum: int) -> bool:
    """Whether the tag's version is `minimum` or newer. False where it has none."""
    found = numbers(tag)
    return found is not None and found >= minimum
