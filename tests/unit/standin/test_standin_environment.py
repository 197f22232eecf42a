"""The validation table: what each process refuses, and with which text."""

from __future__ import annotations

import pytest
from standin.core.environment import Env, table, validate

GOOD = {
    "DATABASE_URL": "postgresql://u:p@h:5432/d",
    "CLICKHOUSE_URL": "http://ch:8123",
    "CLICKHOUSE_USER": "u",
    "CLICKHOUSE_PASSWORD": "p",
    "LANGFUSE_S3_EVENT_UPLOAD_BUCKET": "b",
    "NEXTAUTH_URL": "https://langfuse.example",
    "NEXTAUTH_SECRET": "s",
    "SALT": "s",
}
BOTH = [
    ("LANGFUSE_S3_EVENT_UPLOAD_BUCKET", "", "Langfuse requires a bucket name for S3 Event Uploads."),
    ("CLICKHOUSE_URL", "nonsense", "Invalid URL"),
    ("CLICKHOUSE_PASSWORD", "", "Invalid input: expected string, received undefined"),
    ("REDIS_TLS_ENABLED", "True", 'Invalid option: expected one of "true"|"false"'),
    ("LANGFUSE_LOG_FORMAT", "xml", 'Invalid option: expected one of "text"|"json"'),
    ("REDIS_PORT", "0", "Too small: expected number to be >0"),
    ("REDIS_PORT", "many", "Invalid input: expected number, received NaN"),
    ("REDIS_SOCKET_TIMEOUT_MS", "500", "REDIS_SOCKET_TIMEOUT_MS must be 0 (disabled) or at least 10000"),
    ("ENCRYPTION_KEY", "0" * 63, "ENCRYPTION_KEY must be 256 bits, 64 string characters in hex format"),
]
WEB = [
    ("SALT", "", "A strong Salt is required to encrypt API keys securely. See:"),
    ("NEXTAUTH_SECRET", "", "Invalid input: expected string, received undefined"),
    ("OTEL_TRACE_SAMPLING_RATIO", "0", "Too small: expected number to be >0"),
    ("OTEL_TRACE_SAMPLING_RATIO", "1.1", "Too big: expected number to be <=1"),
    ("AUTH_SESSION_MAX_AGE", "5", "Too small: expected number to be >5"),
    ("LANGFUSE_INIT_USER_EMAIL", "nobody", "Invalid email address"),
    ("LANGFUSE_INIT_PROJECT_RETENTION", "2", "Too small: expected number to be >=3"),
    ("AUTH_AUTHENTIK_ISSUER", "https://a.example/x", "The Authentik issuer must be in the format"),
    ("AUTH_KEYCLOAK_CHECKS", "pkce,maybe", "Invalid option: expected one of"),
    ("LANGFUSE_ALLOWED_ORGANIZATION_CREATORS", "a@b.example,nobody", "Invalid email address"),
]
WORKER = [
    ("LANGFUSE_INGESTION_CLICKHOUSE_MAX_ATTEMPTS", "0", "Too small"),
    ("QUEUE_CONSUMER_WEBHOOK_QUEUE_IS_ENABLED", "no", 'Invalid option: expected one of "true"|"false"'),
]


def messages(service: str, **changes: str) -> list[str]:
    found = validate(service, {**GOOD, **changes})  # type: ignore[arg-type]
    return [f"{i['path'][0]}: {i['message']}" for i in found.own or found.shared] + found.v4


@pytest.mark.parametrize("service", ["web", "worker"])
def test_a_good_environment_boots(service: str) -> None:
    assert messages(service) == []


@pytest.mark.parametrize("service", ["web", "worker"])
@pytest.mark.parametrize(("name", "value", "text"), BOTH)
def test_shared_values_stop_both(service: str, name: str, value: str, text: str) -> None:
    found = messages(service, **{name: value})
    assert [m.startswith(f"{name}: {text}") for m in found] == [True]


@pytest.mark.parametrize(("name", "value", "text"), WEB)
def test_web_values_stop_web_alone(name: str, value: str, text: str) -> None:
    assert [m.startswith(f"{name}: {text}") for m in messages("web", **{name: value})] == [True]
    assert messages("worker", **{name: value}) == []


@pytest.mark.parametrize(("name", "value", "text"), WORKER)
def test_worker_values_stop_the_worker_alone(name: str, value: str, text: str) -> None:
    assert [m.startswith(f"{name}: {text}") for m in messages("worker", **{name: value})] == [True]
    assert messages("web", **{name: value}) == []


def test_every_boolean_and_number_of_the_table_is_checked() -> None:
    """`yes` is no boolean, no enum value and no number, wherever the variable is read."""
    for name, rule in table().items():
        if rule["type"] not in ("bool", "enum", "number", "integer") or "types" in rule:
            continue
        schemas = set(rule["schemas"].split())
        for service in ("web", "worker"):
            reads = bool(schemas & {service, "shared"})
            assert bool(messages(service, **{name: "yes"})) == reads, (service, name)


def test_defaults_of_the_table_are_valid() -> None:
    for name, rule in table().items():
        if "default" in rule:
            assert messages("web", **{name: str(rule["default"])}) == [], name


@pytest.mark.parametrize(
    ("mode", "native", "opt_in", "fails"),
    [
        ("", "", "", False),
        ("events_only", "direct", "true", False),
        ("events_only", "dual_write", "true", True),
        ("events_only", "direct", "false", True),
        ("dual", "direct", "false", False),
        ("dual", "dual_write", "true", False),
        ("legacy", "", "", True),
        ("legacy", "dual_write", "false", False),
    ],
)
def test_v4_combinations_stop_the_worker_alone(mode: str, native: str, opt_in: str, fails: bool) -> None:
    changes = {
        "LANGFUSE_MIGRATION_V4_WRITE_MODE": mode,
        "LANGFUSE_MIGRATION_V4_NATIVE_OTEL_BEHAVIOUR": native,
        "LANGFUSE_MIGRATION_V4_ALLOW_PREVIEW_OPT_IN": opt_in,
    }
    assert any(m.startswith("Invalid V4 config: ") for m in messages("worker", **changes)) == fails
    assert messages("web", **changes) == []


def test_docker_build_switches_validation_off() -> None:
    assert not validate("web", {"DOCKER_BUILD": "1"})


def test_empty_counts_as_unset() -> None:
    env = Env({"REDIS_PORT": "", "HOSTNAME": ""}, "web")
    assert (env.number("REDIS_PORT"), env.raw("HOSTNAME"), env.text("REDIS_HOST")) == (6379, "", None)
