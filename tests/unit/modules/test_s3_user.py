# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to a user of a store."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.s3 import users
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.users import MISSING, OTHER_SECRET, RIGHT, Seen

WANTED = {"Statement": ["wanted"]}
SETTLED = Seen(True, RIGHT, ("key",), {"lf": WANTED})


@pytest.mark.parametrize(
    ("seen", "state", "purge", "steps"),
    [
        (Seen(), "present", False, ["create_user lf", "put_policy lf", "create_key key"]),
        (SETTLED, "present", True, []),
        (SETTLED._replace(policies={"lf": {"Statement": ["wide"]}}), "present", False, ["put_policy lf"]),
        (SETTLED._replace(policies={"lf": WANTED, "b": {}}), "present", False, ["drop_policy b"]),
        (SETTLED._replace(attached={"wide": "arn:wide"}), "present", False, ["detach_policy arn:wide"]),
        (SETTLED._replace(groups=("g",)), "present", False, ["leave_group g"]),
        (SETTLED._replace(key=OTHER_SECRET), "present", False, ["drop_key key", "create_key key"]),
        (SETTLED._replace(key=MISSING, keys=("old",)), "present", False, ["create_key key"]),
        (SETTLED._replace(keys=("key", "old")), "present", False, []),
        (SETTLED._replace(keys=("key", "old")), "present", True, ["drop_key old"]),
        (Seen(True, MISSING), "present", False, ["put_policy lf", "create_key key"]),
        (Seen(), "absent", False, []),
        (
            SETTLED._replace(keys=("key", "old"), groups=("g",)),
            "absent",
            False,
            ["drop_policy lf", "leave_group g", "drop_key key", "drop_key old", "drop_user lf"],
        ),
    ],
)
def test_plan_of_a_user(seen: Seen, state: str, purge: bool, steps: list[str]) -> None:
    assert [" ".join(step) for step in users.plan(seen, state, "lf", "key", WANTED, purge)] == steps


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, ["user_access_key is missing", "user_secret_key is missing", "buckets are missing"]),
        (
            {"user_access_key": "a", "user_secret_key": "b", "buckets": ["langfuse-*"]},
            ["langfuse-* in buckets has a wildcard"],
        ),
        (
            {"user_access_key": "a", "user_secret_key": "b", "buckets": ["c"], "access_key": "a"},
            ["key of the administrator"],
        ),
        ({"user_access_key": "a", "user_secret_key": "b", "policy": {"Statement": []}}, []),
        ({"state": "absent"}, []),
    ],
)
def test_wrong_options(options: dict[str, Any], says: list[str]) -> None:
    found = users.problems(options)
    assert len(found) == len(says)
    for text, problem in zip(says, found, strict=True):
        assert text in problem
