# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Causes in ClickHouse and in the object store."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.llmops.langfuse.plugins.module_utils import clickhouse as ch
from ansible_collections.llmops.langfuse.plugins.module_utils.rules.base import WARNING, Evidence, Found, Rule, line

AUTHENTICATION = (516, 192, 193, 194)
UNKNOWN_DATABASE = 81
OVERLOADED = (209, 210, 241)


def clickhouse_down(e: Evidence) -> Found | None:
    record = e.of("clickhouse")
    if record.get("kind") or record.get("code") in OVERLOADED:
        return {"where": record.get("where"), "seen": record.get("text")}
    if not record.get("version") and e.of("trace").get("code") == "read_failed":
        return {"where": "CLICKHOUSE_URL of web", "seen": e.of("trace").get("text")}
    return None


def clickhouse_password(e: Evidence) -> Found | None:
    record = e.of("clickhouse")
    if record.get("code") in AUTHENTICATION:
        return {"user": record.get("user"), "seen": record.get("text")}
    if e.failed("trace", "port", "web"):
        return line(
            e.log(r"AUTHENTICATION_FAILED|Authentication failed: password is incorrect", "web", "worker"),
            user="CLICKHOUSE_USER",
        )
    return None


def clickhouse_database_missing(e: Evidence) -> Found | None:
    record = e.of("clickhouse")
    if record.get("code") == UNKNOWN_DATABASE:
        return {"seen": record.get("text")}
    if e.failed("trace", "port", "web"):
        return line(e.log(r"UNKNOWN_DATABASE|code: 81, message: Database", "web", "worker"))
    return None


def dirty_schema_clickhouse(e: Evidence) -> Found | None:
    schema = e.of("clickhouse").get("schema") or {}
    if schema.get("dirty"):
        return {"version": schema["version"], "before": schema["version"] - 1, "seen": "schema_migrations: dirty = 1"}
    if e.failed("port", "web"):
        found = e.log(r"Dirty database version (?P<version>\d+)", age=86400.0)
        return line(found, before=str(int(found["version"]) - 1)) if found else None
    return None


def clickhouse_timezone(e: Evidence) -> Found | None:
    zone = e.of("clickhouse").get("timezone")
    return {"zone": zone, "seen": f"SELECT timezone() gives {zone}"} if zone and zone not in ch.UTC else None


def clickhouse_lost_rows(e: Evidence) -> Found | None:
    record = e.of("clickhouse")
    version = str(record.get("version", ""))
    if ch.loses_rows(version, record.get("raw_value")):
        return {"version": version, "seen": f"{ch.RAW_VALUE} = 0 for {record.get('user')}"}
    if record.get("raw_value") is not None or e.of("trace").get("code") != "not_readable":
        return None
    found = e.log(r"Numeric value is out of range for DateTime64", "worker", age=180.0)
    return line(found, version=version or "26.8 or newer")


def s3_rule(codes: tuple[str, ...], pattern: str = "") -> Callable[[Evidence], Found | None]:
    """The condition of a rule on the store's verdict, or on what web or worker logged while traces fail."""

    def when(e: Evidence) -> Found | None:
        for row in e.rows("s3"):
            if row.get("code") in codes:
                seen = f"{row.get('step')}: {row.get('store_code')} {row.get('text')}"
                return {"bucket": row.get("bucket"), "cure": row.get("cure"), "seen": seen}
        if not pattern or not e.failed("trace", "media"):
            return None
        media = e.of("media")
        if media.get("step") == "upload" and media.get("text") in pattern.split("|"):
            return {"bucket": "of media", "seen": f"upload: {media.get('text')}"}
        return line(e.log(pattern, "web", "worker"), bucket="of the application")

    return when


RULES = (
    Rule(
        "clickhouse_password",
        "clickhouse",
        clickhouse_password,
        "ClickHouse refuses the password of user {user}.",
        "Run site: it writes the password of a bundled ClickHouse, and sets that of a user for which "
        "langfuse_clickhouse_admin_user is given. Otherwise correct langfuse_clickhouse_password (letters and digits "
        "only: the migration tool does not encode it).",
    ),
    Rule(
        "clickhouse_database_missing",
        "clickhouse",
        clickhouse_database_missing,
        "ClickHouse has no such database.",
        "Give it its name back where it was renamed. Otherwise correct langfuse_clickhouse_database, or run site, "
        "which makes an empty one where langfuse_clickhouse_admin_user is given.",
    ),
    Rule(
        "clickhouse_down",
        "clickhouse",
        clickhouse_down,
        "ClickHouse does not answer at {where}. Web and worker stay healthy, but nothing is stored or read.",
        "Start it (site starts a bundled one), or correct langfuse_clickhouse_host and langfuse_clickhouse_port and "
        "run site. The worker then writes what waits; what it gave up meanwhile is replayed from the event bucket.",
    ),
    Rule(
        "dirty_schema_clickhouse",
        "clickhouse",
        dirty_schema_clickhouse,
        "Migration {version} failed half-way: table schema_migrations is dirty at version {version}, every start refuses.",
        "Look what it did, then run in the web image: migrate -source "
        "file://packages/shared/clickhouse/migrations/... -database $CLICKHOUSE_MIGRATION_URL force {before}, and run "
        "site, which migrates again.",
    ),
    Rule(
        "clickhouse_lost_rows",
        "clickhouse",
        clickhouse_lost_rows,
        "ClickHouse {version} reads the times of Langfuse up to 4.16 as seconds: traces are accepted and lost.",
        "Run site: it sets input_format_read_datetime_number_as_raw_value to 1 for a bundled ClickHouse, and where "
        "langfuse_clickhouse_admin_user is given. Otherwise set it in the profile of the user, or run ClickHouse 26.7 "
        "or older. Langfuse needs no restart.",
    ),
    Rule(
        "clickhouse_timezone",
        "clickhouse",
        clickhouse_timezone,
        "ClickHouse runs in time zone {zone}; Langfuse needs UTC, or traces appear hours away or not at all.",
        "Set <timezone>UTC</timezone> in its configuration and restart it.",
    ),
    Rule(
        "clickhouse_native_closed",
        "clickhouse",
        lambda e: {"seen": e.of("clickhouse").get("where")} if e.of("clickhouse").get("native_closed") else None,
        "ClickHouse does not listen on its native port, which CLICKHOUSE_MIGRATION_URL needs: the next upgrade will fail.",
        "Open tcp_port 9000 to web, or correct langfuse_clickhouse_native_port.",
        WARNING,
    ),
    Rule(
        "s3_wrong_keys",
        "s3_write",
        s3_rule(("s3_wrong_keys",), "SignatureDoesNotMatch|InvalidAccessKeyId"),
        "The object store refuses the keys for bucket {bucket}.",
        "Run site: it writes the keys of a bundled store, and those of web and worker. Otherwise correct "
        "langfuse_s3_access_key and langfuse_s3_secret_key; a proxy in front of the store must keep the Host header.",
    ),
    Rule(
        "s3_bucket_missing",
        "s3_write",
        s3_rule(("s3_bucket_missing",), "NoSuchBucket"),
        "Bucket {bucket} does not exist. Langfuse creates none.",
        "Run site: it makes the bucket of a bundled store, and where langfuse_s3_admin_access_key is given. Otherwise "
        "create it, or correct langfuse_s3_events_bucket and langfuse_s3_media_bucket.",
    ),
    Rule(
        "s3_down",
        "s3_write",
        s3_rule(("s3_down", "s3_tls", "s3_not_ready")),
        "The object store does not answer. Traces are refused with 500, and SDKs do not send them again.",
        "Start it (site starts a bundled one), or correct langfuse_s3_endpoint and run site.",
    ),
    Rule(
        "s3_refused",
        "s3_write",
        s3_rule(("s3_denied", "s3_no_keys", "s3_clock_skew", "s3_bad_request", "s3_error", "s3_foreign_bucket")),
        "The object store refuses bucket {bucket}.",
        "{cure}",
    ),
    Rule(
        "s3_upload_failed",
        "trace",
        lambda e: {"seen": e.of("trace").get("text")} if e.of("trace").get("code") == "s3_upload_failed" else None,
        "Langfuse web cannot write into the event bucket.",
        "Run site: it writes address, bucket and keys of web as langfuse_s3_endpoint, langfuse_s3_events_bucket, "
        "langfuse_s3_access_key and langfuse_s3_secret_key say. The store is looked at from this host; web itself may "
        "have no way to it.",
        unless=("s3_wrong_keys", "s3_bucket_missing", "s3_down", "s3_refused"),
    ),
)
