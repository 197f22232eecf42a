# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stores answer, as causes and cures. Pure."""

from __future__ import annotations

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

NO_ANSWER = (
    http_client.NAME,
    http_client.REFUSED,
    http_client.TIMEOUT,
    http_client.CLOSED,
    http_client.UNREACHABLE,
)
WRONG_KEYS = (
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
    "InvalidSecurity",
    "AuthorizationHeaderMalformed",
    "InvalidClientTokenId",
    "ExpiredToken",
    "InvalidToken",
)
NO_KEYS = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound")
SKEW = ("RequestTimeTooSkewed", "RequestExpired")
NOT_READY = ("ServiceUnavailable", "SlowDown", "InternalError", "ServerNotInitialized", "XMinioServerNotInitialized")
DENIED = ("AccessDenied", "Forbidden", "403", "AllAccessDisabled")
WRONG_PLACE = (
    "InvalidBucketName",
    "IllegalLocationConstraintException",
    "InvalidLocationConstraint",
    "PermanentRedirect",
    "301",
)
UNSUPPORTED = ("NotImplemented", "XNotImplemented", "MethodNotAllowed")
CONTENT = (
    "InvalidArgument",
    "InvalidRequest",
    "InvalidPolicyDocument",
    "InvalidTag",
    "MalformedPolicy",
    "MalformedPolicyDocument",
    "MalformedXML",
)


class StoreError(Exception):
    """What a store or the way to it said, without the library's own exception types.

    ``code`` is the store's error code, or one of the kinds of ``http_client`` where no answer came.
    """

    def __init__(self, code: str, message: str, status: int = 0) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status

    @property
    def unsupported(self) -> bool:
        return self.code in UNSUPPORTED or self.status in (405, 501)


def explain(error: StoreError, where: str, bucket: str, setting: str = "") -> Failure:
    """The cause and the cure of a store's error, at a setting of the bucket if one was read or written."""
    what = f"{setting} of bucket {bucket}" if setting else f"bucket {bucket}"
    said = f"{where} said {error.code} ({error.message.strip().rstrip('.')}) for {what}."
    code, message, cure = _judge(error, where, bucket, setting, said)
    failure = Failure(code, message, cure, store_code=error.code)
    if setting:
        failure.details["setting"] = setting
    return failure


def _judge(error: StoreError, where: str, bucket: str, setting: str, said: str) -> tuple[str, str, str]:
    if error.code in NO_ANSWER:
        cure = "Start the store, or correct the endpoint; it must be reachable from where this runs."
        return "s3_down", f"{where} does not answer: {error.message}.", cure
    if error.code == http_client.TLS:
        cure = "Name the CA of the store's certificate, or correct the scheme of the endpoint."
        return "s3_tls", f"TLS with {where} failed: {error.message}.", cure
    if error.code in NO_KEYS:
        cure = "Give the access key and the secret key, or run where a role, a profile or AWS_ACCESS_KEY_ID gives them."
        return "s3_no_keys", f"There are no keys for {where}: {error.message}.", cure
    if error.code in WRONG_PLACE or (error.code == "AuthorizationHeaderMalformed" and "region" in error.message):
        return "s3_bad_request", said, "Correct the name (3 to 63 of a-z, 0-9, '-') or the region."
    if error.code in WRONG_KEYS:
        cure = "Correct the access key and the secret key of the store; a proxy in front must keep the Host header."
        return "s3_wrong_keys", said, cure
    if error.code in SKEW:
        cure = "Set the clocks of this host and of the store right (NTP); S3 refuses requests more than 15 minutes off."
        return "s3_clock_skew", said, cure
    if error.code == "BucketAlreadyExists":
        cure = "Bucket names are global: choose another name, or use the keys of the account that owns it."
        return "s3_foreign_bucket", f"Bucket {bucket} belongs to another account.", cure
    if setting and error.unsupported:
        cure = f"Leave {setting} of this bucket out, and set it by the store's own means if it has any."
        return "s3_unsupported", f"{where} does not know {setting}. {said}", cure
    if error.code in DENIED:
        cure = (
            f"Use a key that may administer the bucket: it needs the rights to read and to write {setting}."
            if setting
            else "Give the key PutObject, GetObject, DeleteObject and ListBucket on it; or the bucket is another account's."
        )
        return "s3_denied", said, cure
    if error.code == "NoSuchBucket":
        return "s3_bucket_missing", f"{where} has no bucket {bucket}.", "Create it."
    if error.code in NOT_READY:
        return "s3_not_ready", said, "Wait for the store, and look at its log and its free disk space."
    if setting and error.code in CONTENT:
        cure = f"Correct {setting}, or leave out the part of it that this store does not take."
        return "s3_setting_refused", said, cure
    return "s3_error", said, "Look at the store's log; the code is its own."


def passing(error: StoreError) -> bool:
    """Whether waiting may help: nothing answers yet, or the store is still starting."""
    return error.code in (*NO_ANSWER, *NOT_READY)


def kind_of(error: BaseException) -> str:
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
