"""Stores of one's own: what is asked for, what is drawn, and what each managed service gets as environment."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings import environment_schema as schema

from .cases import CERTIFICATE, GOOD
from .source_cases import AWS, AZURE, CLICKHOUSE, GCS, NODES, POSTGRES, REDIS, S3, SENTINEL
from .support import CANDIDATES, run

ONE_OF_EACH = ({}, POSTGRES), ({}, CLICKHOUSE), ({}, REDIS, NODES, SENTINEL), ({}, S3, AWS, AZURE, GCS)
COMBINATIONS = [
    dict(itertools.chain.from_iterable(map(dict.items, parts))) for parts in itertools.product(*ONE_OF_EACH)
]
FILES = Path(__file__).resolve().parents[3] / "roles" / "host" / "files"
OF_ONES_OWN = {"postgres": POSTGRES, "clickhouse": CLICKHOUSE, "redis": REDIS, "s3": S3}


def _environment(given: dict[str, Any], service: str) -> dict[str, str]:
    result = run({**GOOD, **given})
    assert not result.problems, list(map(str, result.problems))
    return {
        name: value if isinstance(value, str) else result.secrets[value["secret"]]
        for name, value in result.plan["env"][service].items()
    }


@pytest.mark.parametrize("given", COMBINATIONS, ids=lambda given: "-".join(given) or "bundled")
def test_every_combination_gives_an_environment_that_the_application_takes(given: dict[str, Any]) -> None:
    for service in ("web", "worker"):
        environment = _environment(given, service)
        for name, value in environment.items():
            assert schema.reads(service, name) and value != "", name
            assert schema.unfit(name, value) is None, (name, schema.unfit(name, value))
        required = {name for name, option in schema.schema().items() if service in option.get("required", ())}
        assert required <= set(environment)


@pytest.mark.parametrize("given", COMBINATIONS, ids=lambda given: "-".join(given) or "bundled")
def test_only_what_is_bundled_runs_beside_the_application(given: dict[str, Any]) -> None:
    plan = run({**GOOD, **given}).plan
    services = {"postgres": "postgres", "clickhouse": "clickhouse", "redis": "valkey", "s3": "seaweedfs"}
    bundled = {service for store, service in services.items() if f"langfuse_{store}_source" not in given}
    assert set(plan["compose"]["stores"]) == bundled
    assert set(plan["images"]) == {"web", "worker", *bundled}
    assert set(plan["compose"]["memory"]) == {"web", "worker", *bundled}
    made = {store for store, service in services.items() if service not in bundled}
    assert set(plan["provision"]) == made
    assert [port["variable"] for port in plan["compose"]["ports"]] == [
        "langfuse_web_port",
        *(["langfuse_s3_port"] if "seaweedfs" in bundled else []),
    ]


@pytest.mark.parametrize("store", ["postgres", "clickhouse", "redis"])
def test_a_password_is_drawn_only_for_a_user_that_is_made(store: str) -> None:
    name = f"langfuse_{store}_password"
    theirs = {key: value for key, value in OF_ONES_OWN[store].items() if key != name}
    made = run({**GOOD, **theirs, f"langfuse_{store}_admin_user": "root"})
    assert (made.secrets[name], name in made.generated) == (CANDIDATES[name], True)
    assert name not in run({**GOOD, **theirs}).generated
    # Who takes the administrator away later keeps the password that was made.
    (mark,) = set(made.generated) - set(CANDIDATES)
    assert run({**GOOD, **theirs}, {name: "made-earlier", mark: made.secrets[mark]}).secrets[name] == "made-earlier"
    assert mark not in run({**GOOD, **theirs, f"langfuse_{store}_admin_user": "root"}, {mark: "is there"}).generated


@pytest.mark.parametrize("store", ["postgres", "clickhouse", "redis", "s3"])
def test_a_password_of_the_bundled_store_is_not_taken_to_an_existing_one(store: str) -> None:
    """Somebody else made that user; only with an administrator it is the collection that does."""
    names = (
        [f"langfuse_s3_{key}" for key in ("access_key", "secret_key")]
        if store == "s3"
        else [f"langfuse_{store}_password"]
    )
    theirs = {key: value for key, value in OF_ONES_OWN[store].items() if key not in names}
    stored = dict.fromkeys(names, "drawnForTheBundledOne")
    assert all(run(GOOD, stored).secrets[name] == stored[name] for name in names)
    result = run({**GOOD, **theirs}, stored)
    # A Redis may have no password at all; whether it has one is asked before anything is changed.
    assert [problem.variable for problem in result.problems] == ([] if store == "redis" else names)
    assert not set(names) & set(result.secrets)
    if store != "s3":
        made = run({**GOOD, **theirs, f"langfuse_{store}_admin_user": "root"}, stored)
        assert made.secrets[names[0]] == stored[names[0]]


def test_no_keys_are_drawn_for_a_store_of_ones_own() -> None:
    for given in (S3, AWS, AZURE, GCS):
        result = run({**GOOD, **given})
        assert not [name for name in result.generated if "_s3_" in name]
    assert "langfuse_s3_access_key" not in run({**GOOD, **AWS}).secrets


ADMINS = {
    **{f"langfuse_{store}_admin_user": "canary-admin" for store in ("postgres", "clickhouse", "redis")},
    **{f"langfuse_{store}_admin_password": "canary-admin-password" for store in ("postgres", "clickhouse", "redis")},
    "langfuse_s3_admin_access_key": "canary-admin-key",
    "langfuse_s3_admin_secret_key": "canary-admin-secret",
}


def test_an_administrator_never_reaches_the_instance() -> None:
    given = {**POSTGRES, **CLICKHOUSE, **REDIS, **S3, **ADMINS}
    for service in ("web", "worker", "migrate"):
        assert not [value for value in _environment(given, service).values() if "canary-admin" in value]


DATABASE_URLS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("RDS", {"langfuse_postgres_sslmode": "require"}, "?sslmode=require"),
    (
        "RDS with its authority",
        {"langfuse_postgres_sslmode": "verify-full", "langfuse_ca_certificates": CERTIFICATE},
        "?sslmode=require&sslaccept=strict&sslcert=%2Fetc%2Flangfuse%2Fcertificates%2Fca.pem",
    ),
    ("Azure", {"langfuse_postgres_sslmode": "verify-full"}, "?sslmode=require&sslaccept=strict"),
    (
        "behind PgBouncer",
        {"langfuse_postgres_parameters": {"pgbouncer": "true", "connection_limit": "10"}},
        "?pgbouncer=true&connection_limit=10",
    ),
    ("Cloud SQL through its proxy", {}, ""),
)


@pytest.mark.parametrize(("given", "query"), [row[1:] for row in DATABASE_URLS], ids=[row[0] for row in DATABASE_URLS])
def test_database_url(given: dict[str, Any], query: str) -> None:
    url = _environment({**POSTGRES, **given}, "worker")["DATABASE_URL"]
    assert url == f"postgresql://langfuse:of-their-own-role@db.example.com:5432/langfuse{query}"


def test_migrations_and_provisioning_go_past_a_pooler() -> None:
    given = {
        **POSTGRES,
        "langfuse_postgres_sslmode": "require",
        "langfuse_postgres_direct_host": "primary.example.com",
        "langfuse_postgres_direct_port": 6432,
        "langfuse_postgres_parameters": {"pgbouncer": "true"},
    }
    direct = "postgresql://langfuse:of-their-own-role@primary.example.com:6432/langfuse?sslmode=require"
    assert _environment(given, "migrate")["DIRECT_URL"] == direct
    provision = run({**GOOD, **given}).plan["provision"]["postgres"]
    assert (provision["host"], provision["port"]) == ("primary.example.com", 6432)
    assert "DIRECT_URL" not in _environment(POSTGRES, "migrate")


def test_a_pooler_on_the_server_s_own_host_differs_in_the_port() -> None:
    given = {**POSTGRES, "langfuse_postgres_port": 6432, "langfuse_postgres_direct_port": 5433}
    assert _environment(given, "migrate")["DIRECT_URL"].endswith("@db.example.com:5433/langfuse")
    plan = run({**GOOD, **given}).plan
    assert (plan["provision"]["postgres"]["host"], plan["provision"]["postgres"]["port"]) == ("db.example.com", 5433)
    assert plan["health"]["postgres"]["port"] == 6432


@pytest.mark.parametrize("written", ["fd00::1", "[fd00::1]"])
def test_an_ipv6_address_has_brackets_in_urls_only(written: str) -> None:
    stores = {f"langfuse_{store}_host": written for store in ("postgres", "clickhouse", "redis")}
    given = {**POSTGRES, **CLICKHOUSE, **REDIS, **S3, **stores, "langfuse_s3_endpoint": "https://[fd00::1]:9000"}
    environment = _environment({**given, "langfuse_https_proxy": "http://proxy:3128"}, "worker")
    assert "@[fd00::1]:5432/" in environment["DATABASE_URL"]
    assert environment["CLICKHOUSE_URL"] == "http://[fd00::1]:8123"
    assert environment["REDIS_HOST"] == "fd00::1"
    assert environment["LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT"] == "https://[fd00::1]:9000"
    assert "[fd00::1]" in environment["NO_PROXY"].split(",")
    assert _environment(given, "migrate")["CLICKHOUSE_MIGRATION_URL"] == "clickhouse://[fd00::1]:9000"
    plan = run({**GOOD, **given}).plan
    assert plan["health"]["postgres"]["host"] == plan["provision"]["redis"]["host"] == "fd00::1"
    assert plan["health"]["clickhouse"]["url"] == plan["provision"]["clickhouse"]["url"] == "http://[fd00::1]:8123"
    assert plan["compose"]["store_places"]["postgres"] == "[fd00::1]:5432/langfuse"
    assert plan["compose"]["store_places"]["redis"] == "[fd00::1]:6379 langfuse:"


ENVIRONMENTS: tuple[tuple[str, dict[str, Any], dict[str, str | None]], ...] = (
    (
        "ClickHouse Cloud",
        {**CLICKHOUSE, "langfuse_clickhouse_tls": True},
        {
            "CLICKHOUSE_URL": "https://ch.example.com:8443",
            "CLICKHOUSE_MIGRATION_URL": "clickhouse://ch.example.com:9440",
            "CLICKHOUSE_MIGRATION_SSL": "true",
            "CLICKHOUSE_CLUSTER_ENABLED": "false",
        },
    ),
    (
        "a cluster of ClickHouse",
        {**CLICKHOUSE, "langfuse_clickhouse_cluster_enabled": True, "langfuse_clickhouse_port": 18123},
        {"CLICKHOUSE_URL": "http://ch.example.com:18123", "CLICKHOUSE_CLUSTER_ENABLED": "true"},
    ),
    (
        "a shared Redis without passwords",
        REDIS,
        {
            "REDIS_HOST": "redis.example.com",
            "REDIS_PORT": "6379",
            "REDIS_AUTH": None,
            "REDIS_USERNAME": None,
            "REDIS_KEY_PREFIX": "langfuse:",
            "REDIS_TLS_ENABLED": None,
        },
    ),
    (
        "a shared Redis with its administrator",
        {**REDIS, "langfuse_redis_admin_user": "default"},
        {"REDIS_USERNAME": "langfuse", "REDIS_AUTH": CANDIDATES["langfuse_redis_password"]},
    ),
    (
        "ElastiCache with an authentication token",
        {**REDIS, "langfuse_redis_tls": True, "langfuse_redis_password": "token"},
        {"REDIS_TLS_ENABLED": "true", "REDIS_AUTH": "token", "REDIS_USERNAME": None},
    ),
    (
        "Memorystore cluster",
        {**NODES, "langfuse_redis_tls": True},
        {
            "REDIS_CLUSTER_ENABLED": "true",
            "REDIS_CLUSTER_NODES": "redis-1:6379,redis-2:6379",
            "REDIS_TLS_ENABLED": "true",
            "REDIS_HOST": None,
        },
    ),
    (
        "sentinels",
        {**SENTINEL, "langfuse_redis_sentinel_password": "watch", "langfuse_redis_tls": True},
        {
            "REDIS_SENTINEL_ENABLED": "true",
            "REDIS_SENTINEL_NODES": "redis-1:6379,redis-2:6379",
            "REDIS_SENTINEL_MASTER_NAME": "mymaster",
            "REDIS_SENTINEL_PASSWORD": "watch",
            "REDIS_SENTINEL_TLS_ENABLED": "true",
            "REDIS_CLUSTER_ENABLED": None,
        },
    ),
    (
        "AWS by role",
        AWS,
        {
            "LANGFUSE_S3_EVENT_UPLOAD_BUCKET": "langfuse-events",
            "LANGFUSE_S3_EVENT_UPLOAD_REGION": "eu-west-1",
            "LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT": None,
            "LANGFUSE_S3_EVENT_UPLOAD_ACCESS_KEY_ID": None,
            "LANGFUSE_S3_EVENT_UPLOAD_FORCE_PATH_STYLE": "false",
            "LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT": None,
            "LANGFUSE_S3_BATCH_EXPORT_EXTERNAL_ENDPOINT": None,
        },
    ),
    (
        "MinIO",
        {**S3, "langfuse_s3_public_endpoint": "https://files.example.com"},
        {
            "LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT": "https://minio.example.com:9000",
            "LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT": "https://files.example.com",
            "LANGFUSE_S3_BATCH_EXPORT_EXTERNAL_ENDPOINT": "https://files.example.com",
            "LANGFUSE_S3_EVENT_UPLOAD_FORCE_PATH_STYLE": "true",
            "LANGFUSE_S3_EVENT_UPLOAD_ACCESS_KEY_ID": "AKIA/of+their=own",
        },
    ),
    (
        "Azure Blob",
        AZURE,
        {
            "LANGFUSE_USE_AZURE_BLOB": "true",
            "LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT": "https://account.blob.core.windows.net",
            "LANGFUSE_S3_EVENT_UPLOAD_ACCESS_KEY_ID": "canaryaccount",
            "LANGFUSE_S3_EVENT_UPLOAD_FORCE_PATH_STYLE": None,
        },
    ),
    (
        "Google Cloud Storage",
        GCS,
        {
            "LANGFUSE_USE_GOOGLE_CLOUD_STORAGE": "true",
            "LANGFUSE_GOOGLE_CLOUD_STORAGE_CREDENTIALS": GCS["langfuse_gcs_credentials"],
            "LANGFUSE_S3_EVENT_UPLOAD_ACCESS_KEY_ID": None,
        },
    ),
    (
        "Google Cloud Storage by role",
        {"langfuse_s3_source": "existing", "langfuse_s3_service": "gcs", "langfuse_s3_use_role": True},
        {"LANGFUSE_USE_GOOGLE_CLOUD_STORAGE": "true", "LANGFUSE_GOOGLE_CLOUD_STORAGE_CREDENTIALS": None},
    ),
)


@pytest.mark.parametrize(("given", "wanted"), [row[1:] for row in ENVIRONMENTS], ids=[row[0] for row in ENVIRONMENTS])
def test_environment_of_a_service(given: dict[str, Any], wanted: dict[str, str | None]) -> None:
    for service in ("web", "worker"):
        environment = _environment(given, service)
        for name, value in wanted.items():
            if service == "worker" and name in ("LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT", "CLICKHOUSE_MIGRATION_URL"):
                continue
            if value is None or schema.reads(service, name):
                assert environment.get(name) == value, (service, name)


def test_the_bundled_redis_has_no_prefix() -> None:
    assert "REDIS_KEY_PREFIX" not in _environment({}, "web")


def test_where_the_data_is_stays_on_record() -> None:
    places = run({**GOOD, **POSTGRES, **NODES, **S3}).plan["compose"]["store_places"]
    assert places == {
        "postgres": "db.example.com:5432/langfuse",
        "clickhouse": "bundled",
        "redis": "redis-1:6379,redis-2:6379 langfuse:",
        "s3": "s3 https://minio.example.com:9000 langfuse-events,langfuse-media",
    }
    bundled = run(GOOD).plan["compose"]
    assert set(bundled["store_places"].values()) == {"bundled"}
    # A stack's own PostgreSQL may be called as the bundled one is; going from it to the bundled one is a move.
    assert bundled["former_places"] == {}


def test_a_pooler_has_no_data_and_a_master_behind_sentinels_has_a_name() -> None:
    pooled = {"langfuse_postgres_host": "pooler", "langfuse_postgres_direct_host": "db.example.com"}
    compose = run({**GOOD, **POSTGRES, **pooled, **SENTINEL}).plan["compose"]
    assert compose["store_places"]["postgres"] == "db.example.com:5432/langfuse"
    assert compose["former_places"]["postgres"] == "pooler:5432/langfuse"
    assert compose["store_places"]["redis"] == "redis-1:6379,redis-2:6379/mymaster langfuse:"


def test_an_instance_without_kept_secrets_is_new() -> None:
    assert run(GOOD).plan["new"]
    assert not run(GOOD, {"langfuse_salt": "of-an-earlier-run"}).plan["new"]


SKIPS = "LANGFUSE_AZURE_SKIP_CONTAINER_CHECK"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (S3, {"service": "s3", "endpoint": "https://minio.example.com:9000", "region": "us-east-1"}),
        (AZURE, {"service": "azure", "endpoint": "https://account.blob.core.windows.net", "creates": False}),
        ({**AZURE, "langfuse_extra_env": {SKIPS: "false"}}, {"creates": True}),
        ({**AZURE, "langfuse_web_extra_env": {SKIPS: "false"}}, {"creates": False}),
        (
            GCS,
            {"service": "gcs", "endpoint": None, "buckets": ["langfuse-events", "langfuse-media", "langfuse-exports"]},
        ),
    ],
)
def test_every_object_store_is_looked_at(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    told = run({**GOOD, **given}).plan["provision"]["s3"]
    assert {name: told[name] for name in wanted} == wanted


def test_another_universe_of_google_is_not_looked_at() -> None:
    other = {**GCS, "langfuse_extra_env": {"GOOGLE_CLOUD_UNIVERSE_DOMAIN": "example.com"}}
    assert "s3" not in run({**GOOD, **other}).plan["provision"]


@pytest.mark.parametrize(
    ("given", "name"), [({}, ""), (S3, ""), (AZURE, "requirements-azure.txt"), (GCS, "requirements-gcs.txt")]
)
def test_only_who_uses_a_service_installs_its_library(given: dict[str, Any], name: str) -> None:
    told = run({**GOOD, **given}).plan["compose"]["requirements"]
    assert told == ["requirements.txt", *([name] if name else [])]
    assert all((FILES / file).is_file() for file in told)
