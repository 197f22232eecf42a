# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence of a Langfuse that runs and does not take keys, traces or media, and the causes that it has."""

from __future__ import annotations

from .cause_cases import REDIS, Cases, container

CASES: Cases = [
    ("key missing", {"key": {"status": 401}}, ("key",), ["key_missing:error"]),
    (
        "key not in database",
        {"key": {"status": 401}, "postgres": {"key": {"found": False}}},
        ("key",),
        ["key_missing:error"],
    ),
    (
        "key secret",
        {"key": {"status": 401}, "postgres": {"key": {"found": True}}},
        ("key",),
        ["key_wrong_secret:error"],
    ),
    (
        "key cached",
        {"key": {"status": 401}, "postgres": {"key": {"found": True}}, "redis": {**REDIS, "negative_key": True}},
        ("key",),
        ["negative_key_cache:error"],
    ),
    ("key public", {"key": {"status": 200, "public_status": 401}}, ("key",), ["key_wrong_public:error"]),
    (
        "key public, database",
        {"key": {"status": 200, "public_status": 403}, "postgres": {"key": {"found": False}}},
        ("key",),
        ["key_wrong_public:error"],
    ),
    (
        "key project",
        {"key": {"status": 200, "projects": ["a"], "wrong_project": True}},
        ("key",),
        ["key_wrong_project:error"],
    ),
    ("read api", {"trace": {"code": "read_api_closed"}}, ("trace",), ["read_api_closed:error"]),
    (
        "different",
        {"trace": {"code": "different", "differences": [{"span": "fail", "field": "level"}]}},
        ("trace",),
        ["trace_different:error"],
    ),
    (
        "old sdk",
        {"containers": [container("web", 'Event type "trace-create" is not accepted by /api/public/ingestion')]},
        (),
        ["legacy_sdk:warning"],
    ),
    ("old sdk, counted", {"redis": {**REDIS, "legacy_usage": ["/api/public/traces"]}}, (), ["legacy_sdk:warning"]),
    (
        "media unreachable",
        {"media": {"origin": "http://minio:9000", "kind": "name", "text": ""}},
        ("media",),
        ["media_endpoint_unreachable:error"],
    ),
    (
        "media refused",
        {"media": {"origin": "https://a", "status": 403, "step": "upload", "text": "AccessDenied", "kind": None}},
        ("media",),
        ["media_refused:error"],
    ),
    ("media blocked", {"media": {"origin": "https://a", "browser_may": False}}, (), ["media_origin_blocked:warning"]),
    (
        "media cors",
        {"media": {"origin": "http://localhost:9", "browser_may": True, "cors": False}},
        (),
        ["media_cors:warning"],
    ),
    (
        "not refused",
        {"refusals": [{"request": "without a header", "status": 200}]},
        ("refusals",),
        ["not_refused:error"],
    ),
    ("port open", {"ports": [{"service": "postgres", "where": "10.0.0.1:5432"}]}, ("ports",), ["port_open:error"]),
    ("a second worker ended", {"unsound": ["lf-w-2 is exited"]}, ("containers",), ["container_unsound:error"]),
    (
        "a store ended, told by its own hop",
        {"unsound": ["lf-v-1 is exited"], "redis": {"error": "unreachable", "where": "r"}},
        ("queue", "containers"),
        ["redis_down:error"],
    ),
    ("too slow", {"too_slow": {"hop": "trace", "timeout": 5}}, ("trace",), ["too_slow:error"]),
]  # fmt: skip
