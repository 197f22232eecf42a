# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses: what the world calls the instance, and what its services call each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .plan import Settings

# Service names and ports inside the Compose project, which are also its DNS names there.
WEB, WORKER, MIGRATE = "langfuse-web", "langfuse-worker", "langfuse-migrate"
POSTGRES, CLICKHOUSE, VALKEY, SEAWEEDFS = "postgres", "clickhouse", "valkey", "seaweedfs"
WEB_PORT, WORKER_PORT = 3000, 3030
POSTGRES_PORT, CLICKHOUSE_HTTP_PORT, CLICKHOUSE_NATIVE_PORT, REDIS_PORT, S3_PORT = 5432, 8123, 9000, 6379, 8333

_LOCAL = ("localhost", "127.0.0.1", "::1")


def public_url(settings: Settings) -> str:
    """The address people and senders use, without a slash at its end."""
    if settings["langfuse_public_url"]:
        return str(settings["langfuse_public_url"]).rstrip("/")
    if settings["cloudflare_domain"]:
        return f"https://{settings['langfuse_subdomain']}.{settings['cloudflare_domain']}"
    return f"http://localhost:{settings['langfuse_web_port']}"


def public_s3_endpoint(settings: Settings) -> str:
    """The address under which browsers and senders reach the object store."""
    return str(settings["langfuse_s3_public_endpoint"] or f"http://localhost:{settings['langfuse_s3_port']}").rstrip(
        "/"
    )


def is_local(url: str) -> bool:
    """Whether the URL means the machine of whoever reads it."""
    return urlsplit(url).hostname in _LOCAL


def endpoints(settings: Settings) -> Mapping[str, Mapping[str, Any]]:
    """Every store and service as the containers reach it. No secrets."""
    return {
        "web": {"host": WEB, "port": WEB_PORT, "published": settings["langfuse_web_port"]},
        "worker": {"host": WORKER, "port": WORKER_PORT},
        "postgres": {
            "host": POSTGRES,
            "port": POSTGRES_PORT,
            "database": settings["langfuse_postgres_database"],
            "user": settings["langfuse_postgres_user"],
        },
        "clickhouse": {
            "host": CLICKHOUSE,
            "port": CLICKHOUSE_HTTP_PORT,
            "native_port": CLICKHOUSE_NATIVE_PORT,
            "database": settings["langfuse_clickhouse_database"],
            "user": settings["langfuse_clickhouse_user"],
        },
        "redis": {"host": VALKEY, "port": REDIS_PORT},
        "s3": {
            "host": SEAWEEDFS,
            "port": S3_PORT,
            "published": settings["langfuse_s3_port"],
            "region": settings["langfuse_s3_region"],
            "public": public_s3_endpoint(settings),
        },
    }
