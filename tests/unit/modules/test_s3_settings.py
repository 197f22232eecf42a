# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of buckets: what was sent and what stores give back are one form; what is asked for wrongly is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.s3 import settings
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.settings import Media

EVENTS = "langfuse-events"


def wanted(bucket: str = EVENTS, media: Media = Media(), **options: Any) -> dict[str, Any]:  # noqa: B008
    forms, problems = settings.wanted(options, bucket, media)
    assert problems == []
    return forms


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


READ = {
    "Effect": "Allow",
    "Principal": {"AWS": ["arn:aws:iam::1:user/a"]},
    "Action": ["s3:GetObject"],
    "Resource": ["arn:x/*"],
}

# What was asked for, and what a store answered when it was read back. SeaweedFS 4.48, VersityGW 1.8.0, MinIO 2026-02.
READ_BACK: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "SeaweedFS adds MaxAgeSeconds 0",
        {"cors": [{"origins": ["*"], "methods": ["GET"], "headers": [], "max_age_seconds": 0}]},
        {"CORSRules": [{"ID": "x", "AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 0}]},
    ),
    (
        "another order of methods, and headers in another case",
        {"cors_origins": ["https://lf.example.com"]},
        {
            "CORSRules": [
                {
                    "AllowedHeaders": ["X-Amz-Checksum-Sha256", "Content-Type"],
                    "AllowedMethods": ["PUT", "HEAD", "GET"],
                    "AllowedOrigins": ["https://lf.example.com"],
                    "MaxAgeSeconds": 3600,
                }
            ]
        },
    ),
    (
        "SeaweedFS and AWS add a minimum size of transitions, MinIO an ID",
        {"lifecycle": [{"expire_days": 30, "noncurrent_days": 7}]},
        {
            "TransitionDefaultMinimumObjectSize": "all_storage_classes_128K",
            "Rules": [
                {
                    "ID": "347f705c-fb8f-4331-bf5b-dadfd4a1c523",
                    "Expiration": {"Days": 30},
                    "Filter": {"Prefix": ""},
                    "Status": "Enabled",
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
                }
            ],
        },
    ),
    (
        "rules in another order, an empty filter, the old place of the prefix",
        {"lifecycle": [{"prefix": "otel/", "expire_days": 3}, {"abort_incomplete_days": 2}]},
        {
            "Rules": [
                {"ID": "w", "Filter": {}, "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}},
                {"ID": "v", "Prefix": "otel/", "Status": "Enabled", "Expiration": {"Days": 3}},
            ]
        },
    ),
    (
        "SeaweedFS: lists of one as strings, a line feed",
        {"policy": policy(READ)},
        {"Policy": json.dumps(policy({**READ, "Action": "s3:GetObject", "Resource": "arn:x/*"})) + "\n"},
    ),
    (
        "MinIO: everybody as a list, actions in any order",
        {"policy": policy({**READ, "Principal": "*", "Action": ["s3:GetObject", "s3:PutObject"]})},
        {"Policy": json.dumps(policy({**READ, "Principal": {"AWS": ["*"]}, "Action": ["s3:PutObject", "s3:GetObject"]}))},
    ),
    (
        "AWS: one statement, no list; a condition's boolean as text",
        {"policy": policy({**READ, "Condition": {"Bool": {"aws:SecureTransport": True}}})},
        {
            "Policy": json.dumps({
                "Version": "2012-10-17",
                "Id": "",
                "Statement": {**READ, "Sid": "", "Condition": {"Bool": {"aws:SecureTransport": ["true"]}}},
            })
        },
    ),
    ("tags sorted", {"tags": {"b": 1, "a": ""}}, {"TagSet": [{"Key": "a", "Value": ""}, {"Key": "b", "Value": "1"}]}),
    (
        "tags of AWS itself",
        {"tags": {"a": "1"}},
        {"TagSet": [{"Key": "aws:cloudformation:stack-name", "Value": "s"}, {"Key": "a", "Value": "1"}]},
    ),
    ("never versioned", {"versioning": False}, {}),
    ("suspended", {"versioning": False}, {"Status": "Suspended"}),
    ("versioned", {"versioning": True}, {"Status": "Enabled", "MFADelete": "Disabled"}),
]  # fmt: skip


@pytest.mark.parametrize(("options", "answer"), [row[1:] for row in READ_BACK], ids=[row[0] for row in READ_BACK])
def test_what_is_read_back_is_what_was_asked_for(options: dict[str, Any], answer: dict[str, Any]) -> None:
    ((name, form),) = wanted(**options).items()
    have = settings.seen(name, answer)
    assert settings.same(name, form, have), (form, have)


TAG = {"Key": "a", "Value": "b"}
EVERY = {"Status": "Enabled", "Filter": {"Prefix": ""}}
UPLOADS = {
    "AllowedOrigins": ["https://a.b"],
    "AllowedMethods": ["GET", "HEAD", "PUT"],
    "AllowedHeaders": ["content-type", "x-amz-checksum-sha256"],
    "MaxAgeSeconds": 3600,
}

# What a store has, and how it differs from `lifecycle: [{expire_days: 30}]` and the like.
DIFFERENT: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("another origin", {"cors_origins": ["https://a.b"]}, {"CORSRules": [{**UPLOADS, "AllowedOrigins": ["https://a.c"]}]}),
    ("a header is missing", {"cors_origins": ["https://a.b"]}, {"CORSRules": [{**UPLOADS, "AllowedHeaders": ["content-type"]}]}),
    ("other days", {"lifecycle": [{"expire_days": 30}]}, {"Rules": [{**EVERY, "Expiration": {"Days": 31}}]}),
    ("another prefix", {"lifecycle": [{"expire_days": 30}]}, {"Rules": [{**EVERY, "Filter": {"Prefix": "a"}, "Expiration": {"Days": 30}}]}),
    ("disabled", {"lifecycle": [{"expire_days": 30}]}, {"Rules": [{**EVERY, "Status": "Disabled", "Expiration": {"Days": 30}}]}),
    ("only some objects", {"lifecycle": [{"expire_days": 30}]}, {"Rules": [{**EVERY, "Filter": {"Tag": TAG}, "Expiration": {"Days": 30}}]}),
    ("moved to another class as well", {"lifecycle": [{"expire_days": 30}]}, {"Rules": [{**EVERY, "Expiration": {"Days": 30}, "Transitions": [{"Days": 5}]}]}),
    ("a date", {"lifecycle": [{"expire_days": 30}]}, {"Rules": [{**EVERY, "Expiration": {"Date": "2030-01-01"}}]}),
    ("a rule more", {"lifecycle": []}, {"Rules": [{**EVERY, "Expiration": {"Days": 1}}]}),
    ("denied, not allowed", {"policy": policy(READ)}, {"Policy": json.dumps(policy({**READ, "Effect": "Deny"}))}),
    ("another principal", {"policy": policy(READ)}, {"Policy": json.dumps(policy({**READ, "Principal": "*"}))}),
    ("principals that are left out", {"policy": policy(READ)}, {"Policy": json.dumps(policy({**READ, "NotPrincipal": READ["Principal"]}))}),
    ("a condition", {"policy": policy(READ)}, {"Policy": json.dumps(policy({**READ, "Condition": {"Bool": {"a": "true"}}}))}),
    ("an action more", {"policy": policy(READ)}, {"Policy": json.dumps(policy({**READ, "Action": ["s3:GetObject", "s3:*"]}))}),
    ("a statement more", {"policy": policy(READ)}, {"Policy": json.dumps(policy(READ, {**READ, "Action": "s3:*"}))}),
    ("a policy that should go", {"policy": {}}, {"Policy": json.dumps(policy(READ))}),
    ("another value", {"tags": {"a": "1"}}, {"TagSet": [{"Key": "a", "Value": "2"}]}),
    ("a tag more", {"tags": {}}, {"TagSet": [{"Key": "a", "Value": "2"}]}),
    ("versions", {"versioning": True}, {"Status": "Suspended"}),
]  # fmt: skip


@pytest.mark.parametrize(("options", "answer"), [row[1:] for row in DIFFERENT], ids=[row[0] for row in DIFFERENT])
def test_what_differs_is_seen(options: dict[str, Any], answer: dict[str, Any]) -> None:
    ((name, form),) = wanted(**options).items()
    assert not settings.same(name, form, settings.seen(name, answer))


@pytest.mark.parametrize("row", [row for row in READ_BACK if "versioning" not in row[1]], ids=lambda row: row[0])
def test_what_is_sent_is_read_as_it_was_asked_for(row: tuple[str, dict[str, Any], dict[str, Any]]) -> None:
    ((name, form),) = wanted(**row[1]).items()
    _operation, sent = settings.request(name, form, {})
    answer = next(iter(sent.values()))
    assert settings.seen(name, {"Policy": answer} if name == "policy" else answer) == form


@pytest.mark.parametrize(
    ("options", "have", "operation"),
    [
        ({"cors": []}, [], "delete_bucket_cors"),
        ({"cors_origins": []}, [], "delete_bucket_cors"),
        ({"lifecycle": []}, [], "delete_bucket_lifecycle"),
        ({"policy": {}}, {}, "delete_bucket_policy"),
        ({"policy_principals": []}, {}, "delete_bucket_policy"),
        ({"tags": {}}, {"a": "1"}, "delete_bucket_tagging"),
        ({"tags": {}}, {"aws:x": "1", "a": "1"}, "put_bucket_tagging"),
        ({"versioning": False}, True, "put_bucket_versioning"),
    ],
)
def test_empty_removes(options: dict[str, Any], have: Any, operation: str) -> None:
    ((name, form),) = wanted(**options).items()
    called, arguments = settings.request(name, form, have)
    assert called == operation
    if called == "put_bucket_tagging":
        assert arguments["Tagging"]["TagSet"] == [{"Key": "aws:x", "Value": "1"}]


def test_none_leaves_as_it_is() -> None:
    assert wanted(versioning=None, cors=None, lifecycle=None, policy=None, policy_principals=None, tags=None) == {}


def test_principals_get_exactly_this_bucket() -> None:
    form = wanted(policy_principals=["arn:aws:iam::1:user/a"])["policy"]
    resources = [resource for statement in form["Statement"] for resource in statement["Resource"]]
    assert sorted(resources) == [f"arn:aws:s3:::{EVENTS}", f"arn:aws:s3:::{EVENTS}/*"]
    assert {statement["Principal"]["AWS"][0] for statement in form["Statement"]} == {"arn:aws:iam::1:user/a"}


def test_a_policy_for_buckets_names_each_and_no_wildcard() -> None:
    document = settings.access_policy(["langfuse-events", "langfuse-media"])
    named = {resource for statement in document["Statement"] for resource in statement["Resource"]}
    assert named == {f"arn:aws:s3:::langfuse-{name}{end}" for name in ("events", "media") for end in ("", "/*")}


MEDIA = Media("files", "media/")


@pytest.mark.parametrize(
    ("bucket", "media", "prefix", "refused"),
    [
        ("langfuse-media", Media(), "", True),
        ("media", Media(), "", True),
        ("acme.media.langfuse", Media(), "x/", True),
        ("langfuse-multimedia", Media(), "", False),
        ("langfuse-events", Media(), "", False),
        ("files", Media("files"), "", True),
        ("old-media", Media("files"), "", False),
        ("files", MEDIA, "", True),
        ("files", MEDIA, "med", True),
        ("files", MEDIA, "media/p/", True),
        ("files", MEDIA, "events/", False),
    ],
)
def test_media_are_never_expired(bucket: str, media: Media, prefix: str, refused: bool) -> None:
    for days, wrong in (("expire_days", refused), ("noncurrent_days", False), ("abort_incomplete_days", False)):
        _forms, problems = settings.wanted({"lifecycle": [{"prefix": prefix, days: 30}]}, bucket, media)
        assert bool(problems) == wrong, problems


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"cors": [], "cors_origins": []}, "both"),
        ({"policy": {}, "policy_principals": []}, "both"),
        ({"cors_origins": ["https://lf.example.com/"]}, "without a path"),
        ({"cors_origins": ["lf.example.com"]}, "without a path"),
        ({"cors": [{"origins": []}]}, "no origins"),
        ({"lifecycle": [{}]}, "none of"),
        ({"lifecycle": [{"expire_days": 0}]}, "1 or more"),
        ({"policy_principals": ["*"]}, "everybody"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], says: str) -> None:
    _forms, problems = settings.wanted(options, EVENTS, Media())
    assert len(problems) == 1
    assert says in problems[0]
    assert problems[0].startswith(f"Bucket {EVENTS}: ")
