# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes: what the platform must have, names and numbers that the API takes, ways from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..cluster import OF_OPERATOR, SHARED, in_cluster
from ..cluster_secrets import BACKUP, HOMES, is_there, kept_elsewhere
from ..endpoints import inner_s3_endpoint, is_local, media_service, public_url
from ..hosts import bare, split
from ..plan import Settings
from ..problems import Problem
from ..sources import BUNDLED, OPERATOR, is_administered, is_bundled, source, without_keys
from .urls import is_address

LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{LABEL}(\.{LABEL})*")
# CloudNativePG's clusters have at most 50, and "-postgresql" goes behind it.
_LONGEST = 39
_OF_KEEPER = ("langfuse_keeper_replicas", "langfuse_keeper_memory", "langfuse_keeper_storage")
_QUANTITY = re.compile(r"[1-9]\d*(Mi|Gi|Ti)")


def target_sources(settings: Settings) -> Iterator[Problem]:
    """Sources that only one target has."""
    for store, (shared, switch) in SHARED.items():
        name, chosen = f"langfuse_{store}_source", source(settings, store)
        if not in_cluster(settings):
            if chosen == shared:
                yield Problem(name, f"is {shared}, which only Kubernetes has", "Choose bundled or existing")
        elif chosen == shared and not settings[switch]:
            yield Problem(name, f"is {shared} while {switch} is off", f"Set {switch}: true where the platform has it")
        elif store == "postgres" and chosen == BUNDLED:
            yield Problem(
                name,
                "is bundled, which Kubernetes does not have for PostgreSQL",
                "Set cnpg_enabled: true where the platform has CloudNativePG, or choose existing",
            )


def clickhouse_cluster(settings: Settings) -> Iterator[Problem]:
    """What the operator decides by itself, and what only it can do."""
    if not in_cluster(settings):
        return
    if source(settings, "clickhouse") == OPERATOR:
        for name, value in OF_OPERATOR.items():
            if settings[name] != value:
                yield Problem(
                    name, f"is not {str(value).lower()}, as ClickHouse's operator has it", "Remove the variable"
                )
        return
    beyond = [name for name in _OF_KEEPER if name in settings.given]
    if settings["langfuse_clickhouse_replicas"] != 1:
        beyond.insert(0, "langfuse_clickhouse_replicas")
    for name in beyond:
        yield Problem(
            name,
            f"is set while ClickHouse is {source(settings, 'clickhouse')}",
            "Set clickhouse_operator_enabled: true where the platform has ClickHouse's operator, or remove it",
        )


def pooler(settings: Settings) -> Iterator[Problem]:
    name = "langfuse_postgres_pooler_instances"
    if in_cluster(settings) and settings[name] and source(settings, "postgres") != "cnpg":
        yield Problem(
            name,
            "is set while PostgreSQL is not CloudNativePG's",
            "Remove it; a pooler of one's own is langfuse_postgres_host, and the server langfuse_postgres_direct_host",
        )
    if in_cluster(settings) and settings["langfuse_postgres_pooler_image"] and not settings[name]:
        yield Problem("langfuse_postgres_pooler_image", f"is set while {name} is 0", f"Write {name}, or remove it")


def dragonfly_user(settings: Settings) -> Iterator[Problem]:
    name = "dragonfly_langfuse_password"
    if not in_cluster(settings):
        return
    wanted = source(settings, "redis") == "dragonfly" and settings["dragonfly_acl_enabled"]
    kept = kept_elsewhere(settings, "langfuse_redis_password") or is_administered(settings, "redis")
    if wanted and not settings[name] and not kept:
        yield Problem(
            name,
            "is missing while dragonfly_acl_enabled is on",
            "Write the password of the instance's user, or in langfuse_redis_admin_user who makes that user",
        )
    if settings[name] and not wanted:
        yield Problem(
            name,
            "is set while the instance has no user at the shared Dragonfly",
            "Set dragonfly_enabled and dragonfly_acl_enabled, or remove it",
        )
    if wanted and "langfuse_redis_password" in settings.given:
        yield Problem(
            "langfuse_redis_password", f"is set beside {name}", "Remove it, the shared Dragonfly has the other one"
        )


def cluster_names(settings: Settings) -> Iterator[Problem]:
    if not in_cluster(settings):
        return
    if len(settings.instance) > _LONGEST:
        yield Problem(
            "langfuse_instance",
            f"is longer than {_LONGEST} characters, which CloudNativePG does not take for its cluster",
            "Write a shorter one",
        )
    for name in (
        *("langfuse_kubernetes_namespace", "langfuse_gateway_namespace", "langfuse_ingress_namespace"),
        *("langfuse_monitoring_namespace", "cnpg_namespace", "keda_namespace", "clickhouse_operator_namespace"),
        *(["langfuse_gateway_pods_namespace"] if settings["langfuse_gateway_pods_namespace"] is not None else []),
    ):
        if not re.fullmatch(LABEL, settings[name] or ""):
            yield Problem(name, "is not the name of a namespace", "Use lower-case letters, digits and hyphens")
    for name in (
        *("langfuse_kubernetes_cluster_domain", "langfuse_gateway_name", "langfuse_gateway_section"),
        *("langfuse_priority_class", "langfuse_ingress_class", "langfuse_ingress_issuer"),
        *("langfuse_ingress_tls_secret", "langfuse_storage_class"),
        *("langfuse_postgres_storage_class", "langfuse_clickhouse_storage_class"),
    ):
        if settings[name] is not None and not _NAME.fullmatch(settings[name]):
            yield Problem(name, "is not a name that Kubernetes takes", "Use lower-case letters, digits, - and .")
    for name, values in (
        ("langfuse_kubernetes_pull_secrets", settings["langfuse_kubernetes_pull_secrets"]),
        ("langfuse_network_policy_from", settings["langfuse_network_policy_from"]),
    ):
        for value in values:
            if not _NAME.fullmatch(value):
                yield Problem(name, f"has {value!r}, which is not a name", "Use lower-case letters, digits, - and .")


def cluster_numbers(settings: Settings) -> Iterator[Problem]:
    if not in_cluster(settings):
        return
    ranges = {
        "langfuse_web_replicas": (1, 32),
        "langfuse_ingestion_replicas": (0, 32),
        "langfuse_postgres_instances": (1, 5),
        "langfuse_clickhouse_replicas": (1, 15),
        "langfuse_postgres_pooler_instances": (0, 10),
        "langfuse_autoscaling_cpu": (10, 100),
        "langfuse_autoscaling_queue_depth": (1, 1000000),
        "langfuse_web_max_replicas": (settings["langfuse_web_replicas"], 100),
        "langfuse_worker_max_replicas": (
            max(settings["langfuse_worker_replicas"], settings["langfuse_ingestion_replicas"]),
            100,
        ),
    }
    for name, (low, high) in ranges.items():
        if "max" in name and settings["langfuse_autoscaling"] == "none":
            continue
        if not low <= settings[name] <= high:
            yield Problem(name, f"is not from {low} to {high}", "Write a number in that range")
    for store in ("postgres", "clickhouse", "keeper", "valkey", "seaweedfs"):
        name = f"langfuse_{store}_storage"
        if not _QUANTITY.fullmatch(settings[name] or ""):
            yield Problem(name, "is not the size of a volume", "Write it like 20Gi")


def exposure(settings: Settings) -> Iterator[Problem]:
    """A route needs a host name, and what stands before the instance lets no admin API through."""
    if not in_cluster(settings) or (kind := settings["langfuse_expose"]) == "service":
        return
    if is_local(public_url(settings)):
        yield Problem(
            "langfuse_public_url",
            f"is missing while langfuse_expose is {kind}, so the route has no host name",
            "Write cloudflare_domain or langfuse_public_url, or set langfuse_expose: service",
        )
    elif is_address(split(public_url(settings)).hostname or ""):
        yield Problem(
            "langfuse_public_url",
            f"has an address and no name, which no route of langfuse_expose: {kind} takes",
            "Give it a name, or set langfuse_expose: service",
        )
    if kind != "ingress":
        return
    if settings["langfuse_admin_api_enabled"]:
        yield Problem(
            "langfuse_admin_api_enabled",
            "is on while langfuse_expose is ingress, which cannot keep /api/admin to the inside",
            "Switch it off, or set langfuse_expose: httproute",
        )
    media = media_service(settings)
    if media and media.namespace != settings["langfuse_kubernetes_namespace"]:
        yield Problem(
            "langfuse_s3_public_endpoint",
            f"is missing, and an Ingress does not reach the object store in the namespace {media.namespace}",
            "Write the address of the store's own way from outside, or set langfuse_expose: httproute",
        )


def encrypted_media(settings: Settings) -> Iterator[Problem]:
    """What stands before the instance speaks plain HTTP to the Services that its route names."""
    if media_service(settings) and (inner_s3_endpoint(settings) or "").lower().startswith("https:"):
        yield Problem(
            "langfuse_s3_public_endpoint",
            "is the instance's own address, whose route speaks HTTP to an object store that speaks HTTPS",
            "Write the address of the store's own way from outside, or an http:// address of it as langfuse_s3_endpoint",
        )


def network_policies(settings: Settings) -> Iterator[Problem]:
    if not in_cluster(settings):
        return
    if settings["langfuse_network_policy_mode"] == "audit" and settings["langfuse_network_policy_kind"] != "cilium":
        yield Problem(
            "langfuse_network_policy_mode",
            "is audit, which only Cilium's policies can do",
            "Set langfuse_network_policy_kind: cilium, or enforce",
        )
    name = "langfuse_network_policy_to"
    for place in settings[name]:
        host, _colon, port = place.rpartition(":")
        if not re.fullmatch(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\]", host) or not (
            port.isdigit() and 1 <= int(port) <= 65535
        ):
            yield Problem(name, f"has {place!r}, which is not host:port", "Write it like api.openai.com:443")


def unseen_addresses(settings: Settings) -> Iterator[Problem]:
    """Policies are made of addresses, and these stand in Secrets that nobody here reads."""
    if not in_cluster(settings) or not settings["network_policies_enabled"] or settings["langfuse_network_policy_to"]:
        return
    for name, what in (("langfuse_smtp_url", "mail server"), ("langfuse_https_proxy", "proxy")):
        if kept_elsewhere(settings, name):
            yield Problem(
                "langfuse_network_policy_to",
                f"is empty, and the address of the {what} is in {HOMES[name][0]}, which somebody else keeps",
                f"Write the {what} there as host:port",
            )


def names_of_pods(settings: Settings) -> Iterator[Problem]:
    """Pods of the instance know the names of `langfuse_extra_hosts`; those of operators do not."""
    if not in_cluster(settings):
        return
    redis = bare(settings["langfuse_redis_host"] or "")
    s3 = split(settings["langfuse_s3_endpoint"] or "").hostname
    for who, host, uses in (
        ("KEDA", redis, settings["langfuse_autoscaling"] == "keda" and not is_bundled(settings, "redis")),
        ("CloudNativePG", s3, settings["langfuse_backup_enabled"] and not is_bundled(settings, "s3")),
    ):
        if uses and host in settings["langfuse_extra_hosts"]:
            yield Problem(
                "langfuse_extra_hosts",
                f"has {host}, and {who} has to reach it, which does not know these names",
                "Write a name that all of the cluster knows, or the address itself",
            )


def queue_scaling(settings: Settings) -> Iterator[Problem]:
    if (
        in_cluster(settings)
        and settings["langfuse_autoscaling"] == "keda"
        and settings["langfuse_redis_mode"] != "single"
    ):
        yield Problem(
            "langfuse_autoscaling",
            "is keda, which looks into the queues of a single Redis only",
            "Choose hpa or none with a cluster or sentinels",
        )


def monitoring(settings: Settings) -> Iterator[Problem]:
    if in_cluster(settings) and settings["langfuse_monitoring_enabled"] and not settings["monitoring_enabled"]:
        yield Problem(
            "langfuse_monitoring_enabled",
            "is on while monitoring_enabled is off",
            "Set monitoring_enabled: true, or switch it off",
        )


def backup(settings: Settings) -> Iterator[Problem]:
    if not in_cluster(settings) or not settings["langfuse_backup_enabled"]:
        return
    name = "langfuse_backup_enabled"
    if source(settings, "postgres") != "cnpg":
        yield Problem(
            name, "is on while PostgreSQL is not CloudNativePG's", "Switch it off: the owner of that one backs it up"
        )
    elif not settings["cnpg_barman_plugin_enabled"]:
        yield Problem(
            name, "is on while cnpg_barman_plugin_enabled is off", "Install the plugin and set it, or switch it off"
        )
    if not is_bundled(settings, "s3") and settings["langfuse_s3_service"] != "s3":
        yield Problem(name, "is on, and backups go to S3 only", "Switch it off, or use an object store that speaks S3")
    if is_bundled(settings, "s3"):
        yield Problem(
            name,
            "is on with a bundled object store, which would be lost with the database",
            "Use an object store of its own (langfuse_s3_source: existing), or switch it off",
        )
    if kept_elsewhere(settings, "langfuse_s3_access_key") and not is_there(settings, "langfuse_backup_access_key"):
        yield Problem(
            "langfuse_backup_access_key",
            "is missing, and the keys of the application are kept by somebody else",
            f"Write the keys of the backups, or add {BACKUP} to langfuse_kubernetes_existing_secrets",
        )
    if without_keys(settings) and settings["langfuse_backup_access_key"]:
        yield Problem(
            "langfuse_backup_access_key",
            "is set, and langfuse_s3_use_role is on, so that backups have the rights of their pods",
            "Take it out, or give the application keys too",
        )
    if bool(settings["langfuse_backup_access_key"]) != bool(settings["langfuse_backup_secret_key"]):
        missing = "secret" if settings["langfuse_backup_access_key"] else "access"
        yield Problem(f"langfuse_backup_{missing}_key", "is missing while the other key is set", "Write both, or none")
    if not re.fullmatch(r"[1-9]\d*[dwm]", settings["langfuse_backup_retention"] or ""):
        yield Problem("langfuse_backup_retention", "is not a time to keep backups for", "Write it like 7d")
    if len((settings["langfuse_backup_schedule"] or "").split()) != 6:
        yield Problem(
            "langfuse_backup_schedule", "does not have six fields", "Write it like 0 0 3 * * *, seconds first"
        )
    if settings["langfuse_s3_backups_bucket"] in [
        settings[f"langfuse_s3_{kind}_bucket"] for kind in ("events", "media", "exports")
    ]:
        yield Problem(
            "langfuse_s3_backups_bucket", "is a bucket of the application", "Give backups a bucket of their own"
        )


RULES = (
    target_sources,
    clickhouse_cluster,
    pooler,
    dragonfly_user,
    cluster_names,
    cluster_numbers,
    exposure,
    encrypted_media,
    network_policies,
    unseen_addresses,
    names_of_pods,
    queue_scaling,
    monitoring,
    backup,
)
