# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees of the same instance at other paths of a repository."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from . import record as records


def trees(
    paths: Iterable[str], read: Callable[[str], bytes | None], instance: str, key: bytes, but: str
) -> Iterator[str]:
    """Directories with a record that this instance's own key has made, so not those of its namesake in another cluster.

    paths: of records. but: a directory that is known already.
    """
    for path in paths:
        folder = os.path.dirname(path) or "."
        if folder != but and (data := read(path)) is not None:
            found = records.read(data)
            if found.instance == instance and any(
                (content := read(os.path.join(folder, name))) is not None
                and records.mark(key, name, content) in entry.written
                for name, entry in found.files.items()
            ):
                yield folder
