# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""s3_user on SeaweedFS: check, run, again, change, remove; its key reaches its buckets and no other; and stores without IAM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.modules import s3_servers

Result = dict[str, Any]
pytestmark = pytest.mark.engine

THREE = ["user-events", "user-media", "user-exports"]
BACKUPS = "user-backups"
KEY = {"user_access_key": "appkey", "user_secret_key": "canary-app-secret-1"}
OTHER_SECRET = {"user_access_key": "appkey", "user_secret_key": "canary-app-secret-2"}
NEW_KEY = {"user_access_key": "appkey2", "user_secret_key": "canary-app-secret-3"}
PLANNED = ["create_user", "put_policy", "create_key"]


def writes(sent: list[str]) -> list[str]:
    return [request for request in sent if not request.startswith(("GET", "HEAD", "Get", "List"))]


def as_user(store: Result, key: Result) -> Result:
    return {**store, "access_key": key["user_access_key"], "secret_key": key["user_secret_key"]}


@pytest.fixture
def iam(store: Result) -> Any:
    """The store's IAM service, to do what others do to the user."""
    import botocore.session

    return botocore.session.get_session().create_client(
        "iam",
        region_name="us-east-1",
        endpoint_url=store["endpoint_url"],
        aws_access_key_id=store["access_key"],
        aws_secret_access_key=store["secret_key"],
    )


@pytest.fixture
def app(run: Any, store: Result) -> Iterator[Result]:
    """Options of the user, whose buckets and the one of backups exist. The user does not, before and after."""
    run("s3_bucket", buckets=[*THREE, BACKUPS], **store)
    wanted = {"name": "app", "buckets": THREE, **store, **KEY}
    yield wanted
    gone = run("s3_user", name="app", state="absent", **store)
    assert "failed" not in gone, gone


def test_check_run_again_prove_absent(run: Any, store: Result, app: Result, sent: list[str]) -> None:
    planned = run("s3_user", check=True, diff=True, **app)
    assert (planned["changed"], planned["changes"]) == (True, PLANNED)
    assert not writes(sent)
    done = run("s3_user", diff=True, **app)
    assert (done["changes"], done["diff"]) == (PLANNED, planned["diff"])
    for check in (True, False):
        sent.clear()
        again = run("s3_user", check=check, diff=True, **app)
        assert (again["changed"], again["changes"]) == (False, []), again
        assert again["diff"]["before"] == again["diff"]["after"]
        assert "ListAccessKeys" in sent
        assert not writes(sent)
    proved = run("s3_bucket", buckets=THREE, forbidden=[BACKUPS], probe=True, **as_user(store, KEY))
    assert not proved.get("failed"), proved
    assert all(step["ok"] for row in proved["buckets"] + proved["forbidden"] for step in row["probe"])
    gone = run("s3_user", check=True, name="app", state="absent", **store)
    assert gone["changes"] == ["drop_policy", "drop_key", "drop_user"]
    assert run("s3_user", name="app", state="absent", **store)["changes"] == gone["changes"]
    assert not run("s3_user", name="app", state="absent", **store)["changed"]
    assert run("s3_bucket", check=True, buckets=THREE, **as_user(store, KEY))["code"] == "s3_wrong_keys"


def test_a_bucket_less_is_a_bucket_less(run: Any, store: Result, app: Result) -> None:
    run("s3_user", **{**app, "buckets": [*THREE, BACKUPS]})
    wide = run("s3_bucket", buckets=THREE, forbidden=[BACKUPS], **as_user(store, KEY))
    assert wide["code"] == "s3_key_too_wide"
    assert run("s3_user", **app)["changes"] == ["put_policy"]
    assert not run("s3_bucket", buckets=THREE, forbidden=[BACKUPS], **as_user(store, KEY)).get("failed")


def test_what_others_gave_the_user_is_taken_away(
    run: Any, store: Result, app: Result, iam: Any, sent: list[str]
) -> None:
    """Policies of its own, managed ones and groups: each let the key reach the backups."""
    run("s3_user", **app)
    everything = json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
    })  # fmt: skip
    iam.put_user_policy(UserName="app", PolicyName="wide", PolicyDocument=everything)
    arn = iam.create_policy(PolicyName="wide-managed", PolicyDocument=everything)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="app", PolicyArn=arn)
    iam.create_group(GroupName="wide-group")
    iam.add_user_to_group(GroupName="wide-group", UserName="app")
    key = as_user(store, KEY)
    assert run("s3_bucket", buckets=THREE, forbidden=[BACKUPS], **key)["code"] == "s3_key_too_wide"
    mended = run("s3_user", **app)
    assert mended["changes"] == ["drop_policy", "detach_policy", "leave_group"]
    assert not run("s3_bucket", buckets=THREE, forbidden=[BACKUPS], **key).get("failed")
    sent.clear()
    assert not run("s3_user", **app)["changed"]
    assert not writes(sent)


def test_another_secret_and_another_key(run: Any, store: Result, app: Result) -> None:
    run("s3_user", **app)
    changed = {**app, **OTHER_SECRET}
    planned = run("s3_user", check=True, diff=True, **changed)
    assert planned["changes"] == ["drop_key", "create_key"]
    assert planned["diff"]["before"]["key"] == "another secret"
    assert run("s3_user", **changed)["changes"] == planned["changes"]
    assert not run("s3_user", **changed)["changed"]
    assert run("s3_bucket", check=True, buckets=THREE, **as_user(store, KEY))["code"] == "s3_wrong_keys"
    assert run("s3_user", **{**app, **NEW_KEY})["changes"] == ["create_key"]
    for key in (OTHER_SECRET, NEW_KEY):
        assert not run("s3_bucket", buckets=THREE, probe=True, **as_user(store, key)).get("failed"), (
            "both hold meanwhile"
        )
    assert run("s3_user", purge_keys=True, **{**app, **NEW_KEY})["changes"] == ["drop_key"]
    assert run("s3_bucket", check=True, buckets=THREE, **as_user(store, OTHER_SECRET))["code"] == "s3_wrong_keys"
    assert not run("s3_user", purge_keys=True, **{**app, **NEW_KEY})["changed"]


def test_a_key_of_another_user_is_not_taken(run: Any, store: Result, app: Result, sent: list[str]) -> None:
    run("s3_user", **app)
    sent.clear()
    for key in (KEY, OTHER_SECRET):
        refused = run("s3_user", **{**app, "name": "thief", **key})
        assert refused["code"] == "s3_key_taken", refused
    assert not writes(sent)


def test_who_may_not_make_users(run: Any, store: Result, app: Result) -> None:
    run("s3_user", **app)
    refused = run("s3_user", **{**as_user(app, KEY), "name": "another", **NEW_KEY})
    assert (refused["code"], refused["store_code"]) == ("s3_denied", "AccessDenied"), refused


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"access_key": "nobody"}, "s3_wrong_keys"),
        ({"secret_key": "canary-wrong"}, "s3_wrong_keys"),
        ({"buckets": ["user-*"]}, "bad_option"),
        ({"buckets": []}, "bad_option"),
        ({"endpoint_url": "localhost"}, "bad_option"),
        ({"endpoint_url": "http://no-such-host.invalid:1"}, "s3_down"),
    ],
)
def test_what_is_wrong_is_named(run: Any, store: Result, wrong: Result, code: str) -> None:
    result = run("s3_user", **{"name": "wrong", "buckets": THREE, "wait": 0, **store, **KEY, **wrong})
    assert result["code"] == code, result
    assert result["cure"] in result["msg"]


@pytest.mark.parametrize("start", [s3_servers.versitygw, pytest.param(s3_servers.minio, marks=pytest.mark.long)])
def test_a_store_without_an_iam_service(run: Any, tmp_path: Any, start: Any) -> None:
    with start(tmp_path) as server:
        result = run("s3_user", name="app", buckets=THREE, **KEY, **server.options)
    assert result["code"] == "s3_no_iam", result
    assert [len(statement["Resource"]) for statement in result["policy"]["Statement"]] == [3, 3]


def test_a_service_that_draws_keys_itself(run: Any, tmp_path: Any) -> None:
    """As AWS does. The key that it drew is not left behind."""
    with s3_servers.versitygw_iam(tmp_path) as endpoint:
        keys = {"access_key": "versityroot", "secret_key": "canary-versity-root-1"}
        wanted = {"name": "app", "buckets": THREE, "endpoint_url": endpoint, **keys, **KEY}
        for changes in (PLANNED, ["create_key"]):
            planned = run("s3_user", check=True, diff=True, **wanted)
            assert planned["changes"] == changes, planned
            assert planned["diff"]["before"].get("keys", 0) == 0
            assert run("s3_user", **wanted)["code"] == "s3_no_own_keys"
        assert run("s3_user", **{**wanted, "state": "absent"})["changes"] == ["drop_policy", "drop_user"]
