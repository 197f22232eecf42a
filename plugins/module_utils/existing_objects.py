# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The object store that an instance does not bring itself: its buckets, and what the keys may do in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import store_claims, store_proofs
from ansible_collections.llmops.langfuse.plugins.module_utils.asked_store import WAIT, Options, Store
from ansible_collections.llmops.langfuse.plugins.module_utils.blobs import check as blobs
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure, joined
from ansible_collections.llmops.langfuse.plugins.module_utils.s3 import buckets as s3_buckets
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.backups import Backups


def object_store(params: Options, ca_path: str | None, writes: bool) -> Store:
    """The application's buckets, and the one of backups."""
    given = params["s3"]
    if given["service"] != "s3":
        return _blobs(params, ca_path, writes)
    store = {
        "endpoint_url": given["endpoint"],
        "region": given["region"],
        "path_style": given["path_style"],
        "ca_path": ca_path,
        "wait": WAIT,
    }
    own = {**store, "access_key": params["s3_access_key"], "secret_key": params["s3_secret_key"]}
    backups = _backups(params, own)
    options = {
        **store,
        "access_key": params["s3_admin_access_key"] or params["s3_access_key"],
        "secret_key": params["s3_admin_secret_key"] or params["s3_secret_key"],
        "buckets": [*given["buckets"], *([backups.bucket] if backups and backups.made else [])],
        **{name: given[name] for name in ("settings", "media_bucket", "media_prefix")},
    }
    variable = f"langfuse_s3_{'admin_' if params['s3_admin_access_key'] else ''}access_key"
    place = ["s3", given["endpoint"], given["region"], params["s3_access_key"]]
    proofs = store_proofs.Proofs(params["directory"], place, params["s3_secret_key"])

    def ensure(asked: Options, check_mode: bool) -> dict[str, Any]:
        """The administrator makes, and what counts is what the application's own key may do: that is tried first."""
        with _with_key(variable):
            result = s3_buckets.ensure(asked, check_mode)
        missing = [row["name"] for row in result["buckets"] if check_mode and "create" in row["changes"]]
        failures = []
        for key, check in (("s3", application), ("backup" if params["s3_backup_access_key"] else "s3", of_backups)):
            try:
                with _with_key(f"langfuse_{key}_access_key"):
                    check(missing, not check_mode)
            except Failure as failure:
                failures.append(failure)
        if failures:
            raise joined(failures)
        return result

    def application(missing: Sequence[str], changed: bool) -> None:
        there = [name for name in given["buckets"] if name not in missing]
        # What may be written is proved by writing, once, and again after a change; a run does it before another store is changed.
        unproved = there if changed else proofs.wanting(there) if writes else []
        s3_buckets.accept(own, [name for name in given["buckets"] if name not in unproved])
        s3_buckets.prove(own, unproved)
        proofs.proved(there)

    def of_backups(missing: Sequence[str], changed: bool) -> None:
        if backups:
            backups.check(backups.bucket in missing, writes or changed)

    claim = store_claims.s3({**options, "buckets": given["buckets"]}, backups)
    return Store("s3", ensure, options, claim=claim, proofs=proofs)


def _backups(params: Options, own: Options) -> Backups | None:
    """``own``: options with the application's key, which backups use without one of their own."""
    if not params["s3"]["backups"]:
        return None
    apart = params["s3_backup_access_key"]
    key = {"access_key": apart, "secret_key": params["s3_backup_secret_key"]} if apart else {}
    return Backups(
        **params["s3"]["backups"], options={**own, **key}, made=bool(params["s3_admin_access_key"] or not apart)
    )


def _blobs(params: Options, ca_path: str | None, writes: bool) -> Store:
    """Azure or Google: looked at, and tried with the one credential that there is."""
    given = params["s3"]
    options = {
        **{name: given[name] for name in ("service", "endpoint", "buckets", "creates")},
        "access_key": params["s3_access_key"],
        "secret_key": params["s3_secret_key"],
        "credentials": params["gcs_credentials"],
        "ca_path": ca_path,
        "wait": WAIT,
    }
    place = [given["service"], given["endpoint"], params["s3_access_key"]]
    proofs = store_proofs.Proofs(params["directory"], place, params["gcs_credentials"] or params["s3_secret_key"])

    def ensure(asked: Options, _check_mode: bool) -> dict[str, Any]:
        result = blobs.ensure(asked, proofs.wanting(asked["buckets"]) if writes else [])
        proofs.proved(result["there"])
        return result

    claim = store_claims.objects(given["buckets"], lambda: blobs.opened(options))
    return Store("s3", ensure, options, claim=claim, proofs=proofs)


@contextlib.contextmanager
def _with_key(variable: str) -> Iterator[None]:
    """Say which of two keys was refused."""
    try:
        yield
    except Failure as failure:
        if failure.code in ("s3_wrong_keys", "s3_denied"):
            failure.message = f"With {variable}: {failure.message}"
        raise
