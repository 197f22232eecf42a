# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores: names, buckets, versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .. import versions
from ..plan import Settings
from ..problems import Problem


def store_names(settings: Settings) -> Iterator[Problem]:
    for name in (
        "langfuse_postgres_user",
        "langfuse_postgres_database",
        "langfuse_clickhouse_user",
        "langfuse_clickhouse_database",
    ):
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", settings[name] or ""):
            yield Problem(name, "is not a plain name", "Use lower-case letters, digits and _, a letter first")


def bucket_names(settings: Settings) -> Iterator[Problem]:
    names = ("langfuse_s3_events_bucket", "langfuse_s3_media_bucket", "langfuse_s3_exports_bucket")
    for name in names:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", settings[name] or ""):
            yield Problem(name, "is not a bucket name", "Use 3 to 63 lower-case letters, digits, dots and hyphens")


def events_bucket_alone(settings: Settings) -> Iterator[Problem]:
    """Replay works only with keys at the root, and lifecycle rules of events must never touch media."""
    for name in ("langfuse_s3_media_bucket", "langfuse_s3_exports_bucket"):
        if settings[name] == settings["langfuse_s3_events_bucket"]:
            yield Problem(name, "is the bucket of the events", "Give events a bucket of their own")


def prefixes(settings: Settings) -> Iterator[Problem]:
    for name in ("langfuse_s3_media_prefix", "langfuse_s3_exports_prefix"):
        value = settings[name]
        if value and (not value.endswith("/") or value.startswith("/")):
            yield Problem(
                name,
                "does not end with / or starts with one",
                "The application joins it to the key as it is: write it like media/",
            )


def floating_versions(settings: Settings) -> Iterator[Problem]:
    """A tag that moves migrates a database when nobody asked, or finds a newer schema (facts B13)."""
    parts = {
        "langfuse": 3,
        "langfuse_postgres": 2,
        "langfuse_clickhouse": 2,
        "langfuse_valkey": 2,
        "langfuse_seaweedfs": 2,
    }
    for name, least in parts.items():
        found = versions.numbers(settings[f"{name}_version"] or "")
        if found is None or len(found) < least:
            yield Problem(
                f"{name}_version",
                "is a floating tag",
                f"Pin it with at least {least} numbers, like {'.'.join('4160'[:least])}",
            )


def supported_versions(settings: Settings) -> Iterator[Problem]:
    least: Mapping[str, tuple[int, ...]] = {
        "langfuse_postgres_version": (15,),
        "langfuse_clickhouse_version": (25, 12),
        "langfuse_valkey_version": (7, 2),
    }
    for name, minimum in least.items():
        if versions.numbers(settings[name] or "") and not versions.at_least(settings[name], *minimum):
            yield Problem(name, "is older than Langfuse 4 takes", f"Use {'.'.join(map(str, minimum))} or newer")
    found = versions.numbers(settings["langfuse_version"] or "")
    if found and found[0] != 4:
        yield Problem("langfuse_version", "is not a version 4", "This collection runs Langfuse 4")


def store_images(settings: Settings) -> Iterator[Problem]:
    """Images whose user is not the one that the service runs as (decisions 2)."""
    if "alpine" in (settings["langfuse_postgres_version"] or ""):
        yield Problem(
            "langfuse_postgres_version",
            "is the image's Alpine variant, which has another user",
            "Use the tag without -alpine",
        )
    seaweedfs = versions.numbers(settings["langfuse_seaweedfs_version"] or "")
    if seaweedfs and seaweedfs < (4,):
        yield Problem("langfuse_seaweedfs_version", "has an image that only runs as root", "Use 4.00 or newer")


def clickhouse_profile(settings: Settings) -> Iterator[Problem]:
    """From ClickHouse 26.8 on, rows are lost unless the profile says otherwise; an override must not take the file away."""
    if not versions.at_least(settings["langfuse_clickhouse_version"] or "", 26, 8):
        return
    service = (settings["langfuse_compose_overrides"].get("services") or {}).get("clickhouse") or {}
    if "volumes" in service:
        yield Problem(
            "langfuse_compose_overrides",
            "replaces the volumes of clickhouse, which carry the profile that ClickHouse 26.8 and newer needs",
            "Use langfuse_clickhouse_version 26.7 or older, or leave its volumes alone",
        )


RULES = (
    store_names,
    bucket_names,
    events_bucket_alone,
    prefixes,
    floating_versions,
    supported_versions,
    store_images,
    clickhouse_profile,
)
