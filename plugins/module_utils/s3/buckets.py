# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Buckets as they should be: look at all of them, refuse what is wrong, then change, then prove."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure, joined
from ansible_collections.llmops.langfuse.plugins.module_utils.s3 import settings
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.client import Store, Where, wait_until_it_answers
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.errors import DENIED, StoreError, explain
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.probe import ACCEPTED, probe, probe_refusal
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.settings import Form

_READ = {
    "versioning": "get_bucket_versioning",
    "cors": "get_bucket_cors",
    "lifecycle": "get_bucket_lifecycle_configuration",
    "policy": "get_bucket_policy",
    "tags": "get_bucket_tagging",
}
_NOT_SET = ("NoSuchCORSConfiguration", "NoSuchLifecycleConfiguration", "NoSuchBucketPolicy", "NoSuchTagSet")


class Seen(NamedTuple):
    """What was found: whether the bucket exists and holds something, and the forms of the settings that matter."""

    exists: bool
    holds_objects: bool = False
    forms: dict[str, Form] = {}  # noqa: RUF012


class Change(NamedTuple):
    """One step, and for a setting its call."""

    name: str
    operation: str = ""
    arguments: dict[str, Any] = {}  # noqa: RUF012


def unseen(wanted: Mapping[str, Form]) -> Seen:
    """What is found of a bucket that is not there: nothing is set on it."""
    return Seen(False, False, {name: settings.seen(name, {}) for name in wanted})


def plan(seen: Seen, state: str, wanted: Mapping[str, Form], force: bool, bucket: str = "") -> list[Change]:
    """What has to be done to a bucket. Raises Failure for one that must not be deleted. Pure."""
    if state == "absent":
        if not seen.exists:
            return []
        if seen.holds_objects and not force:
            raise Failure(
                "s3_not_empty",
                f"Bucket {bucket} holds objects or old versions of them and is not deleted.",
                "Move the objects away, or set force: true to delete them for good.",
            )
        return [Change("empty"), Change("delete")] if force else [Change("delete")]
    changes = [] if seen.exists else [Change("create")]
    for name, want in wanted.items():
        have = seen.forms[name]
        if not settings.same(name, want, have):
            changes.append(Change(name, *settings.request(name, want, have)))
    return changes


def per_bucket(params: Mapping[str, Any]) -> dict[str, dict[str, Form]]:
    """The wanted forms of every bucket. Raises one Failure with all that is wrong with the options. Pure."""
    names = params["buckets"]
    problems = [f"Bucket {name} is named twice." for name in dict.fromkeys(names) if names.count(name) > 1]
    own: dict[str, Mapping[str, Any]] = {}
    for entry in params.get("settings") or []:
        if entry["name"] not in names:
            problems.append(f"Settings are given for {entry['name']}, which is not in buckets.")
        if entry["name"] in own:
            problems.append(f"Settings are given for {entry['name']} twice.")
        own[entry["name"]] = entry
    problems += [
        f"Bucket {name} is in buckets and in forbidden." for name in params.get("forbidden") or [] if name in names
    ]
    media = settings.Media(params.get("media_bucket"), params.get("media_prefix") or "")
    found = {}
    for name in names:
        found[name], wrong = settings.wanted(_options(params, own.get(name, {})), name, media)
        problems += wrong
    if problems:
        raise Failure("bad_option", " ".join(dict.fromkeys(problems)), "Correct the options; nothing was changed.")
    return found


def _options(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The bucket's own settings before those of all; a setting given in short takes the place of the long one."""
    options = {}
    for name in settings.SETTINGS:
        forms = [name, *(short for short, stands_for in settings.SHORT.items() if stands_for == name)]
        source = own if any(own.get(form) is not None for form in forms) else shared
        options.update({form: source.get(form) for form in forms})
    return options


def ensure(
    params: Mapping[str, Any], check_mode: bool, done: Callable[[str, str], None] = lambda _bucket, _change: None
) -> dict[str, Any]:
    """The result of the module for these options. Raises Failure; one for all that is seen to be wrong before a change.

    ``done`` is told bucket and change of each step that was made (in check mode, would be), also before a failure.
    """
    where = _where(params)
    names, state, force = params["buckets"], params.get("state", "present"), params.get("force", False)
    wanted = per_bucket(params)
    run = _Run(where, check_mode)
    if names:
        run.open(names[0], params.get("wait", 30))
    seen, plans, failures = {}, {}, []
    for name in names:
        try:
            seen[name] = run.look(name, state, wanted[name])
            plans[name] = plan(seen[name], state, wanted[name], force, name)
        except Failure as failure:
            failure.details["bucket"] = name
            failures.append(failure)
            if failure.code not in ("s3_unsupported", "s3_not_empty", "s3_foreign_bucket", "s3_denied"):
                break
    if failures:
        raise joined(failures)
    rows = []
    for name in names:
        for change in plans[name]:
            if not check_mode:
                run.apply(name, change)
            done(name, change.name)
        rows.append(_row(name, state, seen[name], plans[name], wanted[name]))
    forbidden: list[dict[str, Any]] = []
    if state == "present" and not check_mode:
        if params.get("probe"):
            for row in rows:
                row["probe"] = run.prove(row["name"])
        forbidden = [run.prove_refusal(name) for name in params.get("forbidden") or []]
    diff = [{"before_header": row["name"], "after_header": row["name"], **row.pop("diff")} for row in rows]
    changed = [told for told, row in zip(diff, rows) if row["changed"]]
    return {"changed": bool(changed), "buckets": rows, "forbidden": forbidden, "diff": changed}


def accept(params: Mapping[str, Any], buckets: Sequence[str]) -> None:
    """Refuse a key that may not list and read in these buckets, or is none. Writes nothing.

    Of a bucket that is not there, only a key that the store does not know can be told.
    """
    _try_key(params, buckets, lambda run, bucket: run.read_only(bucket))


def prove(params: Mapping[str, Any], buckets: Sequence[str]) -> None:
    """Refuse a key that cannot be used as Langfuse does, with an object that is deleted again."""
    _try_key(params, buckets, lambda run, bucket: run.prove(bucket))


def _try_key(params: Mapping[str, Any], buckets: Sequence[str], try_it: Callable[[_Run, str], object]) -> None:
    """Raises one Failure for all buckets."""
    run, failures = _Run(_where(params), check_mode=True), []
    if buckets:
        run.open(buckets[0], params.get("wait", 30))
    for bucket in buckets:
        try:
            try_it(run, bucket)
        except Failure as failure:
            failures.append(failure)
            if failure.code != "s3_denied":
                break
    if failures:
        raise joined(failures)


def _where(params: Mapping[str, Any]) -> Where:
    return Where(
        params.get("endpoint_url"),
        params.get("region") or "us-east-1",
        params.get("path_style", True),
        params.get("access_key"),
        params.get("secret_key"),
        params.get("ca_path"),
        params.get("validate_certs", True),
    )


class _Run:
    """The store, with its errors as failures that name the bucket."""

    def __init__(self, where: Where, check_mode: bool) -> None:
        self._where = where
        self._check_mode = check_mode
        self._store: Store

    def open(self, bucket: str, seconds: float) -> None:
        try:
            self._store = Store(self._where)
            wait_until_it_answers(self._store, bucket, seconds)
        except StoreError as error:
            raise self._failure(error, bucket) from None
        except ValueError as error:
            raise Failure("bad_option", f"{self._where.label}: {error}.", "Correct endpoint_url.") from None

    def look(self, bucket: str, state: str, wanted: Mapping[str, Form]) -> Seen:
        try:
            holds = self._store.look(bucket)
            if holds is False and state == "absent":
                holds = self._store.holds_versions(bucket)
        except StoreError as error:
            if error.code not in DENIED or state == "absent" or self._check_mode:
                raise self._failure(error, bucket) from None
            self._claim(bucket, error)
            holds = None
        forms, unread = {}, []
        for name in wanted if state == "present" else ():
            try:
                forms[name] = self._read(bucket, name, wanted[name])
            except Failure as failure:
                unread.append(failure)
        if unread:
            raise joined(unread)
        return Seen(holds is not None, bool(holds), forms)

    def _claim(self, bucket: str, denied: StoreError) -> None:
        """A key that may not list cannot see whether the bucket is there, or whose it is. Creating it tells."""
        try:
            made = self._store.create(bucket)
        except StoreError as error:
            told = error if error.code == "BucketAlreadyExists" else denied
            raise self._failure(told, bucket) from None
        if not made:
            raise self._failure(denied, bucket)

    def _read(self, bucket: str, setting: str, want: Form) -> Form:
        try:
            return settings.seen(setting, self._store.call(_READ[setting], Bucket=bucket))
        except StoreError as error:
            # A store without the feature has nothing to take away.
            if error.code in (*_NOT_SET, "NoSuchBucket") or (error.unsupported and not want):
                return settings.seen(setting, {})
            raise self._failure(error, bucket, setting) from None

    def apply(self, bucket: str, change: Change) -> None:
        try:
            if change.name == "create":
                self._store.create(bucket)
            elif change.name == "empty":
                self._store.empty(bucket)
            elif change.name == "delete":
                self._store.call("delete_bucket", Bucket=bucket)
            else:
                self._store.call(change.operation, Bucket=bucket, **change.arguments)
        except StoreError as error:
            raise self._failure(error, bucket, change.name if change.operation else "") from None

    def prove(self, bucket: str) -> list[dict[str, Any]]:
        steps = probe(self._store, bucket)
        last = steps[-1]
        if not last["ok"]:
            failure = self._failure(StoreError(last["store_code"], last["message"]), bucket)
            failure.message = f"The probe of bucket {bucket} failed at {last['step']}: {failure.message}"
            failure.details.update(step=last["step"], probe=steps)
            raise failure
        return steps

    def read_only(self, bucket: str) -> None:
        """List and read; a bucket or an object that is not there is an answer."""
        key = f".langfuse-probe/{secrets.token_hex(8)}"
        for operation, arguments in (("list_objects_v2", {"MaxKeys": 1}), ("get_object", {"Key": key})):
            try:
                self._store.call(operation, Bucket=bucket, **arguments)
            except StoreError as error:
                if error.code not in ("NoSuchKey", "NoSuchBucket"):
                    raise self._failure(error, bucket) from None

    def prove_refusal(self, bucket: str) -> dict[str, Any]:
        steps = probe_refusal(self._store, bucket)
        wrong = [step for step in steps if not step["ok"]]
        allowed = [step["step"] for step in wrong if step["store_code"] == ACCEPTED]
        if allowed:
            raise Failure(
                "s3_key_too_wide",
                f"The key may {' and '.join(allowed)} in bucket {bucket}, which it must not reach.",
                "Take the bucket out of the key's policy; a wildcard as langfuse-* often covers more than was meant.",
                bucket=bucket,
                probe=steps,
            )
        for step in wrong:
            failure = self._failure(StoreError(step["store_code"], step["message"]), bucket)
            failure.message = f"Whether the key is refused on bucket {bucket} was not proved: {failure.message}"
            raise failure
        return {"name": bucket, "probe": steps}

    def _failure(self, error: StoreError, bucket: str, setting: str = "") -> Failure:
        failure = explain(error, self._where.label, bucket, setting)
        failure.details["bucket"] = bucket
        return failure


def _row(name: str, state: str, seen: Seen, changes: Sequence[Change], wanted: Mapping[str, Form]) -> dict[str, Any]:
    before: dict[str, Any] = {"exists": seen.exists}
    after: dict[str, Any] = {"exists": state == "present"}
    if state == "present":
        before.update(seen.forms)
        after.update(wanted)
    return {
        "name": name,
        "state": state,
        "changed": bool(changes),
        "changes": [change.name for change in changes],
        "versioning": wanted.get("versioning"),
        "probe": [],
        "diff": {"before": before, "after": after},
    }
