# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A store: address, keys, and the few calls that are needed.

botocore, the client below boto3, is enough: boto3's transfer manager takes longer to import than all the requests.
It is imported when the first store is opened, so that modules that may run without it can say so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from ansible_collections.llmops.langfuse.plugins.module_utils.s3.errors import StoreError, kind_of, passing


class Where(NamedTuple):
    """Address and keys of a store. Without ``endpoint`` it is AWS; without keys, botocore finds them (role, profile)."""

    endpoint: str | None
    region: str
    path_style: bool
    access_key: str | None
    secret_key: str | None
    ca_path: str | None = None
    validate_certs: bool = True

    @property
    def label(self) -> str:
        return self.endpoint or f"AWS S3 in {self.region}"


class Client:
    """One service of a store, each call raising StoreError only."""

    def __init__(self, where: Where, service: str = "s3", timeout: float = 10.0) -> None:
        import botocore.config  # pylint: disable=import-outside-toplevel
        import botocore.exceptions  # pylint: disable=import-outside-toplevel
        import botocore.session  # pylint: disable=import-outside-toplevel

        options: dict[str, Any] = {
            "signature_version": "s3v4" if service == "s3" else "v4",
            "s3": {"addressing_style": "path" if where.path_style else "virtual"},
            "connect_timeout": min(3.0, timeout),
            "read_timeout": timeout,
            "retries": {"total_max_attempts": 1},
            "proxies": {},
            # Stores of one's own take shorter keys than botocore's model of AWS does.
            "parameter_validation": service == "s3",
        }
        try:
            config = botocore.config.Config(
                request_checksum_calculation="when_required", response_checksum_validation="when_required", **options
            )
        except TypeError:  # botocore before 1.36 adds no checksums of its own
            config = botocore.config.Config(**options)
        self.where = where
        self.label = where.label
        verify: Any = (where.ca_path or True) if where.validate_certs else False
        try:
            self._client: Any = botocore.session.get_session().create_client(
                service,
                region_name=where.region,
                endpoint_url=where.endpoint,
                config=config,
                verify=verify,
                aws_access_key_id=where.access_key or None,
                aws_secret_access_key=where.secret_key or None,
            )
        except botocore.exceptions.BotoCoreError as error:
            raise StoreError(kind_of(error), str(error)) from None

    def call(self, operation: str, **arguments: Any) -> Any:
        import botocore.exceptions as errors  # pylint: disable=import-outside-toplevel

        try:
            return getattr(self._client, operation)(**arguments)
        except errors.ClientError as error:
            answer: Any = error.response
            # An error of the IAM service can lack the element that botocore reads.
            about = answer.get("Error") or answer
            status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            raise StoreError(str(about.get("Code", status)), str(about.get("Message", "")), status) from None
        except (errors.BotoCoreError, ValueError, OSError) as error:
            raise StoreError(kind_of(error), str(error)) from None


class Store(Client):
    """Buckets and objects."""

    def __init__(self, where: Where, timeout: float = 10.0) -> None:
        super().__init__(where, "s3", timeout)

    def presign(self, operation: str, **arguments: Any) -> str:
        """An address with a signature of the keys in use, also where those come from a role."""
        url: str = self.call("generate_presigned_url", ClientMethod=operation, Params=arguments, ExpiresIn=300)
        return url

    def look(self, bucket: str, prefix: str = "") -> bool | None:
        """None: no such bucket. True: it holds objects (of this prefix). False: it is empty.

        A list instead of HeadBucket: an error of a HEAD has no body and so no error code.
        """
        try:
            if self.call("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount", 0):
                return True
        except StoreError as error:
            if error.code == "NoSuchBucket":
                return None
            raise
        return False

    def create(self, bucket: str) -> bool:
        """False: the account had it already."""
        arguments: dict[str, Any] = {"Bucket": bucket}
        if self.where.region not in ("", "us-east-1", "auto"):
            arguments["CreateBucketConfiguration"] = {"LocationConstraint": self.where.region}
        try:
            self.call("create_bucket", **arguments)
        except StoreError as error:
            if error.code != "BucketAlreadyOwnedByYou":
                raise
            return False
        return True

    def holds_versions(self, bucket: str) -> bool:
        """Whether old versions or marks of deleted objects are left. A store without versions has none."""
        try:
            page = self.call("list_object_versions", Bucket=bucket, MaxKeys=1)
        except StoreError as error:
            if error.unsupported:
                return False
            raise
        return bool(page.get("Versions") or page.get("DeleteMarkers"))

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


class Looks(Protocol):
    """Whatever can be asked for a bucket, and raises StoreError."""

    def look(self, bucket: str) -> bool | None:
        """None: no such bucket. True: it holds objects. False: it is empty."""


def wait_until_it_answers(
    store: Looks, bucket: str, seconds: float, sleep: Callable[[float], None] = time.sleep
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
