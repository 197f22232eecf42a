# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules on the target are told of the stores. No secrets, and no logic left for the roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import sso
from .buckets import backups, bucket_options
from .cluster import in_cluster, service_of
from .cluster_secrets import read_from
from .data import project_directory
from .endpoints import clickhouse_url, hosts
from .env import APPLICATION, extra_environment
from .hosts import bare, split
from .plan import Settings
from .sources import is_bundled, without_keys

Endpoint = Mapping[str, Any]
Endpoints = Mapping[str, Endpoint]
# Where the host keeps the authorities of `langfuse_ca_certificates`, below the project directory.
CA_DOCUMENT = "certificates/ca.pem"


def ca_path(settings: Settings) -> str | None:
    """File of the private authorities on the host. There is none where the modules run beside a cluster: the Plan has the text."""
    if not settings["langfuse_ca_certificates"] or in_cluster(settings):
        return None
    return f"{project_directory(settings)}/{CA_DOCUMENT}"


def health(settings: Settings, endpoints: Endpoints, buckets: Mapping[str, str]) -> dict[str, Any]:
    """Options of `langfuse_health`: every store as the application reaches it."""
    clickhouse, s3 = endpoints["clickhouse"], endpoints["s3"]
    return {
        "ca_path": ca_path(settings),
        "ca_certificates": settings["langfuse_ca_certificates"] if in_cluster(settings) else None,
        "signs_in": sso.signs_in(settings),
        "sso": sso.proof(settings),
        "worker_url": f"http://{endpoints['worker']['host']}:{endpoints['worker']['port']}",
        "postgres": _some(endpoints["postgres"], "host", "port", "database", "user", "sslmode"),
        "clickhouse": {
            "url": clickhouse_url(clickhouse),
            **_some(clickhouse, "user", "database"),
            "migration_port": clickhouse["native_port"],
        },
        "redis": _some(endpoints["redis"], *_REDIS),
        # What is not S3 is proved by the media and the trace.
        "s3": {**_some(s3, "endpoint", "region", "path_style"), "buckets": dict(buckets)}
        if s3["service"] == "s3"
        else None,
    }


def preparation(settings: Settings, endpoints: Endpoints, buckets: Mapping[str, str]) -> dict[str, Any]:
    """Options of `compose_stores`."""
    names = ("source", "host", "port", "database", "user")
    postgres, clickhouse = endpoints["postgres"], endpoints["clickhouse"]
    return {
        "postgres": {
            **_some(postgres, *names, "sslmode"),
            "host": postgres["direct_host"],
            "port": postgres["direct_port"],
        },
        "clickhouse": _some(clickhouse, *names, "tls"),
        "s3": bundled_s3(settings, f"http://127.0.0.1:{settings['langfuse_s3_port']}", buckets),
    }


def bundled_s3(settings: Settings, endpoint: str, buckets: Mapping[str, str]) -> dict[str, Any] | None:
    """Options of `s3_bucket` for the bundled store, reached at `endpoint`; None where there is none."""
    if not is_bundled(settings, "s3"):
        return None
    return {"endpoint": endpoint, "region": settings["langfuse_s3_region"], **bucket_options(settings, buckets)}


_REDIS = ("mode", "host", "port", "nodes", "sentinel_master", "sentinel_username", "tls", "username", "prefix")


def _some(endpoint: Endpoint, *names: str) -> dict[str, Any]:
    return {name: endpoint[name] for name in names}


def provision(settings: Settings, endpoints: Endpoints, buckets: Mapping[str, str]) -> dict[str, Any]:
    """Options of `existing_stores`: store → options, for each that the instance does not bring itself."""
    wanted = {
        "postgres": _postgres(settings, endpoints["postgres"]),
        "clickhouse": _clickhouse(settings, endpoints["clickhouse"]),
        "redis": _redis(settings, endpoints["redis"]),
        "s3": _s3(settings, endpoints["s3"], buckets),
    }
    return {store: options for store, options in wanted.items() if options and not is_bundled(settings, store)}


def _postgres(settings: Settings, endpoint: Endpoint) -> dict[str, Any]:
    return {
        # A pooler takes no part in making roles.
        "host": endpoint["direct_host"],
        "port": endpoint["direct_port"],
        **_some(endpoint, "database", "user", "sslmode"),
        "admin_user": settings["langfuse_postgres_admin_user"],
        "admin_database": settings["langfuse_postgres_admin_database"],
    }


def _clickhouse(settings: Settings, endpoint: Endpoint) -> dict[str, Any]:
    return {
        "url": clickhouse_url(endpoint),
        **_some(endpoint, "cluster", "database", "user"),
        "admin_user": settings["langfuse_clickhouse_admin_user"],
    }


def _redis(settings: Settings, endpoint: Endpoint) -> dict[str, Any]:
    return {**_some(endpoint, *_REDIS), "admin_user": settings["langfuse_redis_admin_user"]}


def _s3(settings: Settings, endpoint: Endpoint, buckets: Mapping[str, str]) -> dict[str, Any]:
    """Containers at Azure and buckets at Google are made and set by their own tools."""
    if endpoint["service"] == "s3":
        return {
            **_some(endpoint, "service", "endpoint", "region", "path_style"),
            **bucket_options(settings, buckets),
            **({"backups": backups(settings)} if in_cluster(settings) and settings["langfuse_backup_enabled"] else {}),
        }
    extra = [extra_environment(settings, service) for service in APPLICATION]
    if any("GOOGLE_CLOUD_UNIVERSE_DOMAIN" in environment for environment in extra):
        return {}
    return {
        **_some(endpoint, "service", "endpoint"),
        "buckets": list(dict.fromkeys(buckets.values())),
        # The application asks only where it is told to (facts 9).
        "creates": all(environment.get("LANGFUSE_AZURE_SKIP_CONTAINER_CHECK") == "false" for environment in extra),
    }


# Options of modules that reach the stores, with the secrets that they are.
_STORE_SECRETS = {
    name.removeprefix("langfuse_"): name
    for name in (
        *("langfuse_postgres_password", "langfuse_clickhouse_password"),
        *("langfuse_redis_password", "langfuse_redis_sentinel_password"),
        *("langfuse_s3_access_key", "langfuse_s3_secret_key"),
    )
}


_BACKUP_KEYS = ("backup_access_key", "backup_secret_key")
_S3_KEYS = tuple(f"langfuse_{name}" for name in ("s3_access_key", "s3_secret_key", *_BACKUP_KEYS))


def from_secrets(settings: Settings) -> dict[str, dict[str, Any]]:
    """For `existing_stores`, `langfuse_health` and `s3_bucket`: the options that they read from Secrets of the cluster."""
    provision = {
        "gcs_credentials": "langfuse_gcs_credentials",
        "keycloak_client_secret": "langfuse_keycloak_client_secret",
        **({f"s3_{name}": f"langfuse_{name}" for name in _BACKUP_KEYS} if settings["langfuse_backup_enabled"] else {}),
    }
    proof = {
        "secret_key": "langfuse_init_project_secret_key",
        **({"user_password": "langfuse_init_user_password"} if sso.signs_in(settings) else {}),
        **({"sso_client_secret": sso.secret_name(settings)} if settings["langfuse_sso_enabled"] else {}),
    }
    keys = {"access_key": "langfuse_s3_access_key", "secret_key": "langfuse_s3_secret_key"}
    wanted = {
        "provision": {**_STORE_SECRETS, **provision},
        "health": {**_STORE_SECRETS, **proof},
        "s3": keys,
    }
    return {
        module: read_from(settings, {option: name for option, name in options.items() if _is_used(settings, name)})
        for module, options in wanted.items()
    }


def _is_used(settings: Settings, name: str) -> bool:
    """Whether the stores as they are take the secret. Nobody has to keep the key of another one in a Secret."""
    if name == "langfuse_redis_sentinel_password":
        return bool(settings["langfuse_redis_mode"] == "sentinel")
    if name == "langfuse_gcs_credentials":
        return settings["langfuse_s3_service"] == "gcs" and not settings["langfuse_s3_use_role"]
    return name not in _S3_KEYS or not without_keys(settings)


def reached_namespaces(settings: Settings, endpoints: Endpoints) -> list[str]:
    """Namespaces beside the instance's with Services that are reached through the API server."""
    own, domain = settings["langfuse_kubernetes_namespace"], settings["langfuse_kubernetes_cluster_domain"]
    urls = [*sso.addresses(settings), settings["langfuse_keycloak_admin_url"] or ""]
    names = [*map(bare, hosts(endpoints)), endpoints["postgres"]["direct_host"], *(split(url).hostname for url in urls)]
    found = [service_of(domain, own, name) for name in names if name and name not in settings["langfuse_extra_hosts"]]
    return sorted({service.namespace for service in found if service} - {own})


def requirements(settings: Settings) -> list[str]:
    """Files of the role `host` with the libraries of the modules: those of all, and what the object store needs on top."""
    service = "s3" if is_bundled(settings, "s3") else settings["langfuse_s3_service"]
    return ["requirements.txt", *([f"requirements-{service}.txt"] if service != "s3" else [])]
