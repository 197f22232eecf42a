# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small decisions: errors of stores, containers, tables for people, names and origins."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import containers, http_client, report, s3
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import (
    clickhouse,
    database,
    nextauth,
    queue,
    session,
    sso,
    storage,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import Finding


@pytest.mark.parametrize(
    ("store_code", "code", "waits"),
    [
        ("refused", "s3_down", True),
        ("name", "s3_down", True),
        ("timeout", "s3_down", True),
        ("tls", "s3_tls", False),
        ("SignatureDoesNotMatch", "s3_wrong_keys", False),
        ("InvalidAccessKeyId", "s3_wrong_keys", False),
        ("RequestTimeTooSkewed", "s3_clock_skew", False),
        ("BucketAlreadyExists", "s3_foreign_bucket", False),
        ("AccessDenied", "s3_denied", False),
        ("NoSuchBucket", "s3_bucket_missing", False),
        ("InvalidBucketName", "s3_bad_request", False),
        ("ServiceUnavailable", "s3_not_ready", True),
        ("NoCredentialsError", "s3_no_keys", False),
        ("ExpiredToken", "s3_wrong_keys", False),
        ("PermanentRedirect", "s3_bad_request", False),
        ("SomethingNew", "s3_error", False),
    ],
)
def test_errors_of_stores(store_code: str, code: str, waits: bool) -> None:
    error = s3.StoreError(store_code, "said")
    failure = s3.explain(error, "http://store", "events")
    assert (failure.code, failure.details["store_code"], s3.passing(error)) == (code, store_code, waits)
    assert failure.cure


@pytest.mark.parametrize(
    ("store_code", "status", "setting", "code"),
    [
        ("NotImplemented", 501, "lifecycle", "s3_unsupported"),
        ("MethodNotAllowed", 405, "cors", "s3_unsupported"),
        ("Odd", 501, "cors", "s3_unsupported"),
        ("NotImplemented", 501, "", "s3_error"),
        ("InvalidArgument", 400, "lifecycle", "s3_setting_refused"),
        ("MalformedPolicy", 400, "policy", "s3_setting_refused"),
        ("InvalidArgument", 400, "", "s3_error"),
        ("AccessDenied", 403, "policy", "s3_denied"),
    ],
)
def test_errors_of_settings_name_the_setting(store_code: str, status: int, setting: str, code: str) -> None:
    failure = s3.explain(s3.StoreError(store_code, "said.", status), "http://store", "events", setting)
    assert (failure.code, failure.details.get("setting", "")) == (code, setting)
    assert "bucket events" in failure.message
    assert "http://store" in failure.message
    assert store_code in failure.message
    assert setting in failure.cure


def test_a_wrong_region_is_no_wrong_key() -> None:
    error = s3.StoreError("AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-central-1'")
    assert s3.explain(error, "AWS", "events").code == "s3_bad_request"
    assert s3.explain(s3.StoreError("AuthorizationHeaderMalformed", "no"), "AWS", "events").code == "s3_wrong_keys"


def test_steps_end_with_the_first_that_fails() -> None:
    def fail() -> None:
        raise s3.StoreError("AccessDenied", "no")

    done = s3.run_steps([("a", lambda: None), ("b", fail), ("c", lambda: None)])
    assert [(row["step"], row["ok"], row.get("store_code")) for row in done] == [
        ("a", True, None),
        ("b", False, "AccessDenied"),
    ]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (socket.gaierror(-2, "unknown"), "name"),
        (TimeoutError(), "timeout"),
        (ssl.SSLError("handshake"), "tls"),
        (ConnectionRefusedError(), "refused"),
        (ConnectionResetError(), "closed"),
        (OSError(113, "no route"), "unreachable"),
    ],
)
def test_kinds_of_no_answer(error: BaseException, kind: str) -> None:
    assert http_client.kind_of(error) == kind


def test_resolve_entries() -> None:
    assert http_client.parse_resolve(["Host:443:10.0.0.5", "v6:80:[::1]"]) == {"host:443": "10.0.0.5", "v6:80": "::1"}
    for wrong in ("host", "host:443", "host:x:1.2.3.4", ":443:1.2.3.4"):
        with pytest.raises(ValueError, match="HOST:PORT:ADDRESS"):
            http_client.parse_resolve([wrong])


@pytest.mark.parametrize(
    ("service", "image", "role"),
    [
        ("langfuse-web", "registry/langfuse/langfuse:4.16.0", "web"),
        ("app", "langfuse/langfuse@sha256:00", "web"),
        ("langfuse-web-b", "mirror/own:1", "web"),
        ("langfuse-worker", "langfuse/langfuse-worker:4", "worker"),
        ("store", "clickhouse/clickhouse-server:26.4", "clickhouse"),
        ("cache", "valkey/valkey:8.1", "redis"),
        ("redis", "dragonflydb/dragonfly", "redis"),
        ("postgres", "postgres:17", "postgres"),
        ("s3", "chrislusf/seaweedfs", "s3"),
        ("caddy", "caddy:2", "other"),
        ("db", "pgvector/pgvector:pg17", "postgres"),
        ("db", "ankane/pgvector", "postgres"),
        ("db", "timescale/timescaledb-ha:pg17", "postgres"),
        ("db", "postgis/postgis:17-3.5", "postgres"),
        ("db", "docker.io/bitnami/postgresql:17", "postgres"),
        ("db", "supabase/postgres:15.8.1", "postgres"),
        ("db", "ghcr.io/cloudnative-pg/postgresql:17", "postgres"),
        ("db", "localhost:5000/tensorchord/pgvecto-rs:pg17", "postgres"),
        ("pgsql", "mirror/own:1", "postgres"),
        ("cache", "redis/redis-stack:7.4.0-v3", "redis"),
        ("cache", "redis/redis-stack-server", "redis"),
        ("cache", "bitnami/redis-cluster:7.4", "redis"),
        ("cache", "valkey/valkey-bundle:8.1", "redis"),
        ("cache", "eqalpha/keydb", "redis"),
        ("files", "quay.io/minio/minio:RELEASE.2025", "s3"),
        ("files", "bitnami/minio", "s3"),
        ("postgres", "mysql:8", "postgres"),
        ("postgres-exporter", "quay.io/prometheuscommunity/postgres-exporter", "other"),
        ("redis", "oliver006/redis_exporter:v1", "other"),
        ("metrics", "bitnami/redis-exporter", "other"),
        ("redis", "redis/redisinsight:2", "other"),
        ("redis-ui", "rediscommander/redis-commander", "other"),
        ("postgres-gui", "dpage/pgadmin4", "other"),
        ("postgres", "sosedoff/pgweb", "other"),
        ("pgbouncer", "bitnami/pgbouncer", "other"),
        ("pgpool", "bitnami/pgpool", "other"),
        ("backup", "prodrigestivill/postgres-backup-local:17", "other"),
        ("postgres-backup", "postgres:17", "other"),
        ("redis-sentinel", "redis:7", "other"),
        ("sentinel", "bitnami/redis-sentinel:7", "other"),
        ("minio-init", "minio/mc", "other"),
        ("createbuckets", "minio/minio", "other"),
        ("keeper", "clickhouse/clickhouse-keeper", "other"),
    ],
)
def test_roles_of_containers(service: str, image: str, role: str) -> None:
    assert containers.role_of(service, image) == role


INSPECTED: dict[str, Any] = {
    "Id": "abc",
    "Name": "/lf-langfuse-web-1",
    "RestartCount": 4,
    "State": {
        "Status": "running",
        "ExitCode": 0,
        "Health": {"Status": "unhealthy", "Log": [{"Output": " refused \n"}]},
    },
    "Config": {
        "Image": "langfuse/langfuse:4",
        "Labels": {"com.docker.compose.project": "lf", "com.docker.compose.service": "langfuse-web"},
        "Env": ["SALT=hidden", "NEXTAUTH_URL=https://u:pw@host", "REDIS_AUTH=hidden", "REDIS_HOST=valkey", "HOSTNAME="],
    },
    "NetworkSettings": {"Networks": {"lf_default": {"IPAddress": "10.1.0.2", "Aliases": ["langfuse-web", "web"]}}},
}


def test_a_container_shows_names_but_no_secret_values() -> None:
    seen = containers.summarize(INSPECTED)
    assert (seen["role"], seen["restarts"], seen["health"], seen["health_log"]) == ("web", 4, "unhealthy", ["refused"])
    assert seen["env"] == {"NEXTAUTH_URL": "https://u:***@host", "REDIS_HOST": "valkey", "HOSTNAME": ""}
    assert "SALT" in seen["env_names"]
    assert "hidden" not in json.dumps(seen)
    assert "log" not in containers.public(seen)


def test_names_on_the_networks_of_the_project() -> None:
    def other(name: str, network: str, address: str) -> dict[str, Any]:
        return {
            "Name": f"/{name}",
            "Config": {"Labels": {}},
            "NetworkSettings": {"Networks": {network: {"IPAddress": address, "Aliases": None}}},
        }

    table = containers.addresses(
        [INSPECTED, other("pg", "lf_default", "10.1.0.9"), other("x", "else", "10.2.0.1")], "lf"
    )
    assert table == {"lf-langfuse-web-1": "10.1.0.2", "langfuse-web": "10.1.0.2", "web": "10.1.0.2", "pg": "10.1.0.9"}


def test_log_lines_have_an_age() -> None:
    now = datetime.datetime(2026, 11, 21, 21, 0, tzinfo=datetime.UTC)
    lines = containers.parse_log("2026-11-21T20:59:25.123456789Z postgres://u:pw@h said\nplain", now)
    assert lines == [{"age": 35.0, "text": "postgres://u:***@h said"}, {"age": 0.0, "text": "plain"}]


def test_the_table_is_aligned_and_names_the_causes() -> None:
    hops = [
        {"name": "port", "status": "ok", "ms": 1.26, "detail": "open"},
        {"name": "clickhouse", "status": "failed", "ms": 1234.5, "detail": "x" * 300},
        {"name": "ports", "status": "skipped", "ms": 0, "detail": "not asked"},
    ]
    cause = {
        "code": "c",
        "severity": "error",
        "hop": "clickhouse",
        "cause": "It is down.",
        "cure": "Start it.",
        "evidence": "e",
    }
    lines = report.table(hops, [cause], 1236)
    assert lines[0] == "hop         status    ms  detail"
    assert lines[1] == "port        ok         1  open"
    assert lines[3] == "ports       -          0  not asked"
    assert lines[4] == "total               1236"
    assert lines[5:] == ["", "c (error): It is down.", "  cure: Start it.", "  seen: e"]
    assert all(len(line) <= report.WIDTH + 30 for line in lines)
    assert report.verdict(hops, [cause], "clickhouse").endswith("Cause: It is down. Cure: Start it.")
    assert report.verdict(hops, [], "") == "Langfuse is healthy."


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


def test_what_next_auth_says() -> None:
    def said(status: int, body: Any) -> str:
        return nextauth.error_of(http_client.Response(status, [], json.dumps(body).encode(), 1))

    assert (
        said(401, {"url": "http://h/api/auth/error?error=Invalid%20credentials&provider=credentials"})
        == "Invalid credentials"
    )
    assert said(200, {"url": "http://h"}) == ""
    assert nextauth.error_of(http_client.Response(302, [("Location", "/auth/error?error=X")], b"", 1)) == "X"


def test_facts_of_a_session() -> None:
    organizations = [
        {"name": "A", "role": "VIEWER", "projects": [{"id": "one"}]},
        {"name": "B", "role": "OWNER", "projects": [{"id": "two"}]},
    ]
    user = {"user": {"email": "a@b", "organizations": organizations}}
    assert session.session_facts(user, "two") == {"email": "a@b", "role": "OWNER", "organization": "B"}
    assert session.session_facts(user, None)["role"] == "VIEWER"
    assert session.session_facts(user, "three") == {"email": "a@b", "role": "", "organization": ""}
    assert session.session_facts({}, "two")["email"] == ""


CALLBACK = "http://localhost:3030/api/auth/callback/keycloak"


@pytest.mark.parametrize(
    ("status", "location", "page", "verdict", "said"),
    [
        (200, "", "<title>Sign in to platform</title>", sso.ACCEPTED, "200"),
        (302, "https://id.example.com/login?state=x", "", sso.ACCEPTED, "302"),
        (303, f"{CALLBACK}?code=x", "", sso.ACCEPTED, "303"),
        (
            400,
            "",
            "<title>Sign in</title><p>Invalid parameter: redirect_uri</p>",
            sso.REFUSED,
            "400 Invalid parameter: redirect_uri",
        ),
        (400, "", "<p>Client not found.</p>", sso.REFUSED, "400 Client not found"),
        (403, "", "<title> Oops </title>", sso.REFUSED, "403 Oops"),
        (404, "", "", sso.REFUSED, "404"),
        (302, "https://id.example.com/oauth/error?authError=abc", "", sso.REFUSED, "abc"),
        (
            302,
            f"{CALLBACK}?error=invalid_scope&error_description=No+such",
            "",
            sso.SENT_BACK,
            "invalid_scope (No such)",
        ),
        (502, "", "", sso.UNCLEAR, "502"),
    ],
)
def test_answers_to_an_authorization_request(status: int, location: str, page: str, verdict: str, said: str) -> None:
    assert sso.to_request(status, location, page, CALLBACK) == (verdict, said)


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({"error": "invalid_grant"}, sso.ACCEPTED),
        ({"error": "invalid_client"}, sso.REFUSED),
        ({"error": "unauthorized_client"}, sso.REFUSED),
        ({"error": "invalid_request"}, sso.UNCLEAR),
        ({}, sso.UNCLEAR),
        (None, sso.UNCLEAR),
    ],
)
def test_answers_to_a_code_that_nobody_was_given(body: Any, verdict: str) -> None:
    assert sso.to_secret(body).verdict == verdict


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("https://a/", "https://a", True), ("https://a", "https://a", True), ("http://a", "https://a", False)],
)
def test_a_slash_does_not_make_another_issuer(one: str, other: str, same: bool) -> None:
    assert sso.same_issuer(one, other) == same


@pytest.mark.parametrize(
    ("request_", "secret", "found", "status", "said"),
    [
        (sso.ACCEPTED, sso.ACCEPTED, "https://a", "ok", "keycloak knows client, callback and secret"),
        (sso.ACCEPTED, sso.UNCLEAR, "", "ok", "keycloak knows client and callback"),
        (sso.UNCLEAR, sso.UNCLEAR, "", "ok", "unseen from here: away"),
        (sso.REFUSED, sso.REFUSED, "https://a", "failed", "its callback http://c"),
        (sso.SENT_BACK, sso.ACCEPTED, "https://a", "failed", "sends people back: said"),
        (sso.ACCEPTED, sso.REFUSED, "https://a", "failed", "refuses the secret of client lf: said"),
        (sso.ACCEPTED, sso.ACCEPTED, "https://b", "warning", "calls itself https://b, not https://a"),
    ],
)
def test_what_is_told_of_a_provider(request_: str, secret: str, found: str, status: str, said: str) -> None:
    record = {"provider": "keycloak", "client": "lf", "callback": "http://c", "issuer": "https://a"}
    record |= {"issuer_found": found}
    facts = {**record, "unreachable": {"text": "away"}}
    finding = sso.judge(facts, sso.Answer(request_, "said"), sso.Answer(secret, "said"))
    assert finding.status == status
    assert said in finding.detail


def test_sign_in_is_as_good_as_its_worst_way() -> None:
    skipped, fine, broken = (Finding(status, status) for status in ("skipped", "ok", "failed"))
    assert session.worst(skipped, skipped) == skipped
    assert session.worst(skipped, fine) == fine
    assert session.worst(fine, fine) == Finding("ok", "ok; ok")
    assert session.worst(fine, broken) == broken
    assert session.worst(broken, fine) == broken
