# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses: what the world calls the instance, and what its services call each other."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from . import cluster
from .hosts import bare, bracketed, netloc, split
from .plan import Settings
from .sources import BUNDLED, SERVICES, is_administered, is_bundled, source, without_keys

# Service names and ports inside the Compose project, which are also its DNS names there.
WEB, WORKER, MIGRATE = "langfuse-web", "langfuse-worker", "langfuse-migrate"
WEB_PORT, WORKER_PORT = 3000, 3030
POSTGRES_PORT, CLICKHOUSE_HTTP_PORT, CLICKHOUSE_NATIVE_PORT, REDIS_PORT, S3_PORT = 5432, 8123, 9000, 6379, 8333
CLICKHOUSE_HTTPS_PORT, CLICKHOUSE_NATIVE_TLS_PORT = 8443, 9440

_LOCAL = ("localhost", "127.0.0.1", "::1")


def public_url(settings: Settings) -> str:
    """The address people and senders use, without a slash at its end."""
    if settings["langfuse_public_url"]:
        return str(settings["langfuse_public_url"]).rstrip("/")
    if settings["cloudflare_domain"]:
        return f"https://{settings['langfuse_subdomain']}.{settings['cloudflare_domain']}"
    # In a cluster: where a port-forward to the Service of the same port is opened.
    return f"http://localhost:{WEB_PORT if cluster.in_cluster(settings) else settings['langfuse_web_port']}"


def own_host(settings: Settings, what: str) -> str:
    """Name under which `web`, `worker` or a store that the instance runs is reached."""
    if cluster.in_cluster(settings):
        return cluster.own_host(settings, what)
    return {"web": WEB, "worker": WORKER, **SERVICES}[what]


def inner_s3_endpoint(settings: Settings) -> str | None:
    """The address under which the application reaches the object store; None for a cloud's own."""
    if is_bundled(settings, "s3"):
        return f"http://{own_host(settings, 's3')}:{S3_PORT}"
    given = settings["langfuse_s3_endpoint"]
    return str(given).rstrip("/") if given else None


def media_service(settings: Settings) -> cluster.Service | None:
    """The Service of the object store that the way from outside leads to as well; None where it has its own way."""
    if not cluster.in_cluster(settings) or settings["langfuse_expose"] == "service":
        return None
    given = str(settings["langfuse_s3_public_endpoint"] or "").rstrip("/")
    if given not in ("", public_url(settings)):
        return None
    return object_store_service(settings)


def object_store_service(settings: Settings) -> cluster.Service | None:
    """The Service of the object store; None where it is outside of the cluster."""
    host = _host(inner_s3_endpoint(settings))
    where = (settings["langfuse_kubernetes_cluster_domain"], settings["langfuse_kubernetes_namespace"])
    return cluster.service_of(*where, host) if host and host not in settings["langfuse_extra_hosts"] else None


def bind_address(settings: Settings) -> str:
    """Where web listens on the host, without brackets."""
    return bare(settings["langfuse_bind_address"])


def host_url(settings: Settings) -> str:
    """How the host itself reaches web."""
    address = ipaddress.ip_address(bind_address(settings))
    loopback = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://{netloc(loopback if address.is_unspecified else str(address), settings['langfuse_web_port'])}"


def public_s3_endpoint(settings: Settings) -> str | None:
    """The address under which browsers and senders reach the object store; None for a cloud's own."""
    inside: str | None = inner_s3_endpoint(settings)
    if cluster.in_cluster(settings):
        inside = public_url(settings) if media_service(settings) else inside
    elif is_bundled(settings, "s3"):
        inside = f"http://localhost:{settings['langfuse_s3_port']}"
    given = settings["langfuse_s3_public_endpoint"] or inside
    return str(given).rstrip("/") if given else None


def is_local(url: str) -> bool:
    """Whether the URL means the machine of whoever reads it."""
    return split(url).hostname in _LOCAL


def _host_of(settings: Settings, name: str) -> str:
    """Empty where it is missing, which a rule refuses."""
    return bare(settings[name] or "")


def redis_user(settings: Settings) -> str | None:
    """The user at an existing Redis; one that the collection makes, or made once, is called like the instance."""
    given = settings["langfuse_redis_username"]
    # A password that nobody gave was drawn for that user, before the administrator was taken out again.
    drawn = "langfuse_redis_password" not in settings.given and settings.secrets.get("langfuse_redis_password")
    if not given and (is_administered(settings, "redis") or drawn):
        given = settings.instance
    return str(given) if given else None


def redis_prefix(settings: Settings) -> str:
    """What the application puts before every key."""
    given = settings["langfuse_redis_key_prefix"]
    if given is not None:
        return str(given)
    return "" if is_bundled(settings, "redis") else f"{settings.instance}:"


def endpoints(settings: Settings) -> Mapping[str, Mapping[str, Any]]:
    """Every store and service as the containers reach it. No secrets."""
    return {
        "web": {"host": own_host(settings, "web"), "port": WEB_PORT, "published": settings["langfuse_web_port"]},
        "worker": {"host": own_host(settings, "worker"), "port": WORKER_PORT},
        "postgres": _postgres(settings),
        "clickhouse": _clickhouse(settings),
        "redis": _redis(settings),
        "s3": _s3(settings),
    }


def _postgres(settings: Settings) -> dict[str, Any]:
    bundled = is_bundled(settings, "postgres")
    host = own_host(settings, "postgres") if bundled else _host_of(settings, "langfuse_postgres_host")
    port = POSTGRES_PORT if bundled else settings["langfuse_postgres_port"]
    direct = None if bundled else _host_of(settings, "langfuse_postgres_direct_host")
    direct_port = None if bundled else settings["langfuse_postgres_direct_port"]
    pooler = cluster.pooler(settings)
    return {
        "source": source(settings, "postgres"),
        "host": cluster.dns_name(settings, pooler) if pooler else host,
        "port": port,
        "pooler": pooler,
        "direct_host": direct or host,
        # A pooler on the server's own host differs in the port only.
        "direct_port": direct_port or (POSTGRES_PORT if direct else port),
        "database": settings["langfuse_postgres_database"],
        "user": settings["langfuse_postgres_user"],
        "sslmode": "disable" if bundled else settings["langfuse_postgres_sslmode"],
    }


def _clickhouse(settings: Settings) -> dict[str, Any]:
    bundled = is_bundled(settings, "clickhouse")
    tls = not bundled and settings["langfuse_clickhouse_tls"]
    http, native = (
        (CLICKHOUSE_HTTPS_PORT, CLICKHOUSE_NATIVE_TLS_PORT) if tls else (CLICKHOUSE_HTTP_PORT, CLICKHOUSE_NATIVE_PORT)
    )
    if not bundled:
        http = settings["langfuse_clickhouse_port"] or http
        native = settings["langfuse_clickhouse_native_port"] or native
    return {
        "source": source(settings, "clickhouse"),
        "host": own_host(settings, "clickhouse") if bundled else _host_of(settings, "langfuse_clickhouse_host"),
        "port": http,
        "native_port": native,
        "tls": tls,
        "cluster": source(settings, "clickhouse") != BUNDLED and settings["langfuse_clickhouse_cluster_enabled"],
        "database": settings["langfuse_clickhouse_database"],
        "user": settings["langfuse_clickhouse_user"],
    }


def clickhouse_url(endpoint: Mapping[str, Any]) -> str:
    return f"{'https' if endpoint['tls'] else 'http'}://{netloc(endpoint['host'], endpoint['port'])}"


def _redis(settings: Settings) -> dict[str, Any]:
    bundled = is_bundled(settings, "redis")
    return {
        "source": source(settings, "redis"),
        "mode": "single" if bundled else settings["langfuse_redis_mode"],
        "host": own_host(settings, "redis") if bundled else _host_of(settings, "langfuse_redis_host") or None,
        "port": REDIS_PORT if bundled else settings["langfuse_redis_port"],
        "nodes": [] if bundled else settings["langfuse_redis_nodes"],
        "sentinel_master": None if bundled else settings["langfuse_redis_sentinel_master"],
        "sentinel_username": None if bundled else settings["langfuse_redis_sentinel_username"],
        "tls": not bundled and settings["langfuse_redis_tls"],
        "username": None if bundled else redis_user(settings),
        "prefix": redis_prefix(settings),
    }


def _s3(settings: Settings) -> dict[str, Any]:
    bundled = is_bundled(settings, "s3")
    endpoint = inner_s3_endpoint(settings)
    return {
        "source": source(settings, "s3"),
        "service": "s3" if bundled else settings["langfuse_s3_service"],
        "endpoint": endpoint,
        "region": settings["langfuse_s3_region"],
        # AWS serves new buckets by name only.
        "path_style": bundled or bool(endpoint and settings["langfuse_s3_path_style"]),
        "keys": not without_keys(settings),
        "public": public_s3_endpoint(settings),
    }


def hosts(endpoints: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of everything that the application talks to inside, as its URLs have them."""
    found: list[str] = []
    for endpoint in endpoints.values():
        addresses = [split(f"//{node}").hostname for node in endpoint.get("nodes", ())]
        found += [name for name in (endpoint.get("host"), *addresses, _host(endpoint.get("endpoint"))) if name]
    return [bracketed(host) for host in dict.fromkeys(found)]


def _host(url: str | None) -> str | None:
    return split(url).hostname if url else None
