# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Google Cloud Storage by its JSON API. A service account's key signs by google-auth; a machine is known to its metadata server."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.blobs.common import (
    BAD_CREDENTIALS,
    NO_IDENTITY,
    NO_OBJECT,
    Judgement,
    skew,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.errors import StoreError

ENDPOINT = "https://storage.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
# Signs for an account that has no key of its own here; so do Google's libraries.
SIGNER = "https://iamcredentials.googleapis.com"
_MACHINE = "/computeMetadata/v1/instance/service-accounts/default"
_FLAVOR = {"Metadata-Flavor": "Google"}
_ROLE = "roles/storage.objectAdmin"
_SECONDS = 10.0


class Account:
    """A service account: by the JSON of its key, or without that the machine's own."""

    def __init__(self, endpoint: str | None, key: str | None, ca_path: str | None) -> None:
        self.label = "Google Cloud Storage"
        self.reach = (
            "Let this host and the containers reach storage.googleapis.com and oauth2.googleapis.com (port 443)."
        )
        self.skew = 0.0
        self._key = key
        self._ca_path = ca_path
        self._http = _client(endpoint or ENDPOINT, ca_path)
        self._token = ""

    def look(self, bucket: str) -> bool | None:
        try:
            answer = self._ask("GET", f"/storage/v1/b/{quote(bucket, safe='')}/o?maxResults=1&fields=items(name)")
        except StoreError as error:
            if error.status == 404:
                return None
            raise
        return bool((answer.json() or {}).get("items"))

    def read(self, bucket: str, name: str) -> bytes:
        return self._ask("GET", f"{_object(bucket, name)}?alt=media").body

    def write(self, bucket: str, name: str, body: bytes) -> None:
        path = f"/upload/storage/v1/b/{quote(bucket, safe='')}/o?uploadType=media&name={quote(name, safe='')}"
        self._ask("POST", path, body, {"Content-Type": "text/plain"})

    def delete(self, bucket: str, name: str) -> None:
        self._ask("DELETE", _object(bucket, name))

    def hints(self) -> list[str]:
        """A machine has no key to sign addresses of media with: it must be allowed to have that done."""
        if self._key:
            return []
        try:
            account = _of_machine("/email").text()
            path = f"/v1/projects/-/serviceAccounts/{quote(account, safe='@')}:signBlob"
            body = json.dumps({"payload": "bGFuZ2Z1c2U="}).encode()
            client = _client(SIGNER, self._ca_path)
            sent = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
            answer = _answer(client, "POST", path, body, sent)
            client.close()
        except StoreError as error:
            return [f"Whether media can be uploaded was not seen, because nothing was signed: {error.message}."]
        if answer.status < 300:
            return []
        return [
            f"Media cannot be uploaded: {account} may not sign addresses ({_said(answer).rstrip('.')}). Give it "
            "roles/iam.serviceAccountTokenCreator on itself and the machine the access scope cloud-platform, and enable "
            "iamcredentials.googleapis.com in the project."
        ]

    def explain(self, error: StoreError, bucket: str) -> Judgement | None:
        who = "the service account of langfuse_gcs_credentials" if self._key else "the machine's service account"
        if error.code == NO_IDENTITY:
            cure = "Give the machine a service account, or set langfuse_s3_use_role: false and write langfuse_gcs_credentials."
            return Judgement("s3_no_keys", f"The machine has no identity at Google: {error.message}.", cure)
        if error.code in ("invalid_grant", "invalid_client", BAD_CREDENTIALS) or error.status == 401:
            cure = (
                "Make a new key of the service account, and copy its JSON whole into langfuse_gcs_credentials."
                if self._key
                else "Look at the machine's service account and its access scopes (storage-rw, or cloud-platform)."
            )
            return Judgement("s3_wrong_keys", "", cure)
        if error.status == 404:
            cure = f"Create it: gcloud storage buckets create gs://{bucket}, and give {who} {_ROLE} on it."
            return Judgement("s3_bucket_missing", f"{self.label} has no bucket {bucket}.", cure)
        if error.status == 403:
            scopes = "" if self._key else " A machine needs the access scope storage-rw or cloud-platform too."
            return Judgement("s3_denied", "", f"Give {who} {_ROLE} on the bucket, or create it.{scopes}")
        if error.status == 429 or error.status >= 500:
            return Judgement("s3_not_ready", "", "Wait for the service, and run again.")
        if error.status == 400:
            return Judgement("s3_bad_request", "", "Correct the bucket's name in langfuse_s3_…_bucket.")
        return None

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> http_client.Response:
        if not self._token:
            self._token = self._of_key(self._key) if self._key else _token_of_machine()
        sent = {**(headers or {}), "Authorization": f"Bearer {self._token}"}
        answer = _answer(self._http, method, path, body, sent)
        self.skew = skew(answer.headers.get("date"))
        if answer.status < 300:
            return answer
        said = _said(answer)
        # An object's name is the last part of a path that lists nothing.
        if answer.status == 404 and "/o/" in path and "bucket does not exist" not in said:
            raise StoreError(NO_OBJECT, "no such object", answer.status)
        raise StoreError(str(answer.status), said, answer.status)

    def _of_key(self, key: str) -> str:
        """A token for the key, from the address that the key names."""
        from google.auth import exceptions  # pylint: disable=import-outside-toplevel
        from google.oauth2 import service_account  # pylint: disable=import-outside-toplevel

        made: Any = service_account.Credentials

        try:
            credentials = made.from_service_account_info(json.loads(key), scopes=[_SCOPE])
        except (ValueError, KeyError, TypeError, AttributeError):
            # What the library says of it may quote it.
            raise StoreError(BAD_CREDENTIALS, "the JSON has no key that can be read") from None
        try:
            credentials.refresh(self._transport)
        except exceptions.RefreshError as error:
            code, _colon, said = str(error.args[0]).partition(": ")
            raise StoreError(code, said or code) from None
        except exceptions.GoogleAuthError as error:
            raise StoreError(BAD_CREDENTIALS, str(error)) from None
        return str(credentials.token)

    def _transport(
        self, url: str, method: str = "GET", body: Any = None, headers: Any = None, timeout: Any = None, **_more: Any
    ) -> _Answered:
        """How google-auth sends a request: over the collection's own client, with its names, authorities and limits."""
        parts = urlsplit(url)
        client = _client(f"{parts.scheme}://{parts.netloc}", self._ca_path)
        sent = body.encode() if isinstance(body, str) else body
        answer = _answer(client, method, f"{parts.path}?{parts.query}".rstrip("?"), sent, headers or {})
        client.close()
        self.skew = skew(answer.headers.get("date"))
        return _Answered(answer)


class _Answered:
    """An answer in the form that google-auth reads."""

    def __init__(self, answer: http_client.Response) -> None:
        self.status, self.headers, self.data = answer.status, answer.headers, answer.body


def _of_machine(path: str) -> http_client.Response:
    """As Google's library in the containers asks: without a name to look up, so that it is soon known where there is none."""
    where = os.environ.get("GCE_METADATA_HOST") or "169.254.169.254"
    try:
        client = http_client.Client(f"http://{where}", timeout=3.0)
        answer = client.request("GET", _MACHINE + path, headers=_FLAVOR)
        client.close()
    except (http_client.Unreachable, ValueError):
        raise StoreError(NO_IDENTITY, f"no metadata server answers at {where}") from None
    if answer.status != 200:
        raise StoreError(NO_IDENTITY, f"the metadata server at {where} answers {answer.status} {answer.text(120)}")
    return answer


def _token_of_machine() -> str:
    answer = _of_machine("/token").json()
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not token:
        raise StoreError(NO_IDENTITY, "the metadata server gives no token")
    return str(token)


def _said(answer: http_client.Response) -> str:
    """The message of an error of Google's APIs."""
    content = answer.json()
    about = content.get("error") if isinstance(content, dict) else None
    return str(about.get("message")) if isinstance(about, dict) else answer.text(160)


def _object(bucket: str, name: str) -> str:
    return f"/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}"


def _client(url: str, ca_path: str | None) -> http_client.Client:
    try:
        return http_client.Client(url, timeout=_SECONDS, ca_path=ca_path)
    except ValueError as error:
        raise StoreError(BAD_CREDENTIALS, str(error)) from None


def _answer(
    client: http_client.Client, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
) -> http_client.Response:
    try:
        return client.request(method, path, body, headers)
    except http_client.Unreachable as error:
        raise StoreError(error.kind, str(error)) from None
