# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence of a web or a worker that does not come up, and the causes that it has."""

from __future__ import annotations

from .cause_cases import REDIS, Cases, container

STUCK = {"status": 500, "json": False, "text": "Internal Server Error"}
T3 = "❌ Invalid environment variables: { SALT: [ 'A strong Salt is required to encrypt API keys securely.' ] }"
ZOD = ('ZodError: [', '  {', '    "code": "invalid_value",', '    "path": [', '      "REDIS_TLS_ENABLED"', '    ],')  # fmt: skip

CASES: Cases = [
    ("web environment", {"web": STUCK, "containers": [container("web", T3)]}, ("web",), ["web_stuck_500:error"]),
    ("web stuck, no log", {"web": STUCK}, ("web",), ["web_stuck_500:error"]),
    (
        "web stuck for the database",
        {"web": STUCK, "postgres": {"error": "unreachable"}},
        ("web", "database"),
        ["database_unreachable:error", "web_stuck_500:error"],
    ),
    (
        "init",
        {"web": STUCK, "containers": [container("web", "Error: Password needs to be at least 8 characters long.")]},
        ("web",),
        ["init_failed:error"],
    ),
    ("web down", {"port": {"kind": "refused", "where": "h:3000", "text": "refused"}}, ("port",), ["web_down:error"]),
    ("proxy without web", {"web": {"status": 502, "text": ""}}, ("web",), ["web_down:error"]),
    (
        "web exited",
        {"port": {"kind": "refused", "where": "h"}, "containers": [container("web", state="exited", exit_code=1)]},
        ("port",),
        ["web_down:error"],
    ),
    ("tls", {"web": {"kind": "tls", "where": "h"}}, ("web",), ["tls_failed:error"]),
    ("name", {"name": {"host": "h", "error": "unknown"}}, ("name",), ["name_unresolved:error"]),
    (
        "memory",
        {"containers": [container("web", "FATAL ERROR: JavaScript heap out of memory", restarts=3)]},
        ("port",),
        ["out_of_memory:error"],
    ),
    ("hostname", {"containers": [container("web", env={}, env_names=["SALT"])]}, (), ["hostname_unset:warning"]),
    (
        "hostname, port refused",
        {"port": {"kind": "refused", "where": "h", "text": ""}, "containers": [container("web", env={}, env_names=["SALT"])]},
        ("port",),
        ["web_down:error", "hostname_unset:error"],
    ),
    ("hostname empty", {"containers": [container("worker", env={"HOSTNAME": ""})]}, (), []),
    (
        "worker down",
        {"worker": {"kind": "refused", "where": "w", "text": "refused"}},
        ("worker",),
        ["worker_down:error"],
    ),
    (
        "worker exited",
        {"containers": [container("worker", state="exited", exit_code=137)]},
        ("trace",),
        ["worker_down:error"],
    ),
    (
        "worker environment",
        {"worker": {"kind": "refused"}, "containers": [container("worker", *ZOD, state="exited", exit_code=1)]},
        ("worker",),
        ["worker_invalid_env:error"],
    ),
    ("worker without stores", {"worker": {"status": 500}}, ("worker",), ["worker_unhealthy:error"]),
    (
        "worker stuck",
        {"worker": {"status": 503, "text": "Queue consumption stuck"}},
        ("worker",),
        ["worker_not_consuming:error"],
    ),
    ("jobs wait", {"redis": {**REDIS, "stuck": ["otel-ingestion-queue"]}}, ("queue",), ["worker_not_consuming:error"]),
    (
        "jobs wait after the trace",
        {"redis": {**REDIS, "waiting_after_trace": 1}},
        ("trace",),
        ["worker_not_consuming:error"],
    ),
    (
        "prefixes differ",
        {"containers": [container("web", env={"HOSTNAME": "::", "REDIS_KEY_PREFIX": "a:"}), container("worker")]},
        ("trace",),
        ["settings_differ:error"],
    ),
]  # fmt: skip
