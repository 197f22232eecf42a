# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each store comes from, and what follows from that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .hosts import netloc
from .plan import Settings
from .sso import makes_client

Values = Mapping[str, Any]

# Store → service that runs it where it is bundled.
SERVICES: Mapping[str, str] = {"postgres": "postgres", "clickhouse": "clickhouse", "redis": "valkey", "s3": "seaweedfs"}
BUNDLED, EXISTING = "bundled", "existing"


def source(values: Values | Settings, store: str) -> str:
    return str(values[f"langfuse_{store}_source"])


def is_bundled(values: Values | Settings, store: str) -> bool:
    return source(values, store) == BUNDLED


def bundled_services(settings: Settings) -> tuple[str, ...]:
    """Services of the stores that the instance runs itself."""
    return tuple(service for store, service in SERVICES.items() if is_bundled(settings, store))


def is_administered(values: Values | Settings, store: str) -> bool:
    """Whether the collection creates users and databases of an existing store."""
    return not is_bundled(values, store) and bool(values[f"langfuse_{store}_admin_user"])


def without_keys(values: Values | Settings) -> bool:
    """Whether the object store is used without an access key and a secret key."""
    return not is_bundled(values, "s3") and (
        bool(values["langfuse_s3_use_role"]) or values["langfuse_s3_service"] == "gcs"
    )


def drawn(values: Values, name: str) -> bool:
    """Whether a missing secret is drawn. The password of a user that somebody else made is not."""
    if name in ("langfuse_s3_access_key", "langfuse_s3_secret_key"):
        return is_bundled(values, "s3")
    for store in ("postgres", "clickhouse", "redis"):
        if name == f"langfuse_{store}_password":
            return is_bundled(values, store) or is_administered(values, store)
    return name != "langfuse_keycloak_client_secret" or makes_client(values)


def used(values: Values, name: str) -> bool:
    """Whether the instance uses the secret at all."""
    return name not in ("langfuse_s3_access_key", "langfuse_s3_secret_key") or not without_keys(values)


def places(endpoints: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Store → where its data is, for the run that is told another place. No secrets."""
    postgres, clickhouse, redis, s3 = (endpoints[store] for store in SERVICES)
    existing = {
        "postgres": f"{netloc(postgres['host'], postgres['port'])}/{postgres['database']}",
        "clickhouse": f"{netloc(clickhouse['host'], clickhouse['port'])}/{clickhouse['database']}",
        "redis": f"{','.join(redis['nodes']) or netloc(redis['host'], redis['port'])} {redis['prefix']}".strip(),
        "s3": f"{s3['service']} {s3['endpoint'] or s3['region']}",
    }
    return {store: place if endpoints[store]["source"] == EXISTING else BUNDLED for store, place in existing.items()}
