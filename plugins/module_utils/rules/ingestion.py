# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Causes in what is asked of a running Langfuse: keys, traces, media, and what must be closed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.rules.base import WARNING, Evidence, Found, Rule, line

_ERROR = re.compile(r"error|fatal|panic|exception|denied|refused", re.IGNORECASE)


def negative_key_cache(e: Evidence) -> Found | None:
    """The key exists in PostgreSQL, and Redis says that it does not."""
    if e.of("key").get("status") != 401:
        return None
    record = e.of("postgres").get("key") or {}
    if e.of("redis").get("negative_key") and record.get("found"):
        return {"seen": "api-key-non-existent is cached for this key"}
    return None


def key_wrong_secret(e: Evidence) -> Found | None:
    record = e.of("postgres").get("key") or {}
    if e.of("key").get("status") in (401, 403) and record.get("found") and not e.of("redis").get("negative_key"):
        hint = "" if record.get("secret_alike") else "its first and last characters differ from the stored ones"
        return {"seen": hint or e.of("key").get("text")}
    return None


def key_missing(e: Evidence) -> Found | None:
    if e.of("key").get("status") not in (401, 403):
        return None
    record = e.of("postgres").get("key")
    if record is not None and record.get("found"):
        return None
    return {"seen": e.of("key").get("text")}


def key_wrong_public(e: Evidence) -> Found | None:
    fact = e.of("key")
    if fact.get("status") != 200:
        return None
    record = e.of("postgres").get("key")
    if fact.get("public_status") == 401 or (record is not None and not record.get("found")):
        return {"seen": "GET /api/public/projects accepts the pair, but the public key is unknown"}
    return None


def key_wrong_project(e: Evidence) -> Found | None:
    fact = e.of("key")
    return {"projects": ", ".join(fact.get("projects", [])), "seen": ""} if fact.get("wrong_project") else None


DROPPED = r"Max attempts reached, dropped (?P<count>\d+)"
DROPPED_CAUSE = "The worker dropped {count} accepted rows, because ClickHouse was away for longer than its attempts."
DROPPED_CURE = (
    "Replay them from the event bucket (POST /api/admin/ingestion-replay, with langfuse_admin_api_enabled: true), set "
    "langfuse_ingestion_clickhouse_max_attempts: 600 and run site."
)


def rows_dropped_now(e: Evidence) -> Found | None:
    """Just now, and the trace is among them or may be."""
    return line(e.log(DROPPED, "worker", age=180.0)) if e.of("trace").get("code") == "not_readable" else None


def rows_dropped_before(e: Evidence) -> Found | None:
    return line(e.log(DROPPED, "worker", age=86400.0))


def legacy_sdk(e: Evidence) -> Found | None:
    used = e.of("redis").get("legacy_usage")
    if used:
        return {"seen": "Langfuse itself counted: " + ", ".join(used)}
    pattern = r"not accepted by /api/public/ingestion|Event type not accepted|Event type \"[\w-]+\" is not accepted"
    return line(e.log(pattern, "web", age=86400.0))


def read_api_closed(e: Evidence) -> Found | None:
    return {"seen": e.of("trace").get("text")} if e.of("trace").get("code") == "read_api_closed" else None


def trace_different(e: Evidence) -> Found | None:
    fact = e.of("trace")
    if fact.get("code") != "different":
        return None
    return {"fields": ", ".join(f"{row['span']}.{row['field']}" for row in fact.get("differences", [])), "seen": ""}


def media_endpoint_unreachable(e: Evidence) -> Found | None:
    fact = e.of("media")
    if e.failed("media") and fact.get("origin") and fact.get("kind"):
        return {"origin": fact["origin"], "seen": fact.get("text")}
    return None


def media_refused(e: Evidence) -> Found | None:
    fact = e.of("media")
    if not e.failed("media") or fact.get("kind") or not fact.get("status"):
        return None
    return {
        "step": fact.get("step"),
        "said": f"{fact.get('status')} {fact.get('text')}",
        "seen": fact.get("origin", ""),
    }


def media_origin_blocked(e: Evidence) -> Found | None:
    fact = e.of("media")
    return {"origin": fact.get("origin"), "seen": ""} if e.ok("media") and fact.get("browser_may") is False else None


def media_cors(e: Evidence) -> Found | None:
    fact = e.of("media")
    if e.ok("media") and fact.get("cors") is False and fact.get("browser_may"):
        return {"origin": fact.get("origin"), "seen": "the preflight request is not allowed"}
    return None


def not_refused(e: Evidence) -> Found | None:
    accepted = [f"{row['request']}: {row['status']}" for row in e.rows("refusals") if (row["status"] or 500) < 400]
    return {"seen": "; ".join(accepted)} if accepted else None


def too_slow(e: Evidence) -> Found | None:
    fact = e.of("too_slow")
    return {"timeout": fact["timeout"], "hop": fact["hop"], "seen": ""} if fact else None


def container_unsound(e: Evidence) -> Found | None:
    told = e.lines("unsound")
    if not told or not e.only("containers"):
        return None
    logs = [item["log"] for item in e.rows("containers") if any(one.startswith(f"{item['name']} ") for one in told)]
    return {"containers": "; ".join(told), "seen": next((_last(log) for log in logs if log), "")}


def _last(log: Sequence[Mapping[str, Any]]) -> str:
    """The last line that tells of an error, else the last one."""
    lines = [str(row["text"]) for row in log if str(row["text"]).strip()] or [""]
    return next((text for text in reversed(lines) if _ERROR.search(text)), lines[-1])


def port_open(e: Evidence) -> Found | None:
    rows = e.rows("ports")
    if not rows:
        return None
    return {"open": ", ".join(f"{row['service']} at {row['where']}" for row in rows), "seen": ""}


RULES = (
    Rule(
        "negative_key_cache",
        "key",
        negative_key_cache,
        "The key exists, but it was used before it did: Redis remembers it as unknown, and every further try renews that.",
        "Leave it alone for longer than LANGFUSE_CACHE_API_KEY_TTL_SECONDS (300 s), or delete the keys PREFIXapi-key:* "
        "in Redis.",
    ),
    Rule(
        "key_wrong_secret",
        "key",
        key_wrong_secret,
        "The public key exists, but this is not its secret.",
        "Put the old langfuse_init_project_secret_key back into the secrets file: an existing key keeps the secret it "
        "was made with. To rotate, set a new langfuse_init_project_public_key and a new secret, and run site.",
    ),
    Rule(
        "key_missing",
        "key",
        key_missing,
        "Langfuse does not know this key.",
        "Restart web with `docker restart`: it makes the project and its keys when it starts. If it does not, run "
        "site, which gives it both (langfuse_init_project_public_key and the secret); or create the key in the "
        "interface.",
    ),
    Rule(
        "key_wrong_public",
        "key",
        key_wrong_public,
        "The secret key is right and the public key is wrong: Langfuse accepts that, SDKs that use the public key do not.",
        "Correct langfuse_init_project_public_key to the one that belongs to this secret, and run site.",
    ),
    Rule(
        "key_wrong_project",
        "key",
        key_wrong_project,
        "The key belongs to project {projects}, not to the expected one.",
        "Use the project's own keys, or correct langfuse_init_project_id.",
    ),
    Rule(
        "read_api_closed",
        "trace",
        read_api_closed,
        "Web does not serve the read API of v4.",
        "Take LANGFUSE_MIGRATION_V4_ALLOW_PREVIEW_OPT_IN and LANGFUSE_MIGRATION_V4_WRITE_MODE out of "
        "langfuse_extra_env and langfuse_web_extra_env (or set them to true and events_only there), and run site.",
    ),
    Rule(
        "clickhouse_rows_dropped",
        "trace",
        rows_dropped_now,
        DROPPED_CAUSE,
        DROPPED_CURE,
        unless=("clickhouse_lost_rows", "clickhouse_down", "worker_down"),
    ),
    Rule(
        "clickhouse_rows_dropped",
        "trace",
        rows_dropped_before,
        DROPPED_CAUSE,
        DROPPED_CURE,
        WARNING,
        unless=("clickhouse_lost_rows", "clickhouse_rows_dropped"),
    ),
    Rule(
        "trace_different",
        "trace",
        trace_different,
        "The trace came back different in {fields}.",
        "Run site: it gives web and worker the images of one langfuse_version.",
    ),
    Rule(
        "legacy_sdk",
        "trace",
        legacy_sdk,
        "A client of Langfuse v3 (Python SDK v2, JavaScript SDK v3) is still in use: in events_only mode its traces are "
        "answered 207, each event refused with 400, and nothing is stored.",
        "Upgrade that client to Python SDK 4 or JavaScript SDK 5, or to OTLP; as a bridge set "
        "LANGFUSE_MIGRATION_V4_WRITE_MODE to dual in langfuse_extra_env and run site.",
        WARNING,
    ),
    Rule(
        "media_endpoint_unreachable",
        "media",
        media_endpoint_unreachable,
        "The address in upload URLs, {origin}, cannot be reached.",
        "Set langfuse_s3_public_endpoint to an address that browsers and SDKs reach (the application's own origin), "
        "let the proxy pass the bucket's path to the store with the Host header kept, and run site.",
        unless=("s3_down",),
    ),
    Rule(
        "media_refused",
        "media",
        media_refused,
        "Media fail at {step}: {said}.",
        "Run site: it gives web the bucket (langfuse_s3_media_bucket) and its keys. A proxy must keep Host, "
        "Content-Type and x-amz-checksum-sha256 as they were signed.",
        unless=("s3_wrong_keys", "s3_bucket_missing", "s3_down", "s3_refused", "redis_down", "database_unreachable"),
    ),
    Rule(
        "media_origin_blocked",
        "media",
        media_origin_blocked,
        "Uploads from the interface are blocked: the application's content-security policy does not allow {origin}.",
        "Serve the media bucket under the application's own origin, set langfuse_s3_public_endpoint to it, and run "
        "site.",
        WARNING,
    ),
    Rule(
        "media_cors",
        "media",
        media_cors,
        "The bucket at {origin} does not allow uploads from the interface's origin (CORS); SDKs are not affected.",
        "Write the origin of langfuse_public_url into langfuse_s3_cors_origins, and run site; where the key may not set that, "
        "allow it PUT, GET and HEAD with content-type and x-amz-checksum-sha256 (at Azure x-ms-blob-type) in the bucket's CORS "
        "rules.",
        WARNING,
    ),
    Rule(
        "not_refused",
        "refusals",
        not_refused,
        "Langfuse answers requests it must refuse.",
        "Something in front adds credentials or answers itself: remove the Authorization header from the proxy.",
    ),
    Rule(
        "too_slow",
        "trace",
        too_slow,
        "The check ran out of its {timeout} s before hop {hop}.",
        "Look at the slow hops before it.",
    ),
    Rule(
        "port_open",
        "ports",
        port_open,
        "Reachable from outside: {open}.",
        "Publish it on 127.0.0.1 only, or not at all: correct langfuse_bind_address or langfuse_compose_overrides, "
        "and run site.",
    ),
    Rule(
        "container_unsound",
        "containers",
        container_unsound,
        "All that was tried works, but {containers}.",
        "Run site, which starts what ended. Where it ends again, mend what its last line says.",
    ),
)
