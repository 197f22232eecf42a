# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The object store: buckets with the application's own key, and media by presigned URLs as a browser uses them."""

from __future__ import annotations

import base64
import datetime
import hashlib
import secrets
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client, s3
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import uploads
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import (
    FAILED,
    OK,
    SKIPPED,
    WARNING,
    Context,
    Finding,
    Missing,
    missing_finding,
)

CONTENT_TYPE = "text/plain"


def origin(url: str) -> str:
    """Scheme, host and port, default ports left out."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    where = http_client.netloc((parts.hostname or "").lower(), parts.port or default or 0)
    return f"{parts.scheme}://{where.rpartition(':')[0] if parts.port in (None, default) else where}"


def browser_may(public_url: str, upload_url: str) -> bool:
    """Whether the application's frozen content-security policy lets its pages upload there (``connect-src``)."""
    target = urlsplit(upload_url)
    host = (target.hostname or "").lower()
    if origin(public_url) == origin(upload_url):
        return True
    if target.scheme == "http":
        return host == "localhost"
    return host.endswith((".amazonaws.com", ".blob.core.windows.net")) or host == "storage.googleapis.com"


def s3_write(ctx: Context) -> Finding:
    options = ctx.params["s3"]
    if not options:
        return Finding(SKIPPED, "no s3 options given")
    buckets: dict[str, str] = {role: name for role, name in (options["buckets"] or {}).items() if name}
    if not ctx.writes:
        return Finding(SKIPPED, "check mode writes nothing")
    where = s3.Where(
        options["endpoint"],
        options["region"],
        options["path_style"],
        ctx.params["s3_access_key"],
        ctx.params["s3_secret_key"],
        ctx.params["ca_bundle"],
        ctx.params["validate_certs"],
    )
    record = ctx.evidence["s3"] = []
    try:
        store = s3.Store(where, min(ctx.patience, 10.0))
    except ImportError:
        return missing_finding(Missing("botocore"))
    except s3.StoreError as error:
        failure = s3.explain(error, where.label, next(iter(buckets.values()), ""))
        record.append({"role": "all", "code": failure.code, "store_code": error.code, "cure": failure.cure})
        return Finding(FAILED, failure.message)
    for role, bucket in buckets.items():
        steps = s3.probe(store, bucket)
        last = steps[-1]
        row: dict[str, Any] = {"role": role, "bucket": bucket, "code": None, "step": last["step"]}
        record.append(row)
        if not last["ok"]:
            failure = s3.explain(s3.StoreError(last["store_code"], last["message"]), where.label, bucket)
            row.update(code=failure.code, store_code=last["store_code"], text=last["message"], cure=failure.cure)
            return Finding(FAILED, f"{role} bucket {bucket}, {last['step']}: {last['store_code']}")
    return Finding(OK, f"{', '.join(buckets)}: written, read, presigned, deleted")


def media(ctx: Context) -> Finding:
    """Ask Langfuse for an upload URL, try it with what must be refused, upload, download, compare."""
    if not ctx.params["secret_key"]:
        return Finding(SKIPPED, "no keys given")
    if not ctx.writes:
        return Finding(SKIPPED, "check mode writes nothing")
    record: dict[str, Any] = {"step": "register", "kind": None, "status": None, "text": ""}
    ctx.evidence["media"] = record
    try:
        return _media(ctx, record)
    except http_client.Unreachable as error:
        record.update(kind=error.kind, where=error.where, text=error.detail)
        return Finding(FAILED, f"{record['step']}: {error}")


def _media(ctx: Context, record: dict[str, Any]) -> Finding:
    body = f"langfuse verify {secrets.token_hex(16)}".encode()
    checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
    trace_id = ctx.evidence.get("trace", {}).get("trace_id") or secrets.token_hex(16)
    asked = {
        "traceId": trace_id,
        "contentType": CONTENT_TYPE,
        "contentLength": len(body),
        "sha256Hash": checksum,
        "field": "input",
    }
    answer = ctx.web().request("POST", "/api/public/media", asked, ctx.authorization, ctx.patience)
    made = answer.json() or {}
    if answer.status != 201 or not made.get("uploadUrl"):
        return _stop(record, "register", answer)
    upload = str(made["uploadUrl"])
    record.update(origin=origin(upload), own_origin=origin(upload) == origin(ctx.public_url))
    record["browser_may"] = browser_may(ctx.public_url, upload)
    page = origin(ctx.public_url)
    wanted = uploads.upload(upload, CONTENT_TYPE, checksum)
    store = ctx.client(origin(upload), {"Origin": page})
    try:
        if not record["own_origin"]:
            record["cors"] = _preflight(ctx, store, wanted, page)
        record["step"] = "forged upload"
        refused = store.request("PUT", wanted.forged_target, body, wanted.forged_headers, ctx.patience)
        if refused.status < 400:
            return _stop(record, "forged upload", refused, f"accepted an upload with {wanted.forgery}")
        record["step"] = "upload"
        put = store.request("PUT", wanted.target, body, wanted.headers, ctx.patience)
        if put.status not in (200, 201, 204):
            return _stop(record, "upload", put)
        record["step"] = "confirm"
        done = {"uploadedAt": _now(), "uploadHttpStatus": put.status, "uploadHttpError": None}
        path = f"/api/public/media/{made['mediaId']}"
        confirmed = ctx.web().request("PATCH", path, done, ctx.authorization, ctx.patience)
        if confirmed.status != 200:
            return _stop(record, "confirm", confirmed)
        record["step"] = "download"
        shown = ctx.web().request("GET", path, None, ctx.authorization, ctx.patience)
        link = str((shown.json() or {}).get("url") or "")
        if shown.status != 200 or not link:
            return _stop(record, "download", shown)
        fetched = store.request("GET", uploads.target(link), None, None, ctx.patience)
        if fetched.status != 200:
            return _stop(record, "download", fetched)
        if fetched.body != body:
            return _stop(record, "download", fetched, "the file came back different")
    finally:
        store.close()
    record.update(step=None, text="")
    if not record["browser_may"]:
        return Finding(WARNING, f"works, but browsers refuse {record['origin']} (content-security policy)")
    if record.get("cors") is False:
        return Finding(WARNING, f"works, but {record['origin']} does not allow uploads from {page} (CORS)")
    return Finding(OK, f"uploaded to and read from {record['origin']}; {wanted.forgery} was refused")


def _preflight(ctx: Context, store: http_client.Client, wanted: uploads.Upload, page: str) -> bool:
    """What a browser asks before it uploads to another origin."""
    asked = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": ",".join(wanted.asked),
    }
    answer = store.request("OPTIONS", wanted.target, None, asked, ctx.patience)
    return answer.status < 300 and answer.headers.get("access-control-allow-origin") in ("*", page)


def _stop(record: dict[str, Any], step: str, answer: http_client.Response, why: str = "") -> Finding:
    text = why or s3.xml_code(answer.text(900)) or answer.text(160)
    record.update(step=step, status=answer.status, text=text)
    return Finding(FAILED, f"{step}: {answer.status} {text}")


def _now() -> str:
    return datetime.datetime.now(tz=datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
