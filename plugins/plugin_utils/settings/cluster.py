# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of an instance in a cluster, and what the platform's switches mean for its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .plan import Settings

KUBERNETES, GITOPS = "kubernetes", "gitops"
Values = Mapping[str, Any]

# What the instance runs → how its Service is called after the instance's name.
SERVICES: Mapping[str, str] = {
    "web": "web",
    "worker": "worker",
    "postgres": "postgresql-rw",
    "clickhouse": "clickhouse",
    "redis": "valkey",
    "s3": "seaweedfs",
}
# Store → source that a switch of the platform stands for.
SHARED: Mapping[str, tuple[str, str]] = {
    "postgres": ("cnpg", "cnpg_enabled"),
    "clickhouse": ("operator", "clickhouse_operator_enabled"),
    "redis": ("dragonfly", "dragonfly_enabled"),
    "s3": ("rustfs", "rustfs_enabled"),
}

# The cluster that ClickHouse's operator makes: its user with all rights, its database, which it keeps equal on all replicas. Langfuse's
# migrations for clusters work there because the database is called as the cluster.
OF_OPERATOR: Mapping[str, Any] = {
    "langfuse_clickhouse_user": "default",
    "langfuse_clickhouse_database": "default",
    "langfuse_clickhouse_cluster_enabled": True,
}


@dataclass(frozen=True)
class Service:
    """A Service of the cluster."""

    name: str
    namespace: str


def in_cluster(values: Values | Settings) -> bool:
    """Whether the instance runs in a cluster, whoever applies its objects."""
    return values["langfuse_target"] in (KUBERNETES, GITOPS)


def by_git(values: Values | Settings) -> bool:
    """Whether the objects are written into a Git repository, from which others apply them."""
    return bool(values["langfuse_target"] == GITOPS)


def dns_name(values: Values | Settings, name: str, namespace: str | None = None) -> str:
    """The full name of a Service, which also resolves in pods of other namespaces."""
    namespace = namespace or values["langfuse_kubernetes_namespace"]
    return f"{name}.{namespace}.svc.{values['langfuse_kubernetes_cluster_domain']}"


def own_host(settings: Settings, what: str) -> str:
    """Name of what the instance runs itself: `web`, `worker` or a store."""
    return dns_name(settings, f"{settings.instance}-{SERVICES[what]}")


def pooler(settings: Settings) -> str | None:
    """Name of the Service of PgBouncer in front of PostgreSQL; None where there is none."""
    if not in_cluster(settings) or not settings["langfuse_postgres_pooler_instances"]:
        return None
    return f"{settings.instance}-postgresql-pooler"


def ingests_apart(settings: Settings) -> bool:
    """Whether some workers do nothing but ingestion."""
    return in_cluster(settings) and bool(settings["langfuse_ingestion_replicas"])


def service_of(domain: str, namespace: str, host: str) -> Service | None:
    """The Service that `host` names from within `namespace`, or that a pod named so is behind; None for a host elsewhere."""
    labels = host.removesuffix(f".{domain}").split(".")
    if len(labels) == 1:
        return Service(labels[0], namespace)
    if len(labels) in (3, 4) and labels[-1] == "svc":
        return Service(*labels[-3:-1])
    return None


def on_platform(values: Values, given: Values) -> dict[str, Any]:
    """`values` with what the switches of the platform say where the user said nothing."""
    if not in_cluster(values):
        return dict(values)
    merged = dict(values)
    for store, (source, switch) in SHARED.items():
        name = f"langfuse_{store}_source"
        if values[switch] and name not in given:
            merged[name] = source
    if merged["langfuse_clickhouse_source"] == "operator":
        merged |= {name: value for name, value in OF_OPERATOR.items() if name not in given}
    if merged["langfuse_redis_source"] == "dragonfly":
        merged["langfuse_redis_host"] = values["langfuse_redis_host"] or dns_name(values, "dragonfly", "cache")
        if values["dragonfly_acl_enabled"]:
            merged["langfuse_redis_username"] = values["langfuse_redis_username"] or values["langfuse_instance"]
            merged["langfuse_redis_password"] = values["dragonfly_langfuse_password"]
    if merged["langfuse_s3_source"] == "rustfs":
        rustfs = f"http://{dns_name(values, 'rustfs-svc', 'storage')}:9000"
        merged["langfuse_s3_endpoint"] = values["langfuse_s3_endpoint"] or rustfs
    if values["tracing_enabled"]:
        tempo = f"http://{dns_name(values, 'tempo', 'monitoring')}:4318"
        merged["langfuse_otlp_endpoint"] = values["langfuse_otlp_endpoint"] or tempo
    return merged
