# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to a bucket, which settings hold for it, and what is wrong with the options."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.s3 import buckets
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.buckets import Seen


@pytest.mark.parametrize(
    ("seen", "state", "wanted", "force", "steps"),
    [
        (Seen(False), "present", {}, False, ["create"]),
        (Seen(True, True), "present", {}, False, []),
        (Seen(False, False, {"versioning": False}), "present", {"versioning": True}, False, ["create", "versioning"]),
        (Seen(True, False, {"versioning": True}), "present", {"versioning": True}, False, []),
        (Seen(True, False, {"versioning": True}), "present", {"versioning": False}, False, ["versioning"]),
        (Seen(True, False, {"tags": {}, "policy": {"a": 1}}), "present", {"tags": {}, "policy": {}}, False, ["policy"]),
        (Seen(False), "absent", {}, True, []),
        (Seen(True), "absent", {}, False, ["delete"]),
        (Seen(True, True), "absent", {}, True, ["empty", "delete"]),
    ],
)
def test_plan_of_a_bucket(seen: Seen, state: str, wanted: dict[str, Any], force: bool, steps: list[str]) -> None:
    assert [change.name for change in buckets.plan(seen, state, wanted, force)] == steps


def test_a_bucket_with_objects_is_not_deleted() -> None:
    with pytest.raises(Failure, match="Bucket events holds objects"):
        buckets.plan(Seen(True, True), "absent", {}, False, "events")


def test_a_bucket_s_own_settings_come_before_those_of_all() -> None:
    forms = buckets.per_bucket(
        {
            "buckets": ["events", "exports", "plain"],
            "versioning": True,
            "tags": {"team": "ai"},
            "policy_principals": ["a"],
            "settings": [
                {"name": "events", "tags": {}, "lifecycle": [{"expire_days": 9}]},
                {"name": "exports", "versioning": False, "policy": {}},
            ],
        }
    )
    assert sorted(forms["events"]) == ["lifecycle", "policy", "tags", "versioning"]
    assert (forms["events"]["tags"], forms["events"]["versioning"]) == ({}, True)
    assert (forms["exports"]["tags"], forms["exports"]["versioning"]) == ({"team": "ai"}, False)
    assert forms["exports"]["policy"] == {}, "the long form of the bucket takes the place of the short one for all"
    assert forms["plain"]["policy"]["Statement"]


def test_all_wrong_options_are_in_one_message() -> None:
    with pytest.raises(Failure) as caught:
        buckets.per_bucket(
            {
                "buckets": ["a-media", "b", "b"],
                "lifecycle": [{"expire_days": 1}],
                "settings": [{"name": "c"}, {"name": "b"}, {"name": "b", "cors_origins": ["x"]}],
                "forbidden": ["b"],
            }
        )
    assert caught.value.code == "bad_option"
    for text in (
        "Bucket b is named twice",
        "given for c, which",
        "given for b twice",
        "in buckets and in forbidden",
        "a-media:",
        "x is no",
    ):
        assert text in caught.value.message, text
    assert caught.value.message.count("x is no origin") == 1
