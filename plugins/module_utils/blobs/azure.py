# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure Blob, with Azure's own library, which is imported when the first account is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.blobs.common import (
    BAD_CREDENTIALS,
    NO_OBJECT,
    Judgement,
    skew,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.errors import StoreError

# Old enough for whatever speaks Azure's language, and new enough for all that is asked.
_API = "2023-11-03"
_ACCOUNT, _KEY = "langfuse_s3_access_key", "langfuse_s3_secret_key"
_MISSING = ("ContainerNotFound", "ResourceNotFound")
_WRONG_KEY = ("AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation", BAD_CREDENTIALS)
_BAD_NAME = ("InvalidResourceName", "OutOfRangeInput", "InvalidUri", "InvalidInput")
_NOT_READY = ("ServerBusy", "InternalError", "OperationTimedOut", "ContainerBeingDeleted")
_DENIED = {
    "AuthorizationFailure": (
        "Let this host and the containers through the firewall of the account (Networking: public access, networks, endpoints); "
        f"Azure's emulator says so of a wrong {_KEY}, too."
    ),
    "KeyBasedAuthenticationNotPermitted": (
        "Allow account keys in the account's configuration (allowSharedKeyAccess): Langfuse signs in with nothing else."
    ),
    "AccountIsDisabled": "Enable the storage account.",
}
# Part of what the libraries below say of a request that got no answer → its kind.
_KINDS = (
    ("Errno -", http_client.NAME),
    ("SSL", http_client.TLS),
    ("CERTIFICATE", http_client.TLS),
    ("imeout", http_client.TIMEOUT),
    ("timed out", http_client.TIMEOUT),
    ("refused", http_client.REFUSED),
    ("unreachable", http_client.UNREACHABLE),
)


class Account:
    """One storage account, by its name and one of its keys. ``endpoint`` is what Langfuse gets too."""

    def __init__(self, endpoint: str, name: str, key: str, ca_path: str | None) -> None:
        from azure.storage.blob import BlobServiceClient  # pylint: disable=import-outside-toplevel

        self.label = f"Azure Blob at {endpoint}"
        self.reach = "Correct langfuse_s3_endpoint; it must be reachable from this host and from the containers."
        self.skew = 0.0
        options: dict[str, Any] = {"connection_timeout": 3, "read_timeout": 10, "retry_total": 0, "retry_connect": 0}
        try:
            self._service = BlobServiceClient(
                endpoint,
                credential={"account_name": name, "account_key": key},
                connection_verify=ca_path or True,
                # No proxy of the environment: the containers have none of it either.
                use_env_settings=False,
                raw_response_hook=self._answered,
                api_version=_API,
                **options,
            )
        except ValueError as error:
            raise StoreError("InvalidUri", str(error)) from None

    def look(self, bucket: str) -> bool | None:
        container = self._service.get_container_client(bucket)
        try:
            with _errors():
                return any(True for _blob in next(container.list_blobs(results_per_page=1).by_page(), ()))
        except StoreError as error:
            if error.code in _MISSING:
                return None
            raise

    def read(self, bucket: str, name: str) -> bytes:
        with _errors():
            content: bytes = self._service.get_blob_client(bucket, name).download_blob().readall()
            return content

    def write(self, bucket: str, name: str, body: bytes) -> None:
        with _errors():
            self._service.get_blob_client(bucket, name).upload_blob(body, overwrite=True)

    def delete(self, bucket: str, name: str) -> None:
        with _errors():
            self._service.get_blob_client(bucket, name).delete_blob()

    def hints(self) -> list[str]:
        return []

    def explain(self, error: StoreError, bucket: str) -> Judgement | None:
        if error.code in _MISSING:
            cure = f"Create it in the account that {_ACCOUNT} names: az storage container create --name {bucket}."
            return Judgement("s3_bucket_missing", f"{self.label} has no container {bucket}.", cure)
        if error.code in _WRONG_KEY:
            cure = f"Correct {_ACCOUNT} (the account's name) and {_KEY} (one of its keys), or the account in langfuse_s3_endpoint."
            return Judgement("s3_wrong_keys", "", cure)
        if error.code in _DENIED:
            return Judgement("s3_denied", "", _DENIED[error.code])
        if error.status == 403:
            return Judgement("s3_denied", "", f"Give the key in {_KEY} the right, or take the account's own key.")
        if error.code in _BAD_NAME:
            cure = "Correct the container's name in langfuse_s3_…_bucket (3 to 63 of a-z, 0-9 and single '-') or langfuse_s3_endpoint."
            return Judgement("s3_bad_request", "", cure)
        if error.code in _NOT_READY or error.status >= 500:
            return Judgement("s3_not_ready", "", "Wait for the service, and run again.")
        return None

    def _answered(self, response: Any) -> None:
        self.skew = skew(response.http_response.headers.get("Date"))


@contextmanager
def _errors() -> Iterator[None]:
    """The library's exceptions as StoreError."""
    from azure.core import exceptions  # pylint: disable=import-outside-toplevel

    try:
        yield
    except exceptions.HttpResponseError as error:
        status = int(error.status_code or 0)
        told = getattr(error, "error_code", None)
        code = str(getattr(told, "value", told) or "")
        if status == 0:  # Nothing was sent: what is given as a key cannot sign.
            raise StoreError(BAD_CREDENTIALS, "the key of the account is not Base64") from None
        if code == "BlobNotFound":
            raise StoreError(NO_OBJECT, "no such object", status) from None
        raise StoreError(code or str(status), str(error.message).partition("\n")[0], status) from None
    except exceptions.AzureError as error:
        said = str(_innermost(error.inner_exception or error))
        raise StoreError(kind_of(said), said.partition("): ")[2] or said) from None


def _innermost(error: BaseException) -> BaseException:
    """What requests and urllib3 wrap several times."""
    below = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    return _innermost(below) if isinstance(below, Exception) else error


def kind_of(said: str) -> str:
    """One of the kinds of ``http_client`` for what the libraries below said. Pure."""
    return next((kind for part, kind in _KINDS if part in said), http_client.CLOSED)
