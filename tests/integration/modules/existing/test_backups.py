# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bucket of PostgreSQL's backups on SeaweedFS: who makes it, whose key is tried, and whose backups are in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.modules.existing.stores import OWN

Result = dict[str, Any]
pytestmark = pytest.mark.engine
FOLDER = "langfuse-postgresql"


@pytest.fixture
def bucket(run: Any, store: Result, names: str) -> Iterator[str]:
    yield f"{names}-backups"
    run("s3_bucket", buckets=[f"{names}-backups", f"{names}-events"], state="absent", force=True, **store)


@pytest.fixture
def asked(store: Result, names: str, bucket: str) -> Result:
    """An instance whose key may make buckets."""
    s3 = {
        "endpoint": store["endpoint_url"],
        "buckets": [f"{names}-events"],
        "backups": {"bucket": bucket, "folder": FOLDER},
    }
    return {"s3": s3, "s3_access_key": store["access_key"], "s3_secret_key": store["secret_key"]}


@pytest.fixture
def apart(run: Any, store: Result, names: str, bucket: str) -> Iterator[Result]:
    """A key for the bucket of backups and no other."""
    key = {"user_access_key": f"{names}key", "user_secret_key": OWN}
    assert run("s3_user", name=names, buckets=[bucket], **store, **key)["changed"]
    yield {"s3_backup_access_key": key["user_access_key"], "s3_backup_secret_key": OWN}
    run("s3_user", name=names, state="absent", **store)


def is_there(run: Any, store: Result, bucket: str) -> bool:
    return not run("s3_bucket", check=True, buckets=[bucket], **store)["changed"]


def test_it_is_made_with_the_key_of_the_instance(run: Any, asked: Result, store: Result, bucket: str) -> None:
    assert run("existing_stores", check=True, **asked)["changed"]
    assert not is_there(run, store, bucket)
    assert run("existing_stores", **asked)["changed"]
    assert is_there(run, store, bucket)
    assert not run("existing_stores", **asked)["changed"]


def test_an_administrator_makes_it_and_the_key_of_backups_is_tried(
    run: Any, asked: Result, apart: Result, store: Result, bucket: str
) -> None:
    admin = {"s3_admin_access_key": store["access_key"], "s3_admin_secret_key": store["secret_key"]}
    assert run("existing_stores", **asked, **apart, **admin)["changed"]
    assert is_there(run, store, bucket)
    assert not run("existing_stores", check=True, **asked, **apart, **admin)["changed"]
    wrong = {**apart, "s3_backup_access_key": "nobody"}
    for check in (True, False):
        refused = run("existing_stores", check=check, **asked, **wrong, **admin)
        assert refused.get("code") == "s3_wrong_keys", refused
        assert "With langfuse_backup_access_key: " in refused["msg"]


def test_with_a_key_of_its_own_alone_it_is_looked_at(
    run: Any, asked: Result, apart: Result, store: Result, bucket: str
) -> None:
    for check in (True, False):
        refused = run("existing_stores", check=check, **asked, **apart)
        assert (refused.get("code"), f"no bucket {bucket}" in refused["msg"]) == ("s3_bucket_missing", True), refused
    assert not is_there(run, store, bucket)
    run("s3_bucket", buckets=[bucket], **store)
    # That of the instance is made as always.
    assert run("existing_stores", **asked, **apart)["changed"]
    assert not run("existing_stores", **asked, **apart)["changed"]


def test_backups_of_another_are_not_written_to(run: Any, asked: Result, store: Result, bucket: str) -> None:
    import botocore.session

    assert run("existing_stores", **asked, unclaimed=["s3"])["changed"]
    client = botocore.session.get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=store["endpoint_url"],
        aws_access_key_id=store["access_key"],
        aws_secret_access_key=store["secret_key"],
    )
    client.put_object(Bucket=bucket, Key="team-b-postgresql/base/data.tar", Body=b"x")
    assert not run("existing_stores", check=True, **asked, unclaimed=["s3"])["changed"]
    client.put_object(Bucket=bucket, Key=f"{FOLDER}/base/data.tar", Body=b"x")
    refused = run("existing_stores", check=True, **asked, unclaimed=["s3"])
    assert (refused.get("code"), f"has backups in {bucket}/{FOLDER}" in refused["msg"]) == ("store_in_use", True)
    assert not run("existing_stores", check=True, **asked)["changed"]
