# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""s3_bucket on a real store: check, run, run again, change, absent; and everything that can be wrong with a store."""

from __future__ import annotations

import time
from typing import Any

import pytest

Result = dict[str, Any]
pytestmark = pytest.mark.engine


def states(result: Result) -> list[tuple[str, bool]]:
    return [(row["name"], row["changed"]) for row in result["buckets"]]


def test_check_run_again_change_absent(run: Any, store: Result) -> None:
    wanted = {**store, "buckets": ["round-one", "round-two"]}
    planned = run("s3_bucket", check=True, diff=True, **wanted)
    assert states(planned) == [("round-one", True), ("round-two", True)]
    assert [(d["before"]["exists"], d["after"]["exists"]) for d in planned["diff"]] == [(False, True)] * 2
    again = run("s3_bucket", check=True, **wanted)
    assert again["changed"], "check mode must not have created anything"
    assert run("s3_bucket", **wanted)["changed"]
    second = run("s3_bucket", diff=True, **wanted)
    assert (second["changed"], second["diff"]) == (False, [])
    assert states(run("s3_bucket", **{**wanted, "buckets": ["round-one", "round-three"]})) == [
        ("round-one", False),
        ("round-three", True),
    ]
    gone = {**store, "buckets": ["round-one", "round-two", "round-three"], "state": "absent"}
    assert run("s3_bucket", check=True, **gone)["changed"]
    assert run("s3_bucket", **gone)["changed"]
    assert not run("s3_bucket", **gone)["changed"]


def test_versioning_is_changed_only_when_asked_for(run: Any, store: Result) -> None:
    bucket = {**store, "buckets": ["versions"]}
    run("s3_bucket", **bucket)
    assert run("s3_bucket", check=True, versioning=True, **bucket)["changed"]
    assert run("s3_bucket", versioning=True, **bucket)["changed"]
    assert not run("s3_bucket", versioning=True, **bucket)["changed"]
    assert not run("s3_bucket", **bucket)["changed"]
    assert run("s3_bucket", versioning=False, **bucket)["changed"]
    assert run("s3_bucket", state="absent", force=True, **bucket)["changed"]


def test_a_bucket_with_objects_is_kept_unless_forced(run: Any, store: Result) -> None:
    import boto3

    bucket = {**store, "buckets": ["full"], "state": "absent"}
    run("s3_bucket", **{**bucket, "state": "present"}, versioning=True)
    client = boto3.client(
        "s3",
        endpoint_url=store["endpoint_url"],
        aws_access_key_id=store["access_key"],
        aws_secret_access_key=store["secret_key"],
        region_name="us-east-1",
    )
    for _ in range(2):
        client.put_object(Bucket="full", Key="deep/a", Body=b"a")
    for check in (True, False):
        refused = run("s3_bucket", check=check, **bucket)
        assert (refused["failed"], refused["code"], refused["bucket"]) == (True, "s3_not_empty", "full")
    assert run("s3_bucket", force=True, **bucket)["changed"]
    assert not run("s3_bucket", force=True, **bucket)["changed"]


def test_the_probe_uses_the_key_as_langfuse_does_and_leaves_nothing(run: Any, store: Result) -> None:
    bucket = {**store, "buckets": ["probed"]}
    planned = run("s3_bucket", check=True, probe=True, **bucket)
    assert planned["buckets"][0]["probe"] == []
    result = run("s3_bucket", probe=True, **bucket)
    steps = result["buckets"][0]["probe"]
    assert [step["step"] for step in steps] == [
        "list",
        "write",
        "read",
        "presigned_put",
        "presigned_put_refused",
        "presigned_get",
        "delete",
    ]
    assert all(step["ok"] for step in steps), steps
    assert not run("s3_bucket", probe=True, **bucket)["changed"]
    assert run("s3_bucket", state="absent", **bucket)["changed"], "not empty: the probe left something"


@pytest.mark.parametrize(
    ("wrong", "code", "store_code"),
    [
        ({"secret_key": "canary-wrong-secret"}, "s3_wrong_keys", "SignatureDoesNotMatch"),
        ({"access_key": "nobody"}, "s3_wrong_keys", "InvalidAccessKeyId"),
        ({"buckets": ["Not_A_Bucket"]}, "s3_bad_request", "InvalidBucketName"),
        ({"endpoint_url": "http://no-such-host.invalid:8333"}, "s3_down", "name"),
        ({"endpoint_url": "localhost"}, "bad_option", None),
    ],
)
def test_what_is_wrong_is_named(run: Any, store: Result, wrong: Result, code: str, store_code: str) -> None:
    result = run("s3_bucket", **{**store, "buckets": ["wrong"], "wait": 0, **wrong})
    assert (result["failed"], result["code"], result.get("store_code")) == (True, code, store_code), result
    assert result["cure"] in result["msg"]


def test_an_address_where_nothing_listens_is_waited_for_and_no_longer(
    run: Any, store: Result, closed_port: str
) -> None:
    began = time.monotonic()
    result = run("s3_bucket", **{**store, "endpoint_url": f"http://{closed_port}", "buckets": ["a"], "wait": 2})
    assert (result["code"], result["store_code"]) == ("s3_down", "refused")
    assert 2 <= time.monotonic() - began < 30


def test_tls_where_the_store_speaks_none(run: Any, store: Result) -> None:
    endpoint = store["endpoint_url"].replace("http:", "https:")
    result = run("s3_bucket", **{**store, "endpoint_url": endpoint, "buckets": ["a"], "wait": 1})
    assert result["code"] == "s3_tls"
