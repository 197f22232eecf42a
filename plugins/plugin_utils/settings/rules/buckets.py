# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is set on buckets: pages that may upload, and days after which objects go."""

from __future__ import annotations

from collections.abc import Iterator

from .. import versions
from ..buckets import EXPIRING, expire_days, expires
from ..hosts import split
from ..plan import Settings
from ..problems import Problem
from ..sources import is_bundled

# The first one seen to act on rules of expiry by itself.
EXPIRY_SINCE = (4, 48)
_OWN_TOOLS = {"azure": "Azure", "gcs": "Google"}


def upload_origins(settings: Settings) -> Iterator[Problem]:
    for origin in settings["langfuse_s3_cors_origins"] or ():
        parts = split(origin)
        whole = parts.scheme in ("http", "https") and parts.netloc and origin == f"{parts.scheme}://{parts.netloc}"
        if origin != "*" and not whole:
            yield Problem(
                "langfuse_s3_cors_origins",
                f"has {origin}, which is no origin",
                "Write scheme and host without a path, like https://langfuse.example.com",
            )


def expiry(settings: Settings) -> Iterator[Problem]:
    for kind in EXPIRING:
        name = expire_days(kind)
        days = settings[name]
        if days is not None and days < 0:
            yield Problem(name, "is less than nothing", "Write the number of days, or 0 for never")
    if expires(settings) and not versions.at_least(settings["langfuse_seaweedfs_version"] or "", *EXPIRY_SINCE):
        oldest = ".".join(map(str, EXPIRY_SINCE))
        yield Problem(
            "langfuse_seaweedfs_version",
            "cannot delete what is old enough",
            f"Use {oldest} or newer, or remove the days",
        )


def expired_exports(settings: Settings) -> Iterator[Problem]:
    """Media have no other copy, so nothing that expires may be where they are."""
    name = expire_days("exports")
    if not settings[name]:
        return
    if not settings["langfuse_batch_export_enabled"]:
        yield Problem(name, "is set while langfuse_batch_export_enabled is off", "Remove it")
    exports, media = settings["langfuse_s3_exports_prefix"] or "", settings["langfuse_s3_media_prefix"] or ""
    one = settings["langfuse_s3_exports_bucket"] == settings["langfuse_s3_media_bucket"]
    if one and (exports.startswith(media) or media.startswith(exports)):
        yield Problem(
            name,
            "would delete media, which are in the same bucket",
            "Give exports a bucket, or a prefix that is not also that of media",
        )


def other_services(settings: Settings) -> Iterator[Problem]:
    """Containers at Azure and buckets at Google are set by their own tools."""
    whose = None if is_bundled(settings, "s3") else _OWN_TOOLS.get(settings["langfuse_s3_service"])
    for name in ("langfuse_s3_cors_origins", *map(expire_days, EXPIRING)):
        if whose and settings[name] is not None:
            yield Problem(
                name, f"is set, and {whose} has tools of its own for that", "Set it there, and remove it here"
            )


RULES = (upload_origins, expiry, expired_exports, other_services)
