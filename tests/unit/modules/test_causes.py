# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence in, causes out: a row for every rule, and that nothing broken stays without a name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.module_utils import causes

CONTRACT = Path(__file__).parents[3] / "roles" / "langfuse" / "meta" / "argument_specs.yml"
ALL = (
    "name port web database key s3_write queue worker clickhouse trace media sign_in refusals ports containers consumers".split()  # noqa: SIM905
)
CLICKHOUSE = {
    "kind": None,
    "code": None,
    "user": "lf",
    "version": "26.4.1",
    "raw_value": "1",
    "timezone": "UTC",
    "disks": [],
}
REDIS = {
    "error": None,
    "where": "valkey:6379",
    "user": "default",
    "policy": "noeviction",
    "schedules": ["x"],
    "stuck": [],
}
SSO = {
    "provider": "keycloak",
    "issuer": "https://kc/realms/a",
    "client": "lf",
    "callback": "http://lf/c",
    "offered": ["keycloak"],
}
REFUSED = {"verdict": "refused", "said": "no"}


def hops(*failed: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "status": "failed" if name in failed else "ok",
            "detail": f"{name} said so",
            "cause": "",
            "cure": "",
        }
        for name in ALL
    ]


def container(role: str, *log: str, age: float = 5.0, **changes: Any) -> dict[str, Any]:
    return {
        "name": f"lf-{role}-1",
        "service": f"langfuse-{role}",
        "role": role,
        "oneoff": False,
        "state": "running",
        "exit_code": 0,
        "restarts": 0,
        "oom_killed": False,
        "health": "healthy",
        "health_log": [],
        "env_names": ["HOSTNAME"],
        "env": {"HOSTNAME": "0.0.0.0"},
        "log": [{"age": age, "text": text} for text in log],
        **changes,
    }


def codes(evidence: dict[str, Any], *failed: str) -> list[str]:
    return [f"{cause['code']}:{cause['severity']}" for cause in causes.diagnose(hops(*failed), evidence)]


STUCK = {"status": 500, "json": False, "text": "Internal Server Error"}
T3 = "❌ Invalid environment variables: { SALT: [ 'A strong Salt is required to encrypt API keys securely.' ] }"
ZOD = ('ZodError: [', '  {', '    "code": "invalid_value",', '    "path": [', '      "REDIS_TLS_ENABLED"', '    ],')  # fmt: skip
WRONGKEY = {"role": "events", "bucket": "b", "step": "write", "store_code": "SignatureDoesNotMatch", "text": "no"}

CASES: list[tuple[str, dict[str, Any], tuple[str, ...], list[str]]] = [
    ("nothing", {}, (), []),
    ("no rule", {}, ("refusals",), ["refusals_failed:error"]),
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
    ("sign-in", {"sign_in": {"status": 401, "error": "CredentialsSignin"}}, ("sign_in",), ["sign_in_failed:error"]),
    ("sign-in, server broken", {"sign_in": {"status": 500, "error": ""}}, ("sign_in",), ["sign_in_failed:error"]),
    (
        "a password that is right explains nothing",
        {"sign_in": {"status": 200, "error": "", "step": None}, "sso": {**SSO, "request": REFUSED}},
        ("sign_in",),
        ["sso_redirect_refused:error"],
    ),
    ("provider not offered", {"sso": {**SSO, "offered": ["credentials"]}}, ("sign_in",), ["sso_not_offered:error"]),
    ("provider away", {"sso": {**SSO, "error": "OAuthSignin"}}, ("sign_in",), ["sso_issuer_unreachable:error"]),
    ("callback unknown", {"sso": {**SSO, "request": REFUSED}}, ("sign_in",), ["sso_redirect_refused:error"]),
    ("sent back", {"sso": {**SSO, "request": {**REFUSED, "verdict": "sent_back"}}}, ("sign_in",), ["sso_request_refused:error"]),
    ("secret wrong", {"sso": {**SSO, "secret": REFUSED}}, ("sign_in",), ["sso_client_secret:error"]),
    (
        "callback unknown and secret wrong",
        {"sso": {**SSO, "request": REFUSED, "secret": REFUSED}},
        ("sign_in",),
        ["sso_redirect_refused:error", "sso_client_secret:error"],
    ),
    ("issuer differs", {"sso": {**SSO, "issuer_found": "https://other/"}}, (), ["sso_issuer_differs:warning"]),
    ("issuer with a slash", {"sso": {**SSO, "issuer_found": "https://kc/realms/a/"}}, (), []),
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
    *(
        (
            f"a consumer, {about}",
            {"consumers": [{"about": about, "what": "/srv/.env: X", "cure": "Do it."}]},
            ("consumers",),
            [f"{code}:error"],
        )
        for about, code in (
            ("keys", "consumer_keys"),
            ("config", "consumer_config"),
            ("container", "consumer_container"),
            ("down", "consumer_down"),
            ("other", "consumer_unreachable"),
            *((code, code) for code in ("gateway_callback", "gateway_sdk", "gateway_refused", "gateway_address")),
        )
    ),
    (
        "a second worker ended, and a consumer",
        {"unsound": ["lf-w-2 is exited"], "consumers": [{"about": "keys", "what": "x", "cure": ""}]},
        ("containers", "consumers"),
        ["container_unsound:error", "consumer_keys:error"],
    ),
    ("too slow", {"too_slow": {"hop": "trace", "timeout": 5}}, ("trace",), ["too_slow:error"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("evidence", "failed", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_causes(evidence: dict[str, Any], failed: tuple[str, ...], expected: list[str]) -> None:
    assert codes(evidence, *failed) == expected


def test_every_rule_has_a_case() -> None:
    seen = {code.split(":")[0] for case in CASES for code in case[3]}
    assert {rule.code for rule in causes.RULES} - seen == set()


def test_every_text_is_filled_and_ends() -> None:
    for name, evidence, failed, _ in CASES:
        for cause in causes.diagnose(hops(*failed), evidence):
            assert "{" not in cause["cause"] + cause["cure"], name
            assert cause["cause"].endswith("."), name
            assert cause["cure"].endswith("."), name


def test_cures_speak_of_variables_and_playbooks() -> None:
    """What people can set and run, by names that exist."""
    contract = yaml.safe_load(CONTRACT.read_text())["argument_specs"].values()
    known = {name for entry in contract for name in entry["options"]}
    for rule in causes.RULES:
        # A stack of their own has no playbook.
        cure = rule.cure.replace("{role}", "web").replace("docker compose -p {project}", "")
        assert set(re.findall(r"langfuse_[a-z0-9_]+", cure)) <= known, rule.code
        assert not re.search(r"docker compose|docker logs|\bca_path\b|\bin resolve\b|\boption\b", cure), rule.code


def test_the_variable_is_named() -> None:
    web = causes.diagnose(hops("web"), {"web": STUCK, "containers": [container("web", T3)]})[0]
    assert "SALT is invalid" in web["cause"]
    assert web["cure"].startswith("Take SALT out of langfuse_extra_env")
    evidence = {"worker": {"kind": "refused"}, "containers": [container("worker", *ZOD, state="exited", exit_code=1)]}
    assert "REDIS_TLS_ENABLED" in causes.diagnose(hops("worker"), evidence)[0]["cause"]


def test_a_hop_gets_its_own_cause_or_the_first_error() -> None:
    walked = hops("database", "trace")
    causes.explain(walked, causes.diagnose(walked, {"postgres": {"error": "password", "user": "lf"}}))
    by_name = {hop["name"]: hop["cause"] for hop in walked}
    assert "password of user lf" in by_name["database"]
    assert by_name["trace"] == by_name["database"]
    assert by_name["web"] == ""


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            (
                "[next-auth][error][SIGNIN_OAUTH_ERROR] ",
                "https://next-auth.js.org/errors#signin_oauth_error getaddrinfo ENOTFOUND kc {",
            ),
            "getaddrinfo ENOTFOUND kc.",
        ),
        ((), "its log says why"),
    ],
)
def test_why_web_cannot_read_the_provider_stands_in_its_log(lines: tuple[str, ...], reason: str) -> None:
    evidence = {"sso": {**SSO, "error": "OAuthSignin"}, "containers": [container("web", *lines)]}
    cause = causes.diagnose(hops("sign_in"), evidence)[0]
    assert cause["code"] == "sso_issuer_unreachable"
    assert f"https://kc/realms/a/.well-known/openid-configuration: {reason}" in cause["cause"]


@pytest.mark.parametrize(
    ("provider", "variable"),
    [("keycloak", "langfuse_keycloak_client_secret"), ("okta", "langfuse_sso_client_secret")],
)
def test_the_secret_to_correct_is_named(provider: str, variable: str) -> None:
    evidence = {"sso": {**SSO, "provider": provider, "offered": [provider], "secret": REFUSED}}
    cause = causes.diagnose(hops("sign_in"), evidence)[0]
    assert variable in cause["cure"]
    assert "…" not in cause["cause"] + cause["cure"]
