# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What errors of an object store mean, and where a series of steps ends."""

from __future__ import annotations

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import s3


@pytest.mark.parametrize(
    ("store_code", "code", "waits"),
    [
        ("refused", "s3_down", True),
        ("name", "s3_down", True),
        ("timeout", "s3_down", True),
        ("tls", "s3_tls", False),
        ("SignatureDoesNotMatch", "s3_wrong_keys", False),
        ("InvalidAccessKeyId", "s3_wrong_keys", False),
        ("RequestTimeTooSkewed", "s3_clock_skew", False),
        ("BucketAlreadyExists", "s3_foreign_bucket", False),
        ("AccessDenied", "s3_denied", False),
        ("NoSuchBucket", "s3_bucket_missing", False),
        ("InvalidBucketName", "s3_bad_request", False),
        ("ServiceUnavailable", "s3_not_ready", True),
        ("NoCredentialsError", "s3_no_keys", False),
        ("ExpiredToken", "s3_wrong_keys", False),
        ("PermanentRedirect", "s3_bad_request", False),
        ("SomethingNew", "s3_error", False),
    ],
)
def test_errors_of_stores(store_code: str, code: str, waits: bool) -> None:
    error = s3.StoreError(store_code, "said")
    failure = s3.explain(error, "http://store", "events")
    assert (failure.code, failure.details["store_code"], s3.passing(error)) == (code, store_code, waits)
    assert failure.cure


@pytest.mark.parametrize(
    ("store_code", "status", "setting", "code"),
    [
        ("NotImplemented", 501, "lifecycle", "s3_unsupported"),
        ("MethodNotAllowed", 405, "cors", "s3_unsupported"),
        ("Odd", 501, "cors", "s3_unsupported"),
        ("NotImplemented", 501, "", "s3_error"),
        ("InvalidArgument", 400, "lifecycle", "s3_setting_refused"),
        ("MalformedPolicy", 400, "policy", "s3_setting_refused"),
        ("InvalidArgument", 400, "", "s3_error"),
        ("AccessDenied", 403, "policy", "s3_denied"),
    ],
)
def test_errors_of_settings_name_the_setting(store_code: str, status: int, setting: str, code: str) -> None:
    failure = s3.explain(s3.StoreError(store_code, "said.", status), "http://store", "events", setting)
    assert (failure.code, failure.details.get("setting", "")) == (code, setting)
    assert "bucket events" in failure.message
    assert "http://store" in failure.message
    assert store_code in failure.message
    assert setting in failure.cure


def test_a_wrong_region_is_no_wrong_key() -> None:
    error = s3.StoreError("AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-central-1'")
    assert s3.explain(error, "AWS", "events").code == "s3_bad_request"
    assert s3.explain(s3.StoreError("AuthorizationHeaderMalformed", "no"), "AWS", "events").code == "s3_wrong_keys"


def test_steps_end_with_the_first_that_fails() -> None:
    def fail() -> None:
        raise s3.StoreError("AccessDenied", "no")

    done = s3.run_steps([("a", lambda: None), ("b", fail), ("c", lambda: None)])
    assert [(row["step"], row["ok"], row.get("store_code")) for row in done] == [
        ("a", True, None),
        ("b", False, "AccessDenied"),
    ]
