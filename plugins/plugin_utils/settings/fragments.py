# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance needs in other applications of the cluster, where the collection writes nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import sso
from .buckets import backups
from .cluster import own_host, service_of
from .endpoints import WEB_PORT
from .flows import LITELLM_NAME
from .hosts import split
from .plan import Settings
from .sources import is_bundled, source

Endpoints = Mapping[str, Mapping[str, Any]]
# The client that the platform's own bucket Job runs.
_S3_CLIENT = "minio/mc:RELEASE.2024-11-21T17-21-54Z"


def fragments(settings: Settings, endpoints: Endpoints, buckets: Mapping[str, str], url: str) -> dict[str, Any]:
    """Subject → what it takes, None where the instance needs nothing there. No secrets."""
    return {
        "dragonfly": _dragonfly(settings, endpoints["redis"]),
        "buckets": _buckets(settings, endpoints["s3"], buckets),
        "keycloak": sso.client_options(settings, url),
        "litellm": _litellm(settings),
    }


def _namespace(settings: Settings, host: str) -> str:
    """Namespace of a Service; of a host elsewhere the instance's own."""
    own = settings["langfuse_kubernetes_namespace"]
    service = service_of(settings["langfuse_kubernetes_cluster_domain"], own, host)
    return service.namespace if service else str(own)


def _dragonfly(settings: Settings, redis: Mapping[str, Any]) -> dict[str, Any] | None:
    """The user whose password is known here. Dragonfly's first one, `default`, is not only the instance's to restrict."""
    name, user = "langfuse_redis_password", redis["username"]
    if source(settings, "redis") != "dragonfly" or user in (None, "default") or not settings.secrets.get(name):
        return None
    return {
        "namespace": _namespace(settings, redis["host"]),
        "username": user,
        "prefix": redis["prefix"],
        "secret": name,
    }


def _buckets(settings: Settings, s3: Mapping[str, Any], buckets: Mapping[str, str]) -> dict[str, Any] | None:
    """Those of a store of one's own that speaks S3; clouds have tools of their own."""
    if is_bundled(settings, "s3") or s3["service"] != "s3" or not s3["endpoint"]:
        return None
    kept = backups(settings)["bucket"] if settings["langfuse_backup_enabled"] else None
    own_keys = bool(settings["langfuse_backup_access_key"])
    of_application = list(dict.fromkeys(buckets.values()))
    return {
        "namespace": _namespace(settings, split(s3["endpoint"]).hostname or ""),
        "endpoint": s3["endpoint"],
        "image": f"{settings['langfuse_image_registry'].rstrip('/')}/{_S3_CLIENT}",
        "buckets": [*of_application, *([kept] if kept else [])],
        # Whose key → the buckets that it is for.
        "keys": {
            "storage": of_application + ([kept] if kept and not own_keys else []),
            **({"backup-storage": [kept]} if kept and own_keys else {}),
        },
    }


def _litellm(settings: Settings) -> dict[str, Any] | None:
    """A LiteLLM of the platform that no entry of `langfuse_consumers` is about."""
    kinds = {one.get("kind") for one in settings["langfuse_consumers"]}
    if not settings["litellm_enabled"] or "litellm" in kinds:
        return None
    return {
        "namespace": settings["langfuse_kubernetes_namespace"],
        "name": LITELLM_NAME,
        "url": f"http://{own_host(settings, 'web')}:{WEB_PORT}",
        "public_key": settings.secrets["langfuse_init_project_public_key"],
        "secret": "langfuse_init_project_secret_key",
    }
