# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hops through stores conclude: kinds of errors, queues, lost rows, uploads of browsers."""

from __future__ import annotations

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import clickhouse, database, queue, storage


@pytest.mark.parametrize(
    ("public", "upload", "allowed"),
    [
        ("https://lf.example.com", "https://lf.example.com:443/langfuse-media/x", True),
        ("https://lf.example.com", "https://media.example.com/x", False),
        ("https://[fd00::1]", "https://[FD00::1]:443/x", True),
        ("http://localhost:3030", "http://localhost:9090/x", True),
        ("https://lf.example.com", "http://10.0.0.1:9000/x", False),
        ("https://lf.example.com", "https://b.s3.eu-central-1.amazonaws.com/x", True),
        ("https://lf.example.com", "https://amazonaws.com.evil.example/x", False),
        ("https://lf.example.com", "https://storage.googleapis.com/b/x", True),
    ],
)
def test_where_browsers_may_upload(public: str, upload: str, allowed: bool) -> None:
    assert storage.browser_may(public, upload) == allowed


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('FATAL: password authentication failed for user "lf"', "password"),
        ('FATAL: role "lf" does not exist', "password"),
        ('FATAL: database "x" does not exist', "missing"),
        ("connection failed: Connection refused", "unreachable"),
        ("FATAL: sorry, too many clients already", "full"),
        ("could not extend file: No space left on device", "disk"),
        ("something else", "other"),
    ],
)
def test_errors_of_postgresql(text: str, kind: str) -> None:
    assert database.error_kind(text) == kind


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("NoPermissionError", "No permissions to access a key", "acl"),
        ("ResponseError", "NOPERM this user has no permissions", "acl"),
        ("AuthenticationError", "invalid username-password pair", "password"),
        ("ConnectionError", "Error 111 connecting", "unreachable"),
        ("TimeoutError", "Timeout reading", "unreachable"),
        ("BusyLoadingError", "LOADING Redis is loading", "loading"),
        ("ResponseError", "MISCONF Redis is configured to save", "disk"),
        ("ResponseError", "ERR unknown", "other"),
    ],
)
def test_errors_of_redis(name: str, text: str, kind: str) -> None:
    assert queue.error_kind(name, text) == kind


def test_keys_of_bullmq() -> None:
    assert queue.queue_key("", "otel-ingestion-queue", "wait") == "bull:otel-ingestion-queue:wait"
    assert queue.queue_key("langfuse:", "otel-ingestion-queue", "wait") == "langfuse::otel-ingestion-queue:wait"
    assert queue.queue_key("lf:", "trace-upsert", "wait", True) == "{lf::trace-upsert}:trace-upsert:wait"
    assert queue.queue_key("", "trace-upsert", "wait", True) == "{trace-upsert}:trace-upsert:wait"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((3, 0), (3, 0), True),
        ((3, 0), (4, 0), True),
        ((3, 0), (2, 0), False),
        ((3, 1), (3, 1), False),
        ((0, 0), (0, 0), False),
    ],
)
def test_a_queue_that_nobody_empties(first: tuple[int, int], second: tuple[int, int], expected: bool) -> None:
    looks = [{"waiting": waiting, "active": active} for waiting, active in (first, second)]
    assert queue.stuck(looks[0], looks[1]) == expected


@pytest.mark.parametrize(
    ("version", "raw", "loses"),
    [("26.9.2.1", "0", True), ("26.8", "0", True), ("26.7.9", "0", False), ("27.1", "0", True), ("26.9", "1", False), ("26.9", None, False), ("", "0", False)],
)  # fmt: skip
def test_clickhouse_that_loses_rows(version: str, raw: str | None, loses: bool) -> None:
    assert clickhouse.loses_rows(version, raw) == loses
