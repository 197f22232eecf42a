"""What the modules are told to set on the buckets, of the bundled store and of an existing one."""

from __future__ import annotations

from typing import Any

import pytest

from .bucket_cases import EVENTS, EXPORTS, ORIGINS
from .cases import GOOD
from .source_cases import S3
from .support import run

PAGE = {"langfuse_public_url": "https://langfuse.example.com/"}
SAME = {**PAGE, "langfuse_s3_public_endpoint": "https://langfuse.example.com"}


def options(given: dict[str, Any]) -> dict[str, Any]:
    result = run({**GOOD, **given})
    assert not result.problems, list(map(str, result.problems))
    bundled = "langfuse_s3_source" not in given
    part = result.plan["compose"]["preparation"] if bundled else result.plan["provision"]
    return dict(part["s3"])


def expiring(days: int, prefix: str = "") -> list[dict[str, Any]]:
    return [{"prefix": prefix, "expire_days": days}]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, {"langfuse-media": {"cors_origins": ["http://localhost:3030"]}}),
        ({"langfuse_web_port": 4000}, {"langfuse-media": {"cors_origins": ["http://localhost:4000"]}}),
        (SAME, {}),
        ({**SAME, EVENTS: 90}, {"langfuse-events": {"lifecycle": expiring(90)}}),
        ({**SAME, ORIGINS: ["*"]}, {"langfuse-media": {"cors_origins": ["*"]}}),
        ({ORIGINS: []}, {"langfuse-media": {"cors_origins": []}}),
        ({ORIGINS: [], EVENTS: 0}, {"langfuse-media": {"cors_origins": []}, "langfuse-events": {"lifecycle": []}}),
        (S3, {}),
        ({**S3, **PAGE}, {}),
        (
            {**S3, ORIGINS: ["https://a.example.com"], EVENTS: 90, EXPORTS: 7},
            {
                "langfuse-media": {"cors_origins": ["https://a.example.com"]},
                "langfuse-events": {"lifecycle": expiring(90)},
                "langfuse-exports": {"lifecycle": expiring(7)},
            },
        ),
        ({**S3, EVENTS: 0}, {"langfuse-events": {"lifecycle": []}}),
        (
            {
                **S3,
                "langfuse_s3_exports_bucket": "langfuse-media",
                "langfuse_s3_exports_prefix": "exports/",
                "langfuse_s3_media_prefix": "media/",
                EXPORTS: 7,
                ORIGINS: ["https://a.example.com"],
            },
            {"langfuse-media": {"cors_origins": ["https://a.example.com"], "lifecycle": expiring(7, "exports/")}},
        ),
        ({**S3, "langfuse_batch_export_enabled": False, EXPORTS: 0}, {}),
    ],
)
def test_what_is_set_on_each_bucket(given: dict[str, Any], wanted: dict[str, dict[str, Any]]) -> None:
    found = options(given)["settings"]
    assert {one["name"]: {key: value for key, value in one.items() if key != "name"} for one in found} == wanted


def test_the_modules_know_where_media_are() -> None:
    """So that they refuse a rule that would expire them, whatever comes of the settings."""
    for given in ({}, S3):
        found = options({**given, "langfuse_s3_media_bucket": "files", "langfuse_s3_media_prefix": "m/"})
        assert (found["media_bucket"], found["media_prefix"]) == ("files", "m/")
