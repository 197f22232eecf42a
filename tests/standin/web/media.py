"""Media by presigned URLs (facts 6.9, 9): web only presigns, with the media group's own endpoint and keys."""

import base64
import binascii
import datetime as dt
import mimetypes
import re
from typing import Any

from aiohttp import web

from ..core.s3 import presign
from ..core.text import cuid, iso, parse_iso
from .answers import Answer, internal_error, invalid, issue_missing, json_body, not_found, reply
from .auth import project_caller
from .context import Context

_EXTENSIONS = {"text/plain": "txt", "image/jpeg": "jpg", "audio/mpeg": "mp3", "application/octet-stream": "bin"}
_UPLOAD_SECONDS = 3600


def media_id(sha256: str) -> str:
    """The first 22 url-safe characters of the base64 hash."""
    return sha256.replace("+", "-").replace("/", "_")[:22]


def extension(content_type: str) -> str:
    return _EXTENSIONS.get(content_type) or (mimetypes.guess_extension(content_type) or ".bin").lstrip(".")


def _check(context: Context, body: dict[str, Any]) -> None:
    wanted = (
        ("traceId", str, "string"),
        ("contentType", str, "string"),
        ("sha256Hash", str, "string"),
        ("field", str, "string"),
        ("contentLength", int, "number"),
    )
    missing = [issue_missing(name, text) for name, kind, text in wanted if not isinstance(body.get(name), kind)]
    if missing:
        raise invalid(*missing)
    try:
        good = len(base64.b64decode(body["sha256Hash"], validate=True)) == 32
    except binascii.Error:
        good = False
    if not good or not re.fullmatch(r"[\w.+-]+/[\w.+-]+", body["contentType"]):
        raise invalid({"code": "custom", "path": ["sha256Hash"], "message": "Invalid media upload request"})
    most = int(context.env.number("LANGFUSE_S3_MEDIA_MAX_CONTENT_LENGTH"))
    if body["contentLength"] > most:
        text = f"File size must be less than {most} bytes"
        raise Answer(400, {"message": text, "error": "InvalidRequestError"})


async def create(context: Context, request: web.BaseRequest) -> web.Response:
    caller = await project_caller(context, request)
    body = await json_body(request)
    _check(context, body)
    store = context.media
    if not store.bucket:
        return internal_error("S3 bucket for media uploads not configured")
    identity = media_id(body["sha256Hash"])
    path = f"{store.prefix}{caller.project_id}/{identity}.{extension(body['contentType'])}"
    row = await context.postgres.one(
        "INSERT INTO media (id, project_id, sha_256_hash, bucket_path, bucket_name, content_type, content_length) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (project_id, sha_256_hash) DO UPDATE SET updated_at = now() "
        "RETURNING id, upload_http_status",
        (
            identity,
            caller.project_id,
            body["sha256Hash"],
            path,
            store.bucket,
            body["contentType"],
            body["contentLength"],
        ),
    )
    if body.get("observationId"):
        await context.postgres.rows(
            "INSERT INTO observation_media (id, project_id, media_id, trace_id, observation_id, field) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (cuid(), caller.project_id, identity, body["traceId"], body["observationId"], body["field"]),
        )
    else:
        await context.postgres.rows(
            "INSERT INTO trace_media (id, project_id, media_id, trace_id, field) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT DO NOTHING",
            (cuid(), caller.project_id, identity, body["traceId"], body["field"]),
        )
    if row and row["upload_http_status"] == 200:
        return reply(201, {"uploadUrl": None, "mediaId": identity})
    signed = {
        "content-length": str(body["contentLength"]),
        "content-type": body["contentType"],
        "x-amz-checksum-sha256": body["sha256Hash"],
    }
    return reply(201, {"uploadUrl": presign(store, "PUT", path, _UPLOAD_SECONDS, signed), "mediaId": identity})


async def update(context: Context, request: web.BaseRequest) -> web.Response:
    caller = await project_caller(context, request)
    body = await json_body(request)
    if not isinstance(body.get("uploadHttpStatus"), int):
        raise invalid(issue_missing("uploadHttpStatus", "number"))
    try:
        at = parse_iso(str(body.get("uploadedAt")))
    except ValueError:
        raise invalid(issue_missing("uploadedAt", "date")) from None
    row = await context.postgres.one(
        "UPDATE media SET uploaded_at = %s, upload_http_status = %s, upload_http_error = %s, updated_at = now() "
        "WHERE id = %s AND project_id = %s RETURNING id",
        (
            at.replace(tzinfo=None),
            body["uploadHttpStatus"],
            body.get("uploadHttpError"),
            _identity(request),
            caller.project_id,
        ),
    )
    if row is None:
        raise not_found(f"Media asset {_identity(request)} not found in project {caller.project_id}")
    return reply(200, {"message": "OK"})


def _identity(request: web.BaseRequest) -> str:
    return request.path.rsplit("/", 1)[-1]


async def read(context: Context, request: web.BaseRequest) -> web.Response:
    caller = await project_caller(context, request)
    row = await context.postgres.one(
        "SELECT * FROM media WHERE id = %s AND project_id = %s", (_identity(request), caller.project_id)
    )
    if row is None:
        raise not_found("Media asset not found")
    if row["uploaded_at"] is None:
        raise not_found("Media not yet uploaded")
    seconds = int(context.env.number("LANGFUSE_S3_MEDIA_DOWNLOAD_URL_EXPIRY_SECONDS"))
    return reply(
        200,
        {
            "mediaId": row["id"],
            "contentType": row["content_type"],
            "contentLength": int(row["content_length"]),
            "uploadedAt": iso(row["uploaded_at"]),
            "url": presign(context.media, "GET", row["bucket_path"], seconds),
            "urlExpiry": iso(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)),
        },
    )
