# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of web, worker and the migration: the one place where Langfuse's own names are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from . import environment_schema, sso
from .cluster import ingests_apart
from .cluster_secrets import extra_secret, is_there
from .consumers import allowed
from .endpoints import clickhouse_url, hosts
from .hosts import netloc
from .mounts import CA_FILE
from .plan import Environment, EnvValue, Feature, Secretly, Settings

APPLICATION = ("web", "worker")
Endpoints = Mapping[str, Mapping[str, Any]]

# All that the entry point of the web image needs to migrate both databases.
_MIGRATION = (
    "DATABASE_URL",
    "CLICKHOUSE_URL",
    "CLICKHOUSE_MIGRATION_URL",
    "CLICKHOUSE_USER",
    "CLICKHOUSE_PASSWORD",
    "CLICKHOUSE_DB",
    "CLICKHOUSE_CLUSTER_ENABLED",
)
# Set only where they are asked for.
_MIGRATION_TOO = ("NODE_EXTRA_CA_CERTS", "DIRECT_URL", "CLICKHOUSE_MIGRATION_SSL")
# Variable of the contract → services that its names go to. The later variable wins.
EXTRA_READERS: Mapping[str, tuple[str, ...]] = {
    "langfuse_extra_env": APPLICATION,
    "langfuse_web_extra_env": ("web",),
    "langfuse_worker_extra_env": ("worker",),
}


def environments(
    settings: Settings, features: Mapping[str, Feature], endpoints: Endpoints, url: str
) -> dict[str, Environment]:
    """Environment of web, worker, migrate and, where it is apart, ingestion: service → name → value, or a secret's name."""
    own = own_environments(settings, features, endpoints, url)
    result: dict[str, Environment] = {
        service: {**environment, **_extra_environment(settings, service)} for service, environment in own.items()
    }
    if "ingestion" in own:
        result["ingestion"] = {**own["ingestion"], **_extra_environment(settings, "worker")}
    asked_for = [name for name in _MIGRATION_TOO if name in own["web"]]
    result["migrate"] = {name: own["web"][name] for name in (*_MIGRATION, *asked_for)}
    return result


def own_environments(
    settings: Settings, features: Mapping[str, Feature], endpoints: Endpoints, url: str
) -> dict[str, Environment]:
    """What the collection sets for web and worker, without the user's additions."""
    everything = {
        **_core(settings, features, url),
        **_first_start(settings, features),
        **_databases(endpoints),
        **_redis(settings, endpoints["redis"]),
        **_storage(settings, features, endpoints["s3"]),
        **_observability(settings, features),
        **_network(settings, endpoints),
        **sso.environment(settings),
    }
    s3 = endpoints["s3"]
    single = {
        "web": {
            "PORT": str(endpoints["web"]["port"]),
            # Presigned media addresses are for browsers and senders.
            **({"LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT": s3["public"]} if s3["public"] else {}),
            "LANGFUSE_AUTO_POSTGRES_MIGRATION_DISABLED": "true",
            "LANGFUSE_AUTO_CLICKHOUSE_MIGRATION_DISABLED": "true",
        },
        "worker": {
            "PORT": str(endpoints["worker"]["port"]),
            **({"LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT": s3["endpoint"]} if s3["endpoint"] else {}),
        },
    }
    # A service gets only what it reads, so that a change restarts only who reads it.
    found: dict[str, Environment] = {
        service: {**{n: v for n, v in everything.items() if environment_schema.reads(service, n)}, **single[service]}
        for service in APPLICATION
    }
    if ingests_apart(settings):
        found["ingestion"] = {**found["worker"], **dict.fromkeys(_queues(ingestion=False), "false")}
        found["worker"] = {**found["worker"], **dict.fromkeys(_queues(ingestion=True), "false")}
    return found


def _queues(ingestion: bool) -> list[str]:
    """Switches of the queues that a worker consumes: those of ingestion, or all others."""
    switches = re.compile(r"QUEUE_CONSUMER_(OTEL_)?(INGESTION)?\w*_QUEUE_IS_ENABLED")
    matches = filter(None, map(switches.fullmatch, environment_schema.schema()))
    return [match[0] for match in matches if bool(match[2]) is ingestion]


def extra_environment(settings: Settings, service: str) -> dict[str, str]:
    """The user's additions for one service, secrets among them; the service's own variable wins over the common one."""
    return {name: value for name, (_variable, value) in _extra(settings, service).items()}


def _extra(settings: Settings, service: str) -> dict[str, tuple[str, str]]:
    """Name → variable of the contract that it is from, and value."""
    return {
        name: (variable, value)
        for variable, services in EXTRA_READERS.items()
        if service in services
        for name, value in settings[variable].items()
    }


def _extra_environment(settings: Settings, service: str) -> dict[str, EnvValue]:
    return {
        name: Secretly(extra_secret(variable, name)) if environment_schema.is_secret(name, value) else value
        for name, (variable, value) in _extra(settings, service).items()
    }


def extra_secrets(settings: Settings) -> dict[str, str]:
    """Secrets among the user's additions: name → value."""
    return {
        extra_secret(variable, name): value
        for service in APPLICATION
        for name, (variable, value) in _extra(settings, service).items()
        if environment_schema.is_secret(name, value)
    }


def derived_secrets(settings: Settings, endpoints: Endpoints) -> dict[str, str]:
    """Secrets made of others, such as a URL with a password in it: name → value."""
    postgres = endpoints["postgres"]
    if "langfuse_postgres_password" not in settings.secrets:
        return {}
    # Prisma's prepared statements do not survive a pooler of transactions.
    pooled = {"pgbouncer": "true"} if postgres["pooler"] else {}
    parameters = {**_tls(settings, postgres), **pooled, **settings["langfuse_postgres_parameters"]}
    urls = {"database_url": _postgres_url(settings, postgres, "", parameters)}
    if _has_pooler(postgres):
        urls["direct_url"] = _postgres_url(settings, postgres, "direct_", _tls(settings, postgres))
    return urls


def _postgres_url(settings: Settings, postgres: Mapping[str, Any], direct: str, parameters: Mapping[str, str]) -> str:
    user, database = quote(postgres["user"], safe=""), quote(postgres["database"], safe="")
    password = quote(settings.secrets["langfuse_postgres_password"], safe="")
    where = netloc(postgres[f"{direct}host"], postgres[f"{direct}port"])
    query = f"?{urlencode(parameters)}" if parameters else ""
    return f"postgresql://{user}:{password}@{where}/{database}{query}"


def _has_pooler(postgres: Mapping[str, Any]) -> bool:
    return (postgres["direct_host"], postgres["direct_port"]) != (postgres["host"], postgres["port"])


def _tls(settings: Settings, postgres: Mapping[str, Any]) -> dict[str, str]:
    """Prisma's own words: its sslmode only encrypts, and sslaccept checks; it does not read Node's authorities."""
    if postgres["sslmode"] == "disable":
        return {}
    parameters = {"sslmode": "require"}
    if postgres["sslmode"] == "verify-full":
        parameters["sslaccept"] = "strict"
        if settings["langfuse_ca_certificates"]:
            parameters["sslcert"] = CA_FILE
    return parameters


def _flag(value: object) -> str:
    """The application takes only `true` and `false`, in lower case."""
    return "true" if value else "false"


def _core(settings: Settings, features: Mapping[str, Feature], url: str) -> dict[str, EnvValue]:
    environment: dict[str, EnvValue] = {
        "NODE_ENV": "production",
        "HOSTNAME": "0.0.0.0",  # noqa: S104 - otherwise both listen on the container's own address only
        "TZ": "UTC",
        "NEXTAUTH_URL": url,
        "NEXTAUTH_SECRET": Secretly("langfuse_nextauth_secret"),
        "SALT": Secretly("langfuse_salt"),
        "ENCRYPTION_KEY": Secretly("langfuse_encryption_key"),
        "AUTH_DISABLE_SIGNUP": _flag(not features["sign_up"].on),
        "AUTH_SESSION_MAX_AGE": str(settings["langfuse_session_max_age"]),
        "TELEMETRY_ENABLED": _flag(features["telemetry"].on),
        "LANGFUSE_INGESTION_CLICKHOUSE_MAX_ATTEMPTS": str(settings["langfuse_ingestion_clickhouse_max_attempts"]),
    }
    if features["admin_api"].on:
        environment["ADMIN_API_KEY"] = Secretly("langfuse_admin_api_key")
    if features["enterprise"].on:
        environment["LANGFUSE_EE_LICENSE_KEY"] = Secretly("langfuse_license_key")
    if features["email"].on:
        environment["SMTP_CONNECTION_URL"] = Secretly("langfuse_smtp_url")
        environment["EMAIL_FROM_ADDRESS"] = settings["langfuse_email_from"]
    return environment


def _first_start(settings: Settings, features: Mapping[str, Feature]) -> dict[str, EnvValue]:
    environment: dict[str, EnvValue] = {
        "LANGFUSE_INIT_ORG_ID": settings["langfuse_init_org_id"],
        "LANGFUSE_INIT_ORG_NAME": settings["langfuse_init_org_name"],
        "LANGFUSE_INIT_PROJECT_ID": settings["langfuse_init_project_id"],
        "LANGFUSE_INIT_PROJECT_NAME": settings["langfuse_init_project_name"],
        "LANGFUSE_INIT_PROJECT_PUBLIC_KEY": settings.secrets["langfuse_init_project_public_key"],
        "LANGFUSE_INIT_PROJECT_SECRET_KEY": Secretly("langfuse_init_project_secret_key"),
    }
    if settings["langfuse_init_project_retention"]:
        environment["LANGFUSE_INIT_PROJECT_RETENTION"] = str(settings["langfuse_init_project_retention"])
    if features["first_user"].on:
        environment["LANGFUSE_INIT_USER_EMAIL"] = settings["langfuse_init_user_email"]
        environment["LANGFUSE_INIT_USER_NAME"] = settings["langfuse_init_user_name"]
        environment["LANGFUSE_INIT_USER_PASSWORD"] = Secretly("langfuse_init_user_password")
    return environment


def _databases(endpoints: Endpoints) -> dict[str, EnvValue]:
    postgres, clickhouse = endpoints["postgres"], endpoints["clickhouse"]
    environment: dict[str, EnvValue] = {
        "DATABASE_URL": Secretly("database_url"),
        "CLICKHOUSE_URL": clickhouse_url(clickhouse),
        "CLICKHOUSE_MIGRATION_URL": f"clickhouse://{netloc(clickhouse['host'], clickhouse['native_port'])}",
        "CLICKHOUSE_USER": clickhouse["user"],
        "CLICKHOUSE_PASSWORD": Secretly("langfuse_clickhouse_password"),
        "CLICKHOUSE_DB": clickhouse["database"],
        "CLICKHOUSE_CLUSTER_ENABLED": _flag(clickhouse["cluster"]),  # unset means a cluster
    }
    if _has_pooler(postgres):
        environment["DIRECT_URL"] = Secretly("direct_url")
    if clickhouse["tls"]:
        environment["CLICKHOUSE_MIGRATION_SSL"] = "true"
    return environment


def _redis(settings: Settings, redis: Mapping[str, Any]) -> dict[str, EnvValue]:
    """Cluster comes before sentinel, and sentinel before a single host (facts 8)."""
    environment: dict[str, EnvValue] = {}
    nodes = ",".join(redis["nodes"])
    if redis["mode"] == "cluster":
        environment |= {"REDIS_CLUSTER_ENABLED": "true", "REDIS_CLUSTER_NODES": nodes}
    elif redis["mode"] == "sentinel":
        environment |= {
            "REDIS_SENTINEL_ENABLED": "true",
            "REDIS_SENTINEL_NODES": nodes,
            "REDIS_SENTINEL_MASTER_NAME": redis["sentinel_master"],
        }
        if redis["sentinel_username"]:
            environment["REDIS_SENTINEL_USERNAME"] = redis["sentinel_username"]
        if is_there(settings, "langfuse_redis_sentinel_password"):
            environment["REDIS_SENTINEL_PASSWORD"] = Secretly("langfuse_redis_sentinel_password")
        if redis["tls"]:
            environment["REDIS_SENTINEL_TLS_ENABLED"] = "true"
    else:
        environment |= {"REDIS_HOST": redis["host"], "REDIS_PORT": str(redis["port"])}
    if redis["username"]:
        environment["REDIS_USERNAME"] = redis["username"]
    if is_there(settings, "langfuse_redis_password"):
        environment["REDIS_AUTH"] = Secretly("langfuse_redis_password")
    if redis["prefix"]:
        environment["REDIS_KEY_PREFIX"] = redis["prefix"]
    if redis["tls"]:
        environment["REDIS_TLS_ENABLED"] = "true"
    return environment


def _storage(settings: Settings, features: Mapping[str, Feature], s3: Mapping[str, Any]) -> dict[str, EnvValue]:
    """The three groups have no fallback to each other: each needs the whole set."""
    environment: dict[str, EnvValue] = {"LANGFUSE_S3_BATCH_EXPORT_ENABLED": _flag(features["batch_export"].on)}
    if s3["service"] == "azure":
        environment["LANGFUSE_USE_AZURE_BLOB"] = "true"
    if s3["service"] == "gcs":
        environment["LANGFUSE_USE_GOOGLE_CLOUD_STORAGE"] = "true"
        if is_there(settings, "langfuse_gcs_credentials"):
            environment["LANGFUSE_GOOGLE_CLOUD_STORAGE_CREDENTIALS"] = Secretly("langfuse_gcs_credentials")
    groups = {"EVENT_UPLOAD": "events", "MEDIA_UPLOAD": "media"}
    if features["batch_export"].on:
        groups["BATCH_EXPORT"] = "exports"
        if s3["public"]:
            environment["LANGFUSE_S3_BATCH_EXPORT_EXTERNAL_ENDPOINT"] = s3["public"]
    for group, bucket in groups.items():
        name = f"LANGFUSE_S3_{group}"
        environment[f"{name}_BUCKET"] = settings[f"langfuse_s3_{bucket}_bucket"]
        if s3["service"] == "s3":
            environment[f"{name}_REGION"] = s3["region"]
            environment[f"{name}_FORCE_PATH_STYLE"] = _flag(s3["path_style"])
        if s3["endpoint"]:
            environment[f"{name}_ENDPOINT"] = s3["endpoint"]
        if s3["keys"]:
            environment[f"{name}_ACCESS_KEY_ID"] = Secretly("langfuse_s3_access_key")
            environment[f"{name}_SECRET_ACCESS_KEY"] = Secretly("langfuse_s3_secret_key")
        # Events have no prefix: the application replays traces only from the root of their bucket.
        if bucket != "events" and (prefix := settings[f"langfuse_s3_{bucket}_prefix"]):
            environment[f"{name}_PREFIX"] = prefix
    return environment


def _network(settings: Settings, endpoints: Endpoints) -> dict[str, EnvValue]:
    """What lies between the instance and the world: private authorities, a proxy (facts 13)."""
    environment: dict[str, EnvValue] = {}
    if settings["langfuse_ca_certificates"]:
        environment["NODE_EXTRA_CA_CERTS"] = CA_FILE
    for name, values in allowed(settings).items():
        environment[f"LANGFUSE_LLM_CONNECTION_WHITELISTED_{name}"] = ",".join(values)
    if is_there(settings, "langfuse_https_proxy"):
        environment["HTTPS_PROXY"] = Secretly("langfuse_https_proxy")
        own = [*hosts(endpoints), "localhost", "127.0.0.1"]
        # The application reads both, and the lower case wins.
        direct = ",".join(dict.fromkeys([*own, *settings["langfuse_no_proxy"]]))
        environment |= {"NO_PROXY": direct, "no_proxy": direct}
    return environment


def _observability(settings: Settings, features: Mapping[str, Feature]) -> dict[str, EnvValue]:
    environment: dict[str, EnvValue] = {
        "LANGFUSE_LOG_LEVEL": settings["langfuse_log_level"],
        "LANGFUSE_LOG_FORMAT": settings["langfuse_log_format"],
    }
    if features["tracing"].on:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = settings["langfuse_otlp_endpoint"]
        environment["OTEL_TRACE_SAMPLING_RATIO"] = str(settings["langfuse_trace_sampling_ratio"])
        environment["OTEL_SERVICE_NAME"] = settings.instance
    else:
        # Without this both send spans to localhost for ever.
        environment["OTEL_SDK_DISABLED"] = "true"
    return environment
