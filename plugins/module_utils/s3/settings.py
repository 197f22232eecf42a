# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bucket should be like and what a store says it is, brought to one form. Pure.

Stores give documents back otherwise than they were sent: lists of one item as strings, rule IDs of their own, elements that
nobody asked for, another order. Both sides are therefore brought to the same *form*, and only forms are compared:

    versioning  bool
    cors        list of {origins, methods, headers, expose_headers, max_age_seconds}; the first that fits counts
    lifecycle   list of {prefix, expire_days, noncurrent_days, abort_incomplete_days}, sorted
    policy      the document with every list sorted, {} for none
    tags        dict of strings
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

Form = Any

SETTINGS = ("versioning", "cors", "lifecycle", "policy", "tags")
# Options that say a setting in short, and what they stand for.
SHORT = {"cors_origins": "cors", "policy_principals": "policy"}
# Days of a lifecycle rule, and which of them delete what the application still needs.
DAYS = ("expire_days", "noncurrent_days", "abort_incomplete_days")
# What Langfuse does with a bucket (langfuse-facts 9), and what its worker's multipart uploads of exports need.
BUCKET_ACTIONS = ("s3:ListBucket", "s3:GetBucketLocation")
OBJECT_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
# The browser's upload: methods and signed headers of the application's presigned addresses (langfuse-facts 9).
CORS_METHODS = ("GET", "HEAD", "PUT")
CORS_HEADERS = ("content-type", "x-amz-checksum-sha256")
CORS_SECONDS = 3600


class Media(NamedTuple):
    """The bucket with the only copy of media, ``None`` when it is not told, and where in it they are."""

    bucket: str | None = None
    prefix: str = ""

    def is_in(self, bucket: str) -> bool:
        """Untold, a bucket with the word "media" in its name is taken for it."""
        return bucket == self.bucket if self.bucket else "media" in re.split(r"[.-]", bucket)

    def hit_by(self, prefix: str) -> bool:
        return self.prefix.startswith(prefix) or prefix.startswith(self.prefix)


def wanted(options: Mapping[str, Any], bucket: str, media: Media) -> tuple[dict[str, Form], list[str]]:
    """Form of every setting that is asked for, and all that is wrong with them. ``None`` leaves a setting as it is."""
    forms: dict[str, Form] = {}
    problems: list[str] = []
    for short, setting in SHORT.items():
        if options.get(short) is not None and options.get(setting) is not None:
            problems.append(f"Bucket {bucket}: {short} and {setting} are both given; give one of them.")
    if options.get("versioning") is not None:
        forms["versioning"] = bool(options["versioning"])
    rules = options.get("cors")
    if rules is None and options.get("cors_origins") is not None:
        rules = [{"origins": options["cors_origins"]}] if options["cors_origins"] else []
    if rules is not None:
        forms["cors"] = [_cors_rule(rule) for rule in rules]
        problems += [f"Bucket {bucket}: {text}" for rule in forms["cors"] for text in _wrong_origins(rule["origins"])]
    if options.get("lifecycle") is not None:
        forms["lifecycle"] = sorted((_lifecycle_rule(rule) for rule in options["lifecycle"]), key=_order)
        problems += [
            f"Bucket {bucket}: {text}" for rule in forms["lifecycle"] for text in _wrong_rule(rule, bucket, media)
        ]
    document = options.get("policy")
    if document is None and options.get("policy_principals") is not None:
        principals = options["policy_principals"]
        document = bucket_policy(bucket, principals) if principals else {}
        if "*" in principals:
            problems.append(f"Bucket {bucket}: policy_principals with * would open the bucket to everybody; name ARNs.")
    if document is not None:
        forms["policy"] = policy_form(document)
    if options.get("tags") is not None:
        forms["tags"] = {str(key): str(value) for key, value in options["tags"].items()}
    return forms, problems


def bucket_policy(bucket: str, principals: Sequence[str]) -> dict[str, Any]:
    """What Langfuse needs, for these principals, on exactly this bucket."""
    document = access_policy([bucket])
    for statement in document["Statement"]:
        statement["Principal"] = {"AWS": list(principals)}
    return document


def access_policy(buckets: Sequence[str]) -> dict[str, Any]:
    """What Langfuse needs, on exactly these buckets, without a wildcard that a backup bucket's name could match."""
    arns = [f"arn:aws:s3:::{bucket}" for bucket in buckets]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": list(BUCKET_ACTIONS), "Resource": arns},
            {"Effect": "Allow", "Action": list(OBJECT_ACTIONS), "Resource": [f"{arn}/*" for arn in arns]},
        ],
    }


def _cors_rule(rule: Mapping[str, Any]) -> Form:
    def given(name: str, default: Sequence[str]) -> list[str]:
        value = rule.get(name)
        return list(default if value is None else value)

    age = rule.get("max_age_seconds")
    return {
        "origins": sorted(given("origins", ())),
        "methods": sorted(method.upper() for method in given("methods", CORS_METHODS)),
        "headers": sorted(header.lower() for header in given("headers", CORS_HEADERS)),
        "expose_headers": sorted(header.lower() for header in given("expose_headers", ())),
        "max_age_seconds": CORS_SECONDS if age is None else int(age),
    }


def _wrong_origins(origins: Sequence[str]) -> list[str]:
    problems = [] if origins else ["a rule of cors has no origins."]
    for origin in origins:
        parts = urlsplit(origin)
        plain = parts.scheme and parts.netloc and not (parts.path or parts.query or parts.fragment)
        if origin != "*" and not plain:
            problems.append(
                f"{origin} is no origin; write scheme and host without a path, as https://langfuse.example.com"
            )
    return problems


def _lifecycle_rule(rule: Mapping[str, Any]) -> Form:
    return {"prefix": rule.get("prefix") or "", **{name: rule.get(name) for name in DAYS}}


def _wrong_rule(rule: Mapping[str, Any], bucket: str, media: Media) -> list[str]:
    days = {name: rule[name] for name in DAYS if rule[name] is not None}
    problems = [f"{name} of lifecycle is {value}; write 1 or more." for name, value in days.items() if value < 1]
    if not days:
        problems.append(f"a rule of lifecycle has none of {', '.join(DAYS)}.")
    if "expire_days" in days and media.is_in(bucket) and media.hit_by(rule["prefix"]):
        problems.append(
            "expire_days would delete media, which have no other copy. Leave it out, or name the bucket that holds media "
            "in media_bucket if it is another one."
        )
    return problems


def seen(setting: str, answer: Mapping[str, Any]) -> Form:
    """Form of what a store answered when it was asked for a setting; of ``{}`` when it has none."""
    if setting == "versioning":
        return answer.get("Status") == "Enabled"
    if setting == "cors":
        return [_seen_cors(rule) for rule in answer.get("CORSRules", [])]
    if setting == "lifecycle":
        return sorted((_seen_lifecycle(rule) for rule in answer.get("Rules", [])), key=_order)
    if setting == "policy":
        return policy_form(json.loads(answer.get("Policy") or "{}"))
    return {tag["Key"]: tag["Value"] for tag in answer.get("TagSet", [])}


def _seen_cors(rule: Mapping[str, Any]) -> Form:
    return _cors_rule({
        "origins": rule.get("AllowedOrigins", []),
        "methods": rule.get("AllowedMethods", []),
        "headers": rule.get("AllowedHeaders", []),
        "expose_headers": rule.get("ExposeHeaders", []),
        # Some stores say 0 where nothing was set.
        "max_age_seconds": rule.get("MaxAgeSeconds") or 0,
    })  # fmt: skip


def _seen_lifecycle(rule: Mapping[str, Any]) -> Form:
    """A rule without its ID, which stores invent. One that says more than ours can is kept whole, so that it differs."""
    left = {key: value for key, value in rule.items() if key not in ("ID", "Status", "Prefix", "Filter") and value}
    where = dict(rule.get("Filter") or {})
    prefix = where.pop("Prefix", None) or rule.get("Prefix") or ""
    form = _lifecycle_rule({
        "prefix": prefix,
        "expire_days": _take(left, "Expiration", "Days"),
        "noncurrent_days": _take(left, "NoncurrentVersionExpiration", "NoncurrentDays"),
        "abort_incomplete_days": _take(left, "AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
    })  # fmt: skip
    if left or where or rule.get("Status") != "Enabled":
        return {"prefix": prefix, "other": json.dumps(rule, sort_keys=True, default=str)}
    return form


def _take(rule: dict[str, Any], element: str, days: str) -> int | None:
    """The days of an element that says nothing else, which is taken out of the rule."""
    about = {key: value for key, value in (rule.get(element) or {}).items() if value}
    if set(about) != {days}:
        return None
    del rule[element]
    return int(about[days])


def _order(rule: Form) -> str:
    return json.dumps(rule, sort_keys=True)


def policy_form(document: Mapping[str, Any]) -> Form:
    """A policy with every list sorted and every single value a list of one: order and that form mean nothing in it."""
    if not document or not document.get("Statement"):
        return {}
    statements = document["Statement"]
    rows = [_statement(row) for row in (statements if isinstance(statements, list) else [statements])]
    rest = {key: value for key, value in document.items() if key not in ("Statement", "Version") and value}
    return {"Version": document.get("Version", "2012-10-17"), **rest, "Statement": sorted(rows, key=_order)}


def _statement(row: Mapping[str, Any]) -> Form:
    form: dict[str, Any] = {}
    for key, value in row.items():
        if key in ("Effect", "Sid"):
            if value:
                form[key] = value
        elif key in ("Principal", "NotPrincipal"):
            everybody = {"AWS": "*"} if value == "*" else value
            form[key] = {kind: _values(names) for kind, names in everybody.items()}
        elif key == "Condition":
            if value:
                form[key] = {kind: {name: _values(tested) for name, tested in of.items()} for kind, of in value.items()}
        else:
            form[key] = _values(value)
    return form


def _values(value: Any) -> list[str]:
    return sorted(_text(item) for item in (value if isinstance(value, list) else [value]))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def same(setting: str, want: Form, have: Form) -> bool:
    return bool(want == (own_tags(have) if setting == "tags" else have))


def own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags without those of the platform, which nobody may remove."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def request(setting: str, want: Form, have: Form) -> tuple[str, dict[str, Any]]:
    """The one call, with its arguments but the bucket, that makes ``want`` of ``have``."""
    if setting == "versioning":
        status = {"Status": "Enabled" if want else "Suspended"}
        return "put_bucket_versioning", {"VersioningConfiguration": status}
    if setting == "tags":
        kept = {key: value for key, value in have.items() if key.startswith("aws:")}
        rows = [{"Key": key, "Value": value} for key, value in {**kept, **want}.items()]
        return ("put_bucket_tagging", {"Tagging": {"TagSet": rows}}) if rows else ("delete_bucket_tagging", {})
    if not want:
        return f"delete_bucket_{setting}", {}
    if setting == "policy":
        return "put_bucket_policy", {"Policy": json.dumps(want, separators=(",", ":"))}
    if setting == "cors":
        return "put_bucket_cors", {"CORSConfiguration": {"CORSRules": [_send_cors(rule) for rule in want]}}
    rows = [_send_lifecycle(rule) for rule in want]
    return "put_bucket_lifecycle_configuration", {"LifecycleConfiguration": {"Rules": rows}}


def _send_cors(rule: Form) -> dict[str, Any]:
    sent = {
        "AllowedOrigins": rule["origins"],
        "AllowedMethods": rule["methods"],
        "AllowedHeaders": rule["headers"],
        "ExposeHeaders": rule["expose_headers"],
        "MaxAgeSeconds": rule["max_age_seconds"],
    }
    return {key: value for key, value in sent.items() if value}


def _send_lifecycle(rule: Form) -> dict[str, Any]:
    sent: dict[str, Any] = {"Status": "Enabled", "Filter": {"Prefix": rule["prefix"]}}
    if rule["expire_days"]:
        sent["Expiration"] = {"Days": rule["expire_days"]}
    if rule["noncurrent_days"]:
        sent["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule["noncurrent_days"]}
    if rule["abort_incomplete_days"]:
        sent["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": rule["abort_incomplete_days"]}
    return sent
