# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bucket of PostgreSQL's backups, in the store of the application's buckets, where it may have a key of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.s3 import buckets
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.client import Store, Where
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.errors import StoreError

_WHERE = ("endpoint_url", "region", "path_style", "access_key", "secret_key", "ca_path")


class Backups(NamedTuple):
    """``options`` are those of `s3_bucket` with the key that backups use. ``made``: whether somebody with more rights than that makes it."""

    bucket: str
    folder: str
    options: Mapping[str, Any]
    made: bool

    def check(self, made_later: bool, writes: bool) -> None:
        """Refuse a bucket that is not there, and a key that cannot be used as backups do. Raises Failure.

        ``made_later``: it is not there yet, which is no finding. ``writes``: prove it with an object that is deleted again.
        """
        if made_later:
            buckets.accept(self.options, [self.bucket])
            return
        # Some stores make a missing bucket at the first write.
        if not self.made and buckets.ensure({**self.options, "buckets": [self.bucket]}, True)["changed"]:
            raise Failure(
                "s3_bucket_missing",
                f"{self._label} has no bucket {self.bucket}, and it is not made with the keys of the backups.",
                "Have it made with rights for langfuse_backup_access_key, or write langfuse_s3_admin_access_key and "
                "langfuse_s3_admin_secret_key.",
                bucket=self.bucket,
            )
        (buckets.prove if writes else buckets.accept)(self.options, [self.bucket])

    def held(self) -> str:
        """What is there already where the first backup goes, "" for nothing that can be seen."""
        with contextlib.suppress(StoreError):
            if Store(self._where).look(self.bucket, f"{self.folder}/"):
                return f"{self._label} has backups in {self.bucket}/{self.folder}"
        return ""

    @property
    def _where(self) -> Where:
        return Where(*(self.options[name] for name in _WHERE))

    @property
    def _label(self) -> str:
        return self._where.label
