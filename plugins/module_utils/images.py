# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of a host: which are missing, and an archive that brings them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import compose
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

# Seconds. A slow disk takes minutes for the 2 GB of all images.
_LOAD_LIMIT = 1800


def missing(images: Sequence[str]) -> list[str]:
    """Those that the engine does not have."""
    return [image for image in images if compose.docker("image", "inspect", image)[0]]


def load(path: str, images: Sequence[str], dry: bool) -> dict[str, Any]:
    """Load the archive when one of `images` is missing. Raises Failure when one still is."""
    wanting = missing(images)
    if not wanting or dry:
        return dict(changed=bool(wanting), loaded=wanting)
    status, _output, errors = compose.docker("load", "--quiet", "--input", path, timeout=_LOAD_LIMIT)
    if status:
        raise Failure(
            "archive_unreadable",
            f"Docker cannot load the archive of images: {errors.strip() or 'no message'}.",
            "Make it again with llmops.langfuse.archive, and check that it was copied whole.",
        )
    left = missing(wanting)
    if left:
        raise Failure(
            "archive_incomplete",
            f"The archive of images lacks {', '.join(left)}.",
            "Make it again with llmops.langfuse.archive and the settings of this run.",
        )
    return dict(changed=True, loaded=wanting)
