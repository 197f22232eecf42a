# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Langfuse does with its key, tried on a bucket; and what it must not be able to do, on another."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.client import Store
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.errors import DENIED, StoreError

CONTENT_TYPE = "text/plain"
ACCEPTED = "accepted"


def probe(store: Store, bucket: str, prefix: str = "") -> list[dict[str, Any]]:
    """List, write, read, presign and delete one object as Langfuse does. A list of steps; it ends with the first that failed.

    Each step is ``{step, ok, ms}`` and on failure ``{store_code, message}``. Web writes events and presigns, the worker
    reads, lists and deletes. The presigned PUT signs checksum and content type: another checksum must be refused.
    """
    key = f"{prefix}.langfuse-probe/{secrets.token_hex(8)}"
    body = secrets.token_hex(16).encode()
    upload = {"Bucket": bucket, "Key": key + ".media", "ContentType": CONTENT_TYPE}
    checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
    signed = {"Content-Type": CONTENT_TYPE, "x-amz-checksum-sha256": checksum}
    forged = {**signed, "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(b"other").digest()).decode()}

    def listing() -> None:
        # First, because some stores (SeaweedFS) create a missing bucket at the first write.
        store.call("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)

    def read() -> None:
        if store.call("get_object", Bucket=bucket, Key=key)["Body"].read() != body:
            raise StoreError("different", "the object that was read is not the one that was written")

    def presigned_put(headers: dict[str, str]) -> None:
        url = store.presign("put_object", ChecksumSHA256=checksum, **upload)
        _plain(store, "PUT", url, body, headers)

    def presigned_get() -> None:
        if _plain(store, "GET", store.presign("get_object", Bucket=bucket, Key=key + ".media"), None, {}) != body:
            raise StoreError("different", "the object behind the presigned URL is not the one that was uploaded")

    def refuse_forged() -> None:
        try:
            presigned_put(forged)
        except StoreError as error:
            if error.status in (400, 403):
                return
            raise
        raise StoreError(ACCEPTED, "an upload with another checksum than the signed one was accepted")

    def delete() -> None:
        for name in (key, key + ".media"):
            store.call("delete_object", Bucket=bucket, Key=name)

    return run_steps([
        ("list", listing),
        ("write", lambda: store.call("put_object", Bucket=bucket, Key=key, Body=body, ContentType=CONTENT_TYPE)),
        ("read", read),
        ("presigned_put", lambda: presigned_put(signed)),
        ("presigned_put_refused", refuse_forged),
        ("presigned_get", presigned_get),
        ("delete", delete),
    ])  # fmt: skip


def probe_refusal(store: Store, bucket: str) -> list[dict[str, Any]]:
    """List, read, write and delete in a bucket that the key must not reach: a step is ok when the store refused it.

    All steps are tried. A bucket that is not there proves nothing, so that is the one other error that ends it.
    """
    key = f".langfuse-probe/{secrets.token_hex(8)}"

    def refused(operation: str, allowed: tuple[str, ...] = (), **arguments: Any) -> Callable[[], None]:
        def action() -> None:
            try:
                store.call(operation, Bucket=bucket, **arguments)
            except StoreError as error:
                if error.code in DENIED:
                    return
                if error.code not in allowed:
                    raise
            raise StoreError(ACCEPTED, f"the key may {operation} in the bucket")

        return action

    steps = [
        ("list", refused("list_objects_v2", MaxKeys=1)),
        ("read", refused("get_object", ("NoSuchKey",), Key=key)),
        ("write", refused("put_object", Key=key, Body=b"")),
        ("delete", refused("delete_object", Key=key)),
    ]
    done: list[dict[str, Any]] = []
    for step in steps:
        done += run_steps([step])
        if done[-1].get("store_code", ACCEPTED) != ACCEPTED:
            break
    return done


def run_steps(steps: list[tuple[str, Callable[[], Any]]]) -> list[dict[str, Any]]:
    """Run until one raises StoreError, timing each."""
    done: list[dict[str, Any]] = []
    for name, action in steps:
        started = time.monotonic()
        row: dict[str, Any] = {"step": name, "ok": True}
        try:
            action()
        except StoreError as error:
            row.update(ok=False, store_code=error.code, message=error.message)
        row["ms"] = round((time.monotonic() - started) * 1000, 1)
        done.append(row)
        if not row["ok"]:
            break
    return done


def xml_code(text: str) -> str:
    """The error code of an S3 error document, "" without one."""
    return text.partition("<Code>")[2].partition("</Code>")[0]


def _plain(store: Store, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> bytes:
    """Use a presigned URL as a browser does: without any key."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}"
    origin = f"{parts.scheme}://{parts.netloc}"
    try:
        with contextlib.closing(
            http_client.Client(origin, ca_path=store.where.ca_path, validate_certs=store.where.validate_certs)
        ) as client:
            answer = client.request(method, target, body, headers)
    except http_client.Unreachable as error:
        raise StoreError(error.kind, str(error)) from None
    if answer.status not in (200, 204):
        text = answer.text(600)
        raise StoreError(xml_code(text) or str(answer.status), f"{method} of a presigned URL: {text}", answer.status)
    return answer.body
