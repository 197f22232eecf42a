# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which buckets a key was proved on by writing, so that a run in which nothing changed writes to no store.

What is kept is readable by its owner only, as the files with the keys themselves are: a digest of store, bucket and key,
made with the secret half of the key. Another key, address or bucket is proved anew.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence

from ansible_collections.llmops.langfuse.plugins.module_utils import document_files, records


class Proofs:
    """Those of one key at one store; ``place`` is what tells the two from others. Without a directory nothing is kept."""

    def __init__(self, directory: str | None, place: Sequence[str | None], secret: str | None) -> None:
        self._directory = directory
        self._place = place
        self._secret = (secret or "").encode()
        self._kept = records.proofs(directory) if directory else ()
        self._buckets: list[str] = []

    def wanting(self, buckets: Sequence[str]) -> list[str]:
        """Those of the buckets that are to be proved by writing."""
        return [bucket for bucket in buckets if self._digest(bucket) not in self._kept]

    def proved(self, buckets: Sequence[str]) -> None:
        """Reading or writing has shown that the key is good on these; ``keep`` will write it down."""
        self._buckets += buckets

    def keep(self) -> None:
        """Write down what was proved in this run, and forget all else."""
        digests = tuple(sorted({self._digest(bucket) for bucket in self._buckets}))
        if self._directory and digests != self._kept:
            document = {"path": records.PROOFS, "mode": "0600"}
            document_files.Store(self._directory).write([document], {records.PROOFS: json.dumps(digests) + "\n"})

    def _digest(self, bucket: str) -> str:
        said = json.dumps([*self._place, bucket]).encode()
        return hmac.new(self._secret, said, hashlib.sha256).hexdigest()
