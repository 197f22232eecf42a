"""The environment of web and worker against the application's own schema."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings import environment_schema as schema
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.environment_schema import is_secret

from .cases import CERTIFICATE, GOOD
from .support import run

VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"langfuse_admin_api_enabled": True, "langfuse_batch_export_enabled": False},
    {"tracing_enabled": True, "langfuse_tracing_enabled": True, "langfuse_otlp_endpoint": "http://tempo:4318"},
    {"langfuse_smtp_url": "smtp://u:p@mail.example.com:587", "langfuse_email_from": "l@example.com"},
    {"langfuse_license_key": "langfuse_ee_abc", "langfuse_init_project_retention": 30},
    {
        "langfuse_public_url": "https://langfuse.example.com",
        "langfuse_s3_public_endpoint": "https://langfuse.example.com",
        "langfuse_s3_media_prefix": "media/",
        "langfuse_s3_exports_prefix": "exports/",
        "langfuse_signup_enabled": True,
    },
    {"langfuse_https_proxy": "http://u:p@proxy:3128", "langfuse_ca_certificates": CERTIFICATE},
)
PAIRS = list(itertools.product(VARIANTS, ("web", "worker")))


def _environment(given: dict[str, Any], service: str) -> dict[str, str]:
    result = run({**GOOD, **given})
    assert not result.problems, result.problems
    return {
        name: value if isinstance(value, str) else result.secrets[value["secret"]]
        for name, value in result.plan["env"][service].items()
    }


@pytest.mark.parametrize(("given", "service"), PAIRS)
def test_every_name_is_read_and_every_value_fits(given: dict[str, Any], service: str) -> None:
    for name, value in _environment(given, service).items():
        assert schema.reads(service, name), name
        assert schema.unfit(name, value) is None, (name, schema.unfit(name, value))
        assert value != "", f"{name} is empty, which the application takes as unset"


@pytest.mark.parametrize(("given", "service"), PAIRS)
def test_every_required_name_is_set(given: dict[str, Any], service: str) -> None:
    required = {name for name, option in schema.schema().items() if service in option.get("required", ())}
    assert required <= set(_environment(given, service))


@pytest.mark.parametrize("service", ["web", "worker"])
def test_variables_without_which_an_instance_fails_silently(service: str) -> None:
    environment = _environment({}, service)
    assert environment["HOSTNAME"] == "0.0.0.0"
    assert environment["CLICKHOUSE_CLUSTER_ENABLED"] == "false"
    assert "LANGFUSE_S3_EVENT_UPLOAD_PREFIX" not in environment
    assert environment["OTEL_SDK_DISABLED"] == "true"


def test_worker_outlives_an_outage_of_clickhouse() -> None:
    assert _environment({}, "worker")["LANGFUSE_INGESTION_CLICKHOUSE_MAX_ATTEMPTS"] == "600"


def test_web_signs_media_for_browsers_and_the_worker_fetches_inside() -> None:
    assert _environment({}, "web")["LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT"] == "http://localhost:9090"
    assert _environment({}, "worker")["LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT"] == "http://seaweedfs:8333"


def test_web_never_migrates_by_itself_and_the_migration_does() -> None:
    assert _environment({}, "web")["LANGFUSE_AUTO_POSTGRES_MIGRATION_DISABLED"] == "true"
    assert _environment({}, "web")["LANGFUSE_AUTO_CLICKHOUSE_MIGRATION_DISABLED"] == "true"
    assert not [name for name in _environment({}, "migrate") if "AUTO" in name]


def test_a_password_is_encoded_where_it_goes_into_a_url() -> None:
    result = run({**GOOD, "langfuse_postgres_password": "p@ss/w:rd?#%&+ x"})
    assert (
        result.secrets["database_url"]
        == "postgresql://langfuse:p%40ss%2Fw%3Ard%3F%23%25%26%2B%20x@postgres:5432/langfuse"
    )


@pytest.mark.parametrize("service", ["web", "worker"])
def test_behind_a_proxy_the_services_reach_each_other(service: str) -> None:
    given = {"langfuse_https_proxy": "http://u:p@proxy:3128", "langfuse_no_proxy": ["git.example.com", "postgres"]}
    environment = _environment(given, service)
    assert environment["HTTPS_PROXY"] == "http://u:p@proxy:3128"
    assert environment["NO_PROXY"] == environment["no_proxy"]
    direct = environment["NO_PROXY"].split(",")
    assert {"postgres", "clickhouse", "valkey", "seaweedfs", "langfuse-web", "localhost"} <= set(direct)
    assert direct.count("postgres") == 1 and direct[-1] == "git.example.com"
    assert not [name for name in _environment({}, service) if "PROXY" in name.upper()]


def test_the_proxy_with_its_password_is_a_secret() -> None:
    plan = run({**GOOD, "langfuse_https_proxy": "http://u:hidden@proxy:3128"}).plan
    assert plan["env"]["web"]["HTTPS_PROXY"] == {"secret": "langfuse_https_proxy"}
    assert "hidden" not in str(plan)


def test_private_authorities_are_trusted_by_the_migration_too() -> None:
    given = {"langfuse_ca_certificates": CERTIFICATE}
    for service in ("web", "worker", "migrate"):
        assert _environment(given, service)["NODE_EXTRA_CA_CERTS"].startswith("/etc/langfuse/")
        assert "NODE_EXTRA_CA_CERTS" not in _environment({}, service)


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("AUTH_GOOGLE_CLIENT_SECRET", "x", True),
        ("SLACK_STATE_SECRET", "x", True),
        ("AWS_SECRET_ACCESS_KEY", "x", True),
        ("AWS_ACCESS_KEY_ID", "x", True),
        ("AWS_SESSION_TOKEN", "x", True),
        ("DD_API_KEY", "x", True),
        ("REDIS_TLS_KEY_PASSPHRASE", "x", True),
        ("LANGFUSE_GOOGLE_CLOUD_STORAGE_CREDENTIALS", "{}", True),
        ("REDIS_AUTH", "x", True),
        ("REDIS_CONNECTION_STRING", "x", True),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x", True),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x", True),
        ("HTTP_PROXY", "http://user:x@proxy:3128", True),
        ("HTTP_PROXY", "http://proxy:3128/@", False),
        # Switches, numbers, and where a secret lies.
        ("AUTH_CUSTOM_ID_TOKEN", "true", False),
        ("LANGFUSE_TOKEN_COUNT_WORKER_POOL_SIZE", "2", False),
        ("AUTH_GOOGLE_CLIENT_ID", "x", False),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/x", False),
        ("REDIS_TLS_KEY_PATH", "/x", False),
        ("REDIS_KEY_PREFIX", "x", False),
        ("LANGFUSE_LOG_PROPAGATED_HEADERS", "x", False),
    ],
)
def test_secrets_by_their_form(name: str, value: str, secret: bool) -> None:
    assert is_secret(name, value) is secret


def test_secrets_of_the_extra_environment_are_not_in_the_plan() -> None:
    """Each is in the variable that wins, and known once although two services read it."""
    given = {
        "langfuse_extra_env": {"DD_API_KEY": "hidden-1", "DD_APP_KEY": "hidden-2", "DD_SITE": "datadoghq.eu"},
        "langfuse_worker_extra_env": {"DD_API_KEY": "hidden-3"},
    }
    result = run({**GOOD, **given})
    assert "hidden" not in str(result.plan)
    read = {service: result.plan["env"][service]["DD_API_KEY"] for service in ("web", "worker")}
    assert read["web"] == {"secret": "langfuse_extra_env.DD_API_KEY"}
    assert read["worker"] == {"secret": "langfuse_worker_extra_env.DD_API_KEY"}
    found = {name: value for name, value in result.secrets.items() if "extra_env" in name}
    assert found == {
        "langfuse_extra_env.DD_API_KEY": "hidden-1",
        "langfuse_extra_env.DD_APP_KEY": "hidden-2",
        "langfuse_worker_extra_env.DD_API_KEY": "hidden-3",
    }
    assert result.plan["env"]["web"]["DD_SITE"] == "datadoghq.eu"


def test_extra_environment_reaches_its_service_only() -> None:
    given = {
        "langfuse_extra_env": {"LANGFUSE_S3_CONCURRENT_WRITES": "10"},
        "langfuse_worker_extra_env": {"LANGFUSE_INGESTION_QUEUE_PROCESSING_CONCURRENCY": "30"},
    }
    assert _environment(given, "web")["LANGFUSE_S3_CONCURRENT_WRITES"] == "10"
    assert "LANGFUSE_INGESTION_QUEUE_PROCESSING_CONCURRENCY" not in _environment(given, "web")
    assert _environment(given, "worker")["LANGFUSE_INGESTION_QUEUE_PROCESSING_CONCURRENCY"] == "30"


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("AUTH_DISABLE_SIGNUP", "true", True),
        ("AUTH_DISABLE_SIGNUP", "True", False),
        ("OTEL_TRACE_SAMPLING_RATIO", "0", False),
        ("OTEL_TRACE_SAMPLING_RATIO", "0.5", True),
        ("NEXTAUTH_URL", "localhost", False),
        ("LANGFUSE_LOG_LEVEL", "verbose", False),
        ("AUTH_SESSION_MAX_AGE", "5", False),
        ("AUTH_SESSION_MAX_AGE", "6.5", False),
        ("ENCRYPTION_KEY", "ab", False),
        ("ENCRYPTION_KEY", "", True),
    ],
)
def test_fit(name: str, value: str, fits: bool) -> None:
    assert (schema.unfit(name, value) is None) is fits
