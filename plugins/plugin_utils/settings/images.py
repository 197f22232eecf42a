# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image runs each service."""

from __future__ import annotations

from .plan import Settings
from .sources import CNPG, bundled_services, source

# Service → (repository, variable with its version).
IMAGES = {
    "web": ("langfuse/langfuse", "langfuse_version"),
    "worker": ("langfuse/langfuse-worker", "langfuse_version"),
    "postgres": ("library/postgres", "langfuse_postgres_version"),
    "clickhouse": ("clickhouse/clickhouse-server", "langfuse_clickhouse_version"),
    "keeper": ("clickhouse/clickhouse-keeper", "langfuse_clickhouse_version"),
    "valkey": ("valkey/valkey", "langfuse_valkey_version"),
    "seaweedfs": ("chrislusf/seaweedfs", "langfuse_seaweedfs_version"),
}


def images(settings: Settings) -> dict[str, str]:
    """Image of each service that the instance runs, all from one registry."""
    registry = settings["langfuse_image_registry"].rstrip("/")
    found = {
        service: f"{registry}/{repository}:{settings[variable]}"
        for service, (repository, variable) in IMAGES.items()
        if service in ("web", "worker", *bundled_services(settings))
    }
    if source(settings, "postgres") == CNPG:
        found["postgres"] = settings["langfuse_postgres_image"] or _of_cloudnativepg(settings, registry)
    return found


def _of_cloudnativepg(settings: Settings, registry: str) -> str:
    """CloudNativePG's images are not on the Docker Hub."""
    home = registry if "langfuse_image_registry" in settings.given else "ghcr.io"
    return f"{home}/cloudnative-pg/postgresql:{settings['langfuse_postgres_version']}-standard-trixie"
