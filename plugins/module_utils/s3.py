# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Object storage: errors of stores as causes, buckets, and the probe that does what Langfuse does with its key.

botocore, the client below boto3, is enough: boto3's transfer manager takes longer to import than all the requests.
It is imported when the first store is opened, so that modules that may run without it can say so.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

WRONG_KEYS = ("SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidSecurity", "AuthorizationHeaderMalformed")
SKEW = ("RequestTimeTooSkewed", "RequestExpired")
NOT_READY = ("ServiceUnavailable", "SlowDown", "InternalError", "ServerNotInitialized", "XMinioServerNotInitialized")
CONTENT_TYPE = "text/plain"


class StoreError(Exception):
    """What a store or the way to it said, without the library's own exception types.

    ``code`` is the store's error code, or one of the kinds of ``http_client`` where no answer came.
    """

    def __init__(self, code: str, message: str, status: int = 0) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class Where(NamedTuple):
    """Address and keys of a store. Without ``endpoint`` it is AWS."""

    endpoint: str | None
    region: str
    path_style: bool
    access_key: str
    secret_key: str
    ca_path: str | None = None
    validate_certs: bool = True

    @property
    def label(self) -> str:
        return self.endpoint or f"AWS S3 in {self.region}"


def explain(error: StoreError, where: str, bucket: str) -> Failure:
    """The cause and the cure of a store's error. Pure."""
    said = f"{where} said {error.code} ({error.message}) for bucket {bucket}."
    if error.code in (
        http_client.NAME,
        http_client.REFUSED,
        http_client.TIMEOUT,
        http_client.CLOSED,
        http_client.UNREACHABLE,
    ):
        cure = "Start the store, or correct the endpoint; it must be reachable from where this runs."
        return Failure("s3_down", f"{where} does not answer: {error.message}.", cure, store_code=error.code)
    if error.code == http_client.TLS:
        cure = "Name the CA of the store's certificate, or correct the scheme of the endpoint."
        return Failure("s3_tls", f"TLS with {where} failed: {error.message}.", cure, store_code=error.code)
    if error.code in WRONG_KEYS:
        cure = "Correct the access key and the secret key of the store; a proxy in front must keep the Host header."
        return Failure("s3_wrong_keys", said, cure, store_code=error.code)
    if error.code in SKEW:
        cure = "Set the clocks of this host and of the store right (NTP); S3 refuses requests more than 15 minutes off."
        return Failure("s3_clock_skew", said, cure, store_code=error.code)
    if error.code == "BucketAlreadyExists":
        cure = "Bucket names are global: choose another name, or use the keys of the account that owns it."
        return Failure("s3_foreign_bucket", f"Bucket {bucket} belongs to another account.", cure, store_code=error.code)
    if error.code in ("AccessDenied", "Forbidden", "403", "AllAccessDisabled"):
        cure = (
            "Give the key PutObject, GetObject, DeleteObject and ListBucket on it; or the bucket is another account's."
        )
        return Failure("s3_denied", said, cure, store_code=error.code)
    if error.code == "NoSuchBucket":
        return Failure("s3_bucket_missing", f"{where} has no bucket {bucket}.", "Create it.", store_code=error.code)
    if error.code in ("InvalidBucketName", "IllegalLocationConstraintException", "InvalidLocationConstraint"):
        cure = "Correct the name (3 to 63 of a-z, 0-9, '-') or the region."
        return Failure("s3_bad_request", said, cure, store_code=error.code)
    if error.code in NOT_READY:
        cure = "Wait for the store, and look at its log and its free disk space."
        return Failure("s3_not_ready", said, cure, store_code=error.code)
    cure = "Look at the store's log; the code is its own."
    return Failure("s3_error", said, cure, store_code=error.code)


def passing(error: StoreError) -> bool:
    """Whether waiting may help: nothing answers yet, or the store is still starting."""
    return error.code in (
        http_client.REFUSED,
        http_client.TIMEOUT,
        http_client.CLOSED,
        http_client.NAME,
        http_client.UNREACHABLE,
        *NOT_READY,
    )


class Store:
    """The few calls that are needed, each raising StoreError only."""

    def __init__(self, where: Where, timeout: float = 10.0) -> None:
        import botocore.config  # pylint: disable=import-outside-toplevel
        import botocore.session  # pylint: disable=import-outside-toplevel

        options: dict[str, Any] = {
            "signature_version": "s3v4",
            "s3": {"addressing_style": "path" if where.path_style else "virtual"},
            "connect_timeout": min(3.0, timeout),
            "read_timeout": timeout,
            "retries": {"total_max_attempts": 1},
            "proxies": {},
        }
        try:
            config = botocore.config.Config(
                request_checksum_calculation="when_required", response_checksum_validation="when_required", **options
            )
        except TypeError:  # botocore before 1.36 adds no checksums of its own
            config = botocore.config.Config(**options)
        self.where = where
        verify: Any = (where.ca_path or True) if where.validate_certs else False
        self._client: Any = botocore.session.get_session().create_client(
            "s3",
            region_name=where.region,
            endpoint_url=where.endpoint,
            config=config,
            verify=verify,
            aws_access_key_id=where.access_key,
            aws_secret_access_key=where.secret_key,
        )

    def call(self, operation: str, **arguments: Any) -> Any:
        import botocore.exceptions as errors  # pylint: disable=import-outside-toplevel

        try:
            return getattr(self._client, operation)(**arguments)
        except errors.ClientError as error:
            about: Any = error.response.get("Error", {})
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            raise StoreError(str(about.get("Code", status)), str(about.get("Message", "")), status) from None
        except (errors.BotoCoreError, ValueError, OSError) as error:
            raise StoreError(_kind(error), str(error)) from None

    def presign(self, operation: str, **arguments: Any) -> str:
        url: str = self._client.generate_presigned_url(operation, Params=arguments, ExpiresIn=300)
        return url

    def look(self, bucket: str) -> bool | None:
        """None: no such bucket. True: it holds objects or versions. False: it is empty.

        A list instead of HeadBucket: an error of a HEAD has no body and so no error code.
        """
        try:
            if self.call("list_objects_v2", Bucket=bucket, MaxKeys=1).get("KeyCount", 0):
                return True
        except StoreError as error:
            if error.code == "NoSuchBucket":
                return None
            raise
        return False

    def create(self, bucket: str) -> None:
        arguments: dict[str, Any] = {"Bucket": bucket}
        if self.where.region not in ("", "us-east-1", "auto"):
            arguments["CreateBucketConfiguration"] = {"LocationConstraint": self.where.region}
        try:
            self.call("create_bucket", **arguments)
        except StoreError as error:
            if error.code != "BucketAlreadyOwnedByYou":
                raise

    def empty(self, bucket: str) -> None:
        """Delete every object and every version."""
        while True:
            page = self.call("list_object_versions", Bucket=bucket, MaxKeys=1000)
            rows = page.get("Versions", []) + page.get("DeleteMarkers", [])
            if not rows:
                rows = self.call("list_objects_v2", Bucket=bucket, MaxKeys=1000).get("Contents", [])
            if not rows:
                return
            for row in rows:
                version = {"VersionId": row["VersionId"]} if row.get("VersionId") else {}
                self.call("delete_object", Bucket=bucket, Key=row["Key"], **version)

    def versioning(self, bucket: str) -> bool:
        return bool(self.call("get_bucket_versioning", Bucket=bucket).get("Status") == "Enabled")

    def set_versioning(self, bucket: str, enabled: bool) -> None:
        status = {"Status": "Enabled" if enabled else "Suspended"}
        self.call("put_bucket_versioning", Bucket=bucket, VersioningConfiguration=status)


def wait_until_it_answers(
    store: Store, bucket: str, seconds: float, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Return when the store answers anything but "not yet", or raise the last StoreError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            store.look(bucket)
            return
        except StoreError as error:
            if not passing(error):
                return
            if time.monotonic() >= deadline:
                raise
        sleep(0.2)


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
        raise StoreError("accepted", "an upload with another checksum than the signed one was accepted")

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


def _kind(error: BaseException) -> str:
    """One of the kinds of ``http_client`` for an exception of botocore (named, so that no import is needed)."""
    name = type(error).__name__
    if "SSL" in name:
        return http_client.TLS
    if "Timeout" in name:
        return http_client.TIMEOUT
    if name == "EndpointConnectionError":
        below = repr(getattr(error, "kwargs", {}).get("error"))
        return http_client.NAME if "NameResolution" in below or "Errno -" in below else http_client.REFUSED
    if name in ("ConnectionClosedError", "ProxyConnectionError", "HTTPClientError"):
        return http_client.CLOSED
    return name
