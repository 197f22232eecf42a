# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence of broken stores, and the causes that it has."""

from __future__ import annotations

from .cause_cases import REDIS, Cases, container

CLICKHOUSE = {
    "kind": None,
    "code": None,
    "user": "lf",
    "version": "26.4.1",
    "raw_value": "1",
    "timezone": "UTC",
    "disks": [],
}
WRONGKEY = {"role": "events", "bucket": "b", "step": "write", "store_code": "SignatureDoesNotMatch", "text": "no"}

CASES: Cases = [
    (
        "database down",
        {"postgres": {"error": "unreachable", "where": "pg:5432"}},
        ("database",),
        ["database_unreachable:error"],
    ),
    (
        "stack down",
        {
            "postgres": {"error": "unreachable", "where": "pgsql:5432"},
            "stack": {"project": "shop", "down": ["pgsql"]},
        },
        ("database",),
        ["stack_down:error", "database_unreachable:error"],
    ),
    ("another service of a stack in use", {"stack": {"project": "shop", "down": ["pgsql"]}}, (), []),
    ("database down, web says", {"web_database": {"status": 503}}, ("database",), ["database_unreachable:error"]),
    ("database password", {"postgres": {"error": "password"}}, ("database",), ["database_password:error"]),
    (
        "database password, log",
        {"containers": [container("web", 'password authentication failed for user "lf"')]},
        ("web",),
        ["database_password:error"],
    ),
    (
        "database missing",
        {"postgres": {"error": "missing", "database": "x"}},
        ("database",),
        ["database_missing:error"],
    ),
    (
        "prisma dirty",
        {"postgres": {"error": None, "unfinished": ["2026_x"]}},
        ("database",),
        ["dirty_schema_postgres:error"],
    ),
    (
        "prisma dirty, log",
        {"containers": [container("web", "Error: P3009")]},
        ("port",),
        ["dirty_schema_postgres:error"],
    ),
    ("background", {"postgres": {"background_failed": ["step_4"]}}, (), ["background_migration_failed:warning"]),
    ("redis down", {"redis": {"error": "unreachable", "where": "r"}}, ("queue",), ["redis_down:error"]),
    ("redis hangs", {"trace": {"code": "request_hangs"}}, ("trace",), ["redis_down:error"]),
    ("redis hangs at key", {"key": {"status": None, "kind": "timeout"}}, ("key",), ["redis_down:error"]),
    ("redis seen well", {"redis": REDIS, "trace": {"code": "request_hangs"}}, ("trace",), ["trace_failed:error"]),
    ("redis password", {"redis": {"error": "password"}}, ("queue",), ["redis_password:error"]),
    ("redis acl", {"redis": {"error": "acl", "user": "lf"}}, ("queue",), ["redis_acl:error"]),
    (
        "redis acl, log",
        {"containers": [container("worker", "ReplyError: NOPERM this user")]},
        (),
        ["redis_acl:warning"],
    ),
    ("redis emptied", {"redis": {**REDIS, "schedules": []}}, (), ["redis_emptied:warning"]),
    (
        "redis empty, no worker",
        {"redis": {**REDIS, "schedules": []}, "worker": {"kind": "refused"}},
        ("worker",),
        ["worker_down:error"],
    ),
    ("redis evicts", {"redis": {**REDIS, "policy": "allkeys-lru"}}, (), ["redis_evicting:warning"]),
    (
        "redis evicts, log",
        {"containers": [container("worker", "IMPORTANT! Eviction policy is volatile-lru.")]},
        (),
        ["redis_evicting:warning"],
    ),
    ("clickhouse down", {"clickhouse": {"kind": "refused", "where": "ch"}}, ("clickhouse",), ["clickhouse_down:error"]),
    ("clickhouse memory", {"clickhouse": {"code": 241}}, ("clickhouse",), ["clickhouse_down:error"]),
    ("clickhouse down, read", {"trace": {"code": "read_failed"}}, ("trace",), ["clickhouse_down:error"]),
    (
        "clickhouse password",
        {"clickhouse": {"code": 516, "user": "lf"}},
        ("clickhouse",),
        ["clickhouse_password:error"],
    ),
    ("clickhouse database", {"clickhouse": {"code": 81}}, ("clickhouse",), ["clickhouse_database_missing:error"]),
    (
        "clickhouse zone",
        {"clickhouse": {**CLICKHOUSE, "timezone": "Europe/Berlin"}},
        ("clickhouse",),
        ["clickhouse_timezone:error"],
    ),
    (
        "clickhouse dirty",
        {"clickhouse": {**CLICKHOUSE, "schema": {"version": 46, "dirty": True}}},
        ("clickhouse",),
        ["dirty_schema_clickhouse:error"],
    ),
    (
        "clickhouse dirty, log",
        {"containers": [container("web", "error: Dirty database version 46. Fix and force version.")]},
        ("port",),
        ["dirty_schema_clickhouse:error"],
    ),
    (
        "clickhouse 26.9 off",
        {"clickhouse": {**CLICKHOUSE, "version": "26.9.2.1", "raw_value": "0"}},
        ("clickhouse", "trace"),
        ["clickhouse_lost_rows:error"],
    ),
    ("clickhouse 26.9 on", {"clickhouse": {**CLICKHOUSE, "version": "26.9.2.1"}}, (), []),
    ("clickhouse 26.7 off", {"clickhouse": {**CLICKHOUSE, "version": "26.7.1", "raw_value": "0"}}, (), []),
    (
        "clickhouse lost, log",
        {"trace": {"code": "not_readable"}, "containers": [container("worker", "Numeric value is out of range for DateTime64")]},
        ("trace",),
        ["clickhouse_lost_rows:error"],
    ),
    (
        "clickhouse lost long ago",
        {"trace": {"code": "not_readable"}, "containers": [container("worker", "Numeric value is out of range for DateTime64", age=600)]},
        ("trace",),
        ["trace_failed:error"],
    ),
    (
        "rows dropped",
        {"containers": [container("worker", "Max attempts reached, dropped 20 events_full record(s)", age=7200)]},
        (),
        ["clickhouse_rows_dropped:warning"],
    ),
    (
        "rows dropped now",
        {"trace": {"code": "not_readable"}, "containers": [container("worker", "Max attempts reached, dropped 3 x")]},
        ("trace",),
        ["clickhouse_rows_dropped:error"],
    ),
    ("native port", {"clickhouse": {**CLICKHOUSE, "native_closed": True}}, (), ["clickhouse_native_closed:warning"]),
    ("s3 keys", {"s3": [{**WRONGKEY, "code": "s3_wrong_keys"}]}, ("s3_write",), ["s3_wrong_keys:error"]),
    ("s3 bucket", {"s3": [{**WRONGKEY, "code": "s3_bucket_missing"}]}, ("s3_write",), ["s3_bucket_missing:error"]),
    ("s3 down", {"s3": [{**WRONGKEY, "code": "s3_down"}]}, ("s3_write",), ["s3_down:error"]),
    ("s3 denied", {"s3": [{**WRONGKEY, "code": "s3_denied", "cure": "Grant."}]}, ("s3_write",), ["s3_refused:error"]),
    ("s3 without keys", {"s3": [{**WRONGKEY, "code": "s3_no_keys", "cure": "Give."}]}, ("s3_write",), ["s3_refused:error"]),
    (
        "s3 keys of web",
        {"trace": {"code": "s3_upload_failed"}, "containers": [container("web", "S3 failed SignatureDoesNotMatch")]},
        ("trace",),
        ["s3_wrong_keys:error"],
    ),
    ("s3 of web", {"trace": {"code": "s3_upload_failed"}}, ("trace",), ["s3_upload_failed:error"]),
    ("disk of postgres", {"postgres": {"error": "disk"}}, ("database",), ["disk_full:error"]),
    (
        "disk of clickhouse",
        {"clickhouse": {**CLICKHOUSE, "disks": [{"name": "default", "free": 1, "total": 100}]}},
        (),
        ["disk_full:error"],
    ),
    (
        "disk, log",
        {"containers": [container("redis", "write error: No space left on device")]},
        ("trace",),
        ["disk_full:error"],
    ),
    ("disk, log, all well", {"containers": [container("redis", "write error: No space left on device")]}, (), []),
]  # fmt: skip
