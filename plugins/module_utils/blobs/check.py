# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether Langfuse can use its buckets at Azure or Google. They are made by the services' own tools, so nothing is made here."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.blobs import azure, google
from ansible_collections.llmops.langfuse.plugins.module_utils.blobs.common import NO_OBJECT, Judgement, Service
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure, joined
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.client import wait_until_it_answers
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.errors import NO_ANSWER, StoreError, explain

Options = Mapping[str, Any]
# Seconds by which a clock may be off: the services refuse signed addresses beyond; a refused login is told with less.
_SKEW, _SUSPECT = 15 * 60, 60
# What is wrong with one bucket, and may be right with the next.
_OF_A_BUCKET = ("s3_denied", "s3_bucket_missing", "s3_bad_request")


def opened(options: Options) -> Service:
    """``service`` (azure, gcs), ``endpoint``, ``access_key`` and ``secret_key`` (azure), ``credentials`` (gcs), ``ca_path``."""
    if options["service"] == "azure":
        keys = options["access_key"] or "", options["secret_key"] or ""
        return azure.Account(options["endpoint"], *keys, options["ca_path"])
    return google.Account(options["endpoint"], options["credentials"], options["ca_path"])


def ensure(options: Options, write_to: list[str]) -> dict[str, Any]:
    """``{changed: False, notices, there}``, with the buckets that are there. Raises one Failure for all ``buckets``.

    Each is listed and read. An object is written and deleted in those of ``write_to``. With ``creates`` the application makes
    what is not there. ``wait`` is for how many seconds a service may not answer.
    """
    buckets: list[str] = options["buckets"]
    failures: list[Failure] = []
    there: list[str] = []
    try:
        service = opened(options)
    except StoreError as error:
        raise Failure(
            "bad_option", f"{options['endpoint']}: {error.message}.", "Correct langfuse_s3_endpoint."
        ) from None
    try:
        wait_until_it_answers(service, buckets[0], options["wait"])
    except StoreError as error:
        raise _failure(service, error, buckets[0]) from None
    for bucket in buckets:
        try:
            there += [bucket] if _look(service, bucket, options["creates"], bucket in write_to) else []
        except Failure as failure:
            failures.append(failure)
            if failure.code not in _OF_A_BUCKET:
                break
    if abs(service.skew) > _SKEW:
        failures.insert(0, _clock(service))
    if failures:
        raise joined(failures)
    missing = [bucket for bucket in buckets if bucket not in there]
    notices = [f"{service.label} has no container {bucket}; Langfuse makes it at its first use." for bucket in missing]
    return {"changed": False, "notices": [*notices, *service.hints()], "there": there}


def _look(service: Service, bucket: str, creates: bool, writes: bool) -> bool:
    """Whether the bucket is there. Raises Failure for what is wrong with it."""
    name = f".langfuse-probe/{secrets.token_hex(8)}"
    try:
        if service.look(bucket) is None:
            if creates:
                return False
            raise StoreError("ContainerNotFound", "", 404)
        _nothing_there(service, bucket, name)
    except StoreError as error:
        raise _failure(service, error, bucket) from None
    if writes:
        _prove(service, bucket, name)
    return True


def _nothing_there(service: Service, bucket: str, name: str) -> None:
    """Who may read is told that an object is missing."""
    try:
        service.read(bucket, name)
    except StoreError as error:
        if error.code != NO_OBJECT:
            raise


def _prove(service: Service, bucket: str, name: str) -> None:
    """Write, read and delete one object."""
    body = secrets.token_hex(16).encode()

    def write() -> None:
        service.write(bucket, name, body)

    def read() -> None:
        if service.read(bucket, name) != body:
            raise StoreError("different", "the object that was read is not the one that was written")

    def delete() -> None:
        service.delete(bucket, name)

    for step, action in (("write", write), ("read", read), ("delete", delete)):
        try:
            action()
        except StoreError as error:
            with contextlib.suppress(StoreError):
                delete()
            failure = _failure(service, error, bucket)
            failure.message = f"The probe of bucket {bucket} failed at {step}: {failure.message}"
            raise failure from None


def _failure(service: Service, error: StoreError, bucket: str) -> Failure:
    judged = _unanswered(service, error) or service.explain(error, bucket)
    if judged is None:
        return explain(error, service.label, bucket)
    if judged.code == "s3_wrong_keys" and abs(service.skew) > _SUSPECT:
        return _clock(service)
    said = f"{service.label} said {error.code} ({error.message.strip().rstrip('.')}) for bucket {bucket}."
    return Failure(judged.code, judged.message or said, judged.cure, store_code=error.code, bucket=bucket)


def _unanswered(service: Service, error: StoreError) -> Judgement | None:
    if error.code in NO_ANSWER:
        return Judgement("s3_down", f"{service.label} does not answer: {error.message}.", service.reach)
    if error.code == http_client.TLS:
        cure = "Write the authority of its certificate in langfuse_ca_certificates, or correct langfuse_s3_endpoint."
        return Judgement("s3_tls", f"TLS with {service.label} failed: {error.message}.", cure)
    return None


def _clock(service: Service) -> Failure:
    ahead = "ahead of" if service.skew > 0 else "behind"
    return Failure(
        "s3_clock_skew",
        f"The clock of this host is {abs(service.skew):.0f} seconds {ahead} that of {service.label}, which refuses what is signed with it.",
        "Set the clock right (NTP), and that of the hosts of web and worker.",
    )
