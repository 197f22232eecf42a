# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each store comes from, and what follows from that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .cluster_secrets import kept_elsewhere
from .hosts import netloc
from .plan import Settings
from .sso import makes_client

Values = Mapping[str, Any]

# Store → service that runs it where it is bundled.
SERVICES: Mapping[str, str] = {"postgres": "postgres", "clickhouse": "clickhouse", "redis": "valkey", "s3": "seaweedfs"}
BUNDLED, EXISTING, CNPG, OPERATOR = "bundled", "existing", "cnpg", "operator"
# Sources that belong to the instance, and end with it.
_OWN = (BUNDLED, CNPG, OPERATOR)
# What a cluster of ClickHouse agrees through.
KEEPER = "keeper"


def source(values: Values | Settings, store: str) -> str:
    return str(values[f"langfuse_{store}_source"])


def is_bundled(values: Values | Settings, store: str) -> bool:
    """Whether the instance runs the store itself."""
    return source(values, store) in _OWN


def bundled_services(settings: Settings) -> tuple[str, ...]:
    """Services of the stores that the instance runs itself."""
    found = tuple(service for store, service in SERVICES.items() if is_bundled(settings, store))
    return (*found, KEEPER) if source(settings, "clickhouse") == OPERATOR else found


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


def mark_of(name: str) -> str:
    """Entry of the secrets file that says: the collection made the user of this password in an existing store."""
    return f"{name}_made"


def marks(values: Values) -> tuple[str, ...]:
    """The marks of the users that are made with a password of the secrets file."""
    names = ((store, f"langfuse_{store}_password") for store in ("postgres", "clickhouse", "redis"))
    return tuple(
        mark_of(name)
        for store, name in names
        if is_administered(values, store) and not values.get(name) and not kept_elsewhere(values, name)
    )


def fits(values: Values, stored: Mapping[str, str], name: str) -> bool:
    """Whether a stored secret may be used: one that was drawn for a bundled store is no user's of an existing one."""
    return drawn(values, name) or name == "langfuse_keycloak_client_secret" or bool(stored.get(mark_of(name)))


def used(values: Values, name: str) -> bool:
    """Whether the instance uses the secret, and keeps it itself."""
    if kept_elsewhere(values, name):
        return False
    return name not in ("langfuse_s3_access_key", "langfuse_s3_secret_key") or not without_keys(values)


def places(endpoints: Mapping[str, Mapping[str, Any]], buckets: Mapping[str, str]) -> dict[str, str]:
    """Store → where its data is, for the run that is told another place. No secrets."""
    found = whole_places(endpoints, buckets)
    return {store: BUNDLED if endpoints[store]["source"] in _OWN else place for store, place in found.items()}


def whole_places(endpoints: Mapping[str, Mapping[str, Any]], buckets: Mapping[str, str]) -> dict[str, str]:
    """The same, with what is in a store of the instance's own, and who runs that, such as ``cnpg/langfuse``."""
    postgres, clickhouse, redis, s3 = (endpoints[store] for store in SERVICES)
    nodes = ",".join(redis["nodes"]) or netloc(redis["host"], redis["port"])
    master = f"/{redis['sentinel_master']}" if redis["mode"] == "sentinel" else ""
    addresses = {
        # A pooler has no data.
        "postgres": netloc(postgres["direct_host"], postgres["direct_port"]),
        "clickhouse": netloc(clickhouse["host"], clickhouse["port"]),
        "redis": f"{nodes}{master}",
        "s3": s3["endpoint"] or s3["region"],
    }
    where = {
        store: endpoints[store]["source"] if endpoints[store]["source"] in _OWN else address
        for store, address in addresses.items()
    }
    return {
        "postgres": f"{where['postgres']}/{postgres['database']}",
        "clickhouse": f"{where['clickhouse']}/{clickhouse['database']}",
        "redis": f"{where['redis']} {redis['prefix']}".strip(),
        "s3": f"{s3['service']} {where['s3']} {buckets['events']},{buckets['media']}",
    }


def former_places(endpoints: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Existing store → how an earlier version wrote its place down, where that differs in more than its form."""
    postgres = endpoints["postgres"]
    if postgres["source"] != EXISTING:
        return {}
    return {"postgres": f"{netloc(postgres['host'], postgres['port'])}/{postgres['database']}"}
