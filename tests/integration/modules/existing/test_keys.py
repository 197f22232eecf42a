# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""New keys for old data, and keys of the object store that may not do what the instance does."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.config
import botocore.session
import pytest

from tests.integration.modules.existing.stores import OWN, users_of
from tests.integration.modules.postgresql_server import ADMIN
from tests.integration.modules.postgresql_server import Server as Postgres

Result = dict[str, Any]
pytestmark = pytest.mark.engine


def test_new_keys_for_a_database_that_cannot_be_looked_into(
    run: Any, only: Result, postgres: Postgres, names: str
) -> None:
    """Not knowing is no reason to draw new keys."""
    assert run("existing_stores", **only)["changed"]
    # May give the role another password, and may not connect to its database.
    postgres.sql(f"GRANT {names} TO {ADMIN['login_user']} WITH ADMIN OPTION, INHERIT FALSE, SET FALSE")
    other = {
        "postgres": {**only["postgres"], "admin_user": ADMIN["login_user"]},
        "postgres_password": f"{OWN}-new",
        "postgres_admin_password": ADMIN["login_password"],
    }
    refused = run("existing_stores", check=True, **other, new_secrets=["langfuse_salt"])
    assert (refused.get("code"), "langfuse_salt" in refused["msg"]) == ("keys_unknown", True), refused
    assert "User does not have CONNECT privilege" in refused["msg"]
    unclaimed = run("existing_stores", check=True, **other, unclaimed=["postgres"])
    assert unclaimed.get("code") == "database_unseen", unclaimed


def test_new_keys_for_an_old_database(run: Any, only: Result, postgres: Postgres, names: str) -> None:
    drawn = {"new_secrets": ["langfuse_salt"]}
    assert run("existing_stores", **only, **drawn)["changed"]
    with contextlib.closing(postgres.connect(names, OWN, names)) as connection:
        connection.execute("CREATE TABLE _prisma_migrations (id int)")
    refused = run("existing_stores", check=True, **only, **drawn)
    assert (refused["code"], "langfuse_salt" in refused["msg"]) == ("keys_lost", True)
    assert not run("existing_stores", **only)["changed"]


@pytest.fixture
def own_key(run: Any, everything: Result, store: Result, names: str) -> Iterator[Result]:
    """Everything with an administrator of the object store, who made a key for the instance's buckets."""
    key = {"user_access_key": f"{names}key", "user_secret_key": OWN}
    user = {"name": names, "buckets": everything["s3"]["buckets"]}
    assert run("s3_user", **store, **key, **user)["changed"]
    yield {
        **everything,
        "s3_access_key": key["user_access_key"],
        "s3_secret_key": OWN,
        "s3_admin_access_key": store["access_key"],
        "s3_admin_secret_key": store["secret_key"],
    }
    run("s3_user", name=names, state="absent", **store)


def test_an_unfit_key_of_the_instance_stops_before_any_store_is_changed(
    run: Any, own_key: Result, postgres: Postgres, names: str
) -> None:
    """Not only the administrator's: it is tried before, whether the buckets are there or not."""
    for wrong, code in (({"s3_access_key": "nobody"}, "s3_wrong_keys"), ({"s3": "others"}, "s3_denied")):
        if "s3" in wrong:
            wrong = {"s3": {**own_key["s3"], "buckets": [f"{names}-others"]}}
        for check in (True, False):
            refused = run("existing_stores", check=check, **{**own_key, **wrong})
            assert (refused.get("code"), "With langfuse_s3_access_key" in refused["msg"]) == (code, True), refused
    assert not postgres.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{names}'")
    assert "default" in users_of(own_key) and "langfuse" not in users_of(own_key)
    assert run("existing_stores", check=True, **own_key)["changed"]
    assert run("existing_stores", **own_key)["changed"]
    assert not run("existing_stores", **own_key)["changed"]


def test_a_policy_that_was_cut_down_is_seen(
    run: Any, own_key: Result, store: Result, names: str, sent: list[str], tmp_path: Path
) -> None:
    """A run proves by writing, once: what was proved and has not changed is only read, as in a check."""
    kept = {**own_key, "directory": str(tmp_path)}
    assert run("existing_stores", **kept)["changed"]
    assert [request for request in sent if request.startswith("DELETE")]
    sent.clear()
    assert run("existing_stores", **kept).get("changed") is False
    assert sent and not [request for request in sent if not request.startswith("GET")]
    iam = botocore.session.get_session().create_client(
        "iam",
        region_name="us-east-1",
        endpoint_url=store["endpoint_url"],
        aws_access_key_id=store["access_key"],
        aws_secret_access_key=store["secret_key"],
    )

    def may(*actions: str) -> None:
        resources = [f"arn:aws:s3:::{names}-*", f"arn:aws:s3:::{names}-*/*"]
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": resources}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        (policy,) = iam.list_user_policies(UserName=names)["PolicyNames"]
        iam.put_user_policy(UserName=names, PolicyName=policy, PolicyDocument=document)

    may("s3:ListBucket", "s3:GetObject")
    sent.clear()
    assert not run("existing_stores", check=True, **own_key)["changed"]
    assert sent and not [request for request in sent if not request.startswith("GET")]
    refused = run("existing_stores", **own_key)
    assert (refused.get("code"), "at write" in refused["msg"]) == ("s3_denied", True), refused
    more = {**own_key["s3"], "buckets": [*own_key["s3"]["buckets"], f"{names}-exports"]}
    refused = run("existing_stores", **{**kept, "s3": more})
    assert (refused.get("code"), f"bucket {names}-exports" in refused["msg"]) == ("s3_denied", True), refused
    may("s3:PutObject")
    refused = run("existing_stores", check=True, **kept)
    assert (refused.get("code"), f"bucket {names}-media" in refused["msg"]) == ("s3_denied", True), refused
