# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores that the instance does not bring itself: what they need, and what does not fit together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from ..cluster import in_cluster
from ..cluster_secrets import is_there
from ..endpoints import media_service, redis_prefix
from ..hosts import is_host, split
from ..plan import Settings
from ..problems import Problem
from ..sources import is_bundled, source
from .urls import is_address

# Variables that act on an existing store only, by store.
_EXISTING_ONLY: Mapping[str, tuple[str, ...]] = {
    "postgres": (
        *("host", "port", "sslmode", "direct_host", "direct_port", "parameters"),
        *("admin_user", "admin_password", "admin_database"),
    ),
    "clickhouse": ("host", "port", "native_port", "tls", "cluster_enabled", "admin_user", "admin_password"),
    "redis": (
        *("mode", "host", "port", "nodes", "sentinel_master", "sentinel_username", "sentinel_password"),
        *("tls", "username", "admin_user", "admin_password"),
    ),
    "s3": ("service", "endpoint", "path_style", "use_role", "admin_access_key", "admin_secret_key"),
}
# And on a bundled one only. Versions are not among them: one list of images may serve several instances.
_BUNDLED_ONLY: Mapping[str, tuple[str, ...]] = {
    "postgres": ("langfuse_postgres_memory",),
    "clickhouse": ("langfuse_clickhouse_memory",),
    "redis": ("langfuse_valkey_memory",),
    "s3": ("langfuse_s3_port", "langfuse_seaweedfs_memory"),
}
# The same in a cluster, where each store has a volume.
_VOLUMES: Mapping[str, tuple[str, ...]] = {
    "postgres": tuple(f"langfuse_postgres_{name}" for name in ("instances", "image", "storage", "storage_class")),
    "clickhouse": ("langfuse_clickhouse_storage", "langfuse_clickhouse_storage_class"),
    "redis": ("langfuse_valkey_storage",),
    "s3": ("langfuse_seaweedfs_storage",),
}
# Only S3 itself has them, not the other services.
_S3_ONLY = ("region", "path_style", "admin_access_key", "admin_secret_key")
# Parameters of PostgreSQL's address that the collection writes, or counts on, and what to write instead.
_OWN_PARAMETERS: Mapping[str, str] = {
    "sslmode": "Write langfuse_postgres_sslmode",
    "sslaccept": "Write langfuse_postgres_sslmode: verify-full",
    "sslcert": "Write the authority into langfuse_ca_certificates",
    "schema": "Give the instance a database of its own; its tables are in the schema public",
}
# Written down, they say what holds anyway.
_DEFAULTS = ("single", "disable", "s3")
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]*:")


def not_existing(settings: Settings) -> Iterator[Problem]:
    """An address beside a bundled store means that somebody believes it is used."""
    for store, names in _EXISTING_ONLY.items():
        if not is_bundled(settings, store):
            continue
        for name in (f"langfuse_{store}_{name}" for name in names):
            if name in settings.given and settings[name] not in (None, "", [], {}, False, *_DEFAULTS):
                yield Problem(
                    name,
                    f"is set while langfuse_{store}_source is {source(settings, store)}",
                    f"Set langfuse_{store}_source: existing, or remove it",
                )
    if settings["langfuse_gcs_credentials"] and (
        is_bundled(settings, "s3") or settings["langfuse_s3_service"] != "gcs"
    ):
        yield Problem(
            "langfuse_gcs_credentials",
            "is set while the object store is not Google's",
            "Set langfuse_s3_source: existing and langfuse_s3_service: gcs, or remove it",
        )


def not_bundled(settings: Settings) -> Iterator[Problem]:
    """What a container of the instance gets, and there is none."""
    for store, names in _BUNDLED_ONLY.items():
        if is_bundled(settings, store):
            continue
        for name in (*names, *(_VOLUMES[store] if in_cluster(settings) else ())):
            if name in settings.given:
                chosen = source(settings, store)
                yield Problem(name, f"is set while langfuse_{store}_source is {chosen}", "Remove it")


def store_hosts(settings: Settings) -> Iterator[Problem]:
    for store in ("postgres", "clickhouse", "redis"):
        if is_bundled(settings, store) or (store == "redis" and settings["langfuse_redis_mode"] != "single"):
            continue
        name = f"langfuse_{store}_host"
        if not settings[name]:
            yield Problem(name, f"is missing while langfuse_{store}_source is existing", "Name the host of the store")
        elif not is_host(settings[name]):
            yield Problem(name, "is not the name or address of a host", "Write it like db.example.com, its port apart")
    direct = settings["langfuse_postgres_direct_host"]
    if direct and not is_host(direct):
        yield Problem(
            "langfuse_postgres_direct_host", "is not the name or address of a host", "Write it like db.example.com"
        )


def store_ports(settings: Settings) -> Iterator[Problem]:
    for name in (
        *("langfuse_postgres_port", "langfuse_postgres_direct_port", "langfuse_redis_port"),
        *("langfuse_clickhouse_port", "langfuse_clickhouse_native_port"),
    ):
        if settings[name] is not None and not 1 <= settings[name] <= 65535:
            yield Problem(name, "is not a port", "Write a number from 1 to 65535")


def postgres_parameters(settings: Settings) -> Iterator[Problem]:
    for name, value in settings["langfuse_postgres_parameters"].items():
        if not isinstance(value, str):
            yield Problem("langfuse_postgres_parameters", f"has no text for {name}", 'Put it in quotes: "true", "10"')
        if name in _OWN_PARAMETERS:
            yield Problem(
                "langfuse_postgres_parameters",
                f"has {name}, which is not set here",
                f"Remove it. {_OWN_PARAMETERS[name]}",
            )


def redis_nodes(settings: Settings) -> Iterator[Problem]:
    if is_bundled(settings, "redis"):
        return
    mode, nodes = settings["langfuse_redis_mode"], settings["langfuse_redis_nodes"]
    if mode == "cluster":
        for name in ("sentinel_master", "sentinel_username", "sentinel_password"):
            if settings[f"langfuse_redis_{name}"]:
                yield Problem(
                    f"langfuse_redis_{name}",
                    "is set while langfuse_redis_mode is cluster",
                    "Choose sentinel, or remove it",
                )
    if mode == "single":
        for name in ("nodes", "sentinel_master", "sentinel_username", "sentinel_password"):
            if settings[f"langfuse_redis_{name}"]:
                yield Problem(
                    f"langfuse_redis_{name}",
                    "is set while langfuse_redis_mode is single",
                    "Choose cluster or sentinel, or remove it",
                )
        return
    if settings["langfuse_redis_host"]:
        yield Problem(
            "langfuse_redis_host",
            f"is set while langfuse_redis_mode is {mode}",
            "Write its address into langfuse_redis_nodes",
        )
    if "langfuse_redis_port" in settings.given:
        yield Problem(
            "langfuse_redis_port",
            f"is set while langfuse_redis_mode is {mode}",
            "Write the port of each node into langfuse_redis_nodes",
        )
    if not nodes:
        yield Problem(
            "langfuse_redis_nodes", f"is empty while langfuse_redis_mode is {mode}", "Name one or more as host:port"
        )
    for node in nodes:
        host, _colon, port = node.rpartition(":")
        if ":" in host and is_host(host):
            # The application cuts a node at its first colon.
            yield Problem(
                "langfuse_redis_nodes",
                f"has {node}, and Langfuse takes no IPv6 address there",
                "Write a name, which langfuse_extra_hosts can give it",
            )
        elif not is_host(host) or not port.isdigit() or not 1 <= int(port) <= 65535:
            yield Problem("langfuse_redis_nodes", f"has {node}, which is not host:port", "Write it like redis-1:6379")
    if mode == "sentinel" and not settings["langfuse_redis_sentinel_master"]:
        yield Problem(
            "langfuse_redis_sentinel_master",
            "is missing while langfuse_redis_mode is sentinel",
            "Write the name that the sentinels give to the master, often mymaster",
        )


def key_prefix(settings: Settings) -> Iterator[Problem]:
    """Cache keys follow it without a separator, so that an ACL pattern needs the colon in it (facts 8)."""
    prefix = redis_prefix(settings)
    if prefix and not _PREFIX.fullmatch(prefix):
        yield Problem(
            "langfuse_redis_key_prefix",
            "is not lower-case letters, digits, - and _ with one colon at the end",
            "Write it like langfuse:",
        )
    if not prefix and not is_bundled(settings, "redis"):
        yield Problem(
            "langfuse_redis_key_prefix",
            "is empty, and only a prefix keeps the instance from the keys of others in an existing Redis",
            "Remove the variable, or write it like langfuse:",
        )


def store_credentials(settings: Settings) -> Iterator[Problem]:
    """Passwords of users that somebody else made, and administrators without a name."""
    for store in ("postgres", "clickhouse", "redis"):
        if settings[f"langfuse_{store}_admin_password"] and not settings[f"langfuse_{store}_admin_user"]:
            yield Problem(
                f"langfuse_{store}_admin_user",
                f"is missing while langfuse_{store}_admin_password is set",
                "Name the user that it belongs to",
            )
        if settings[f"langfuse_{store}_admin_user"] and settings[f"langfuse_{store}_admin_password"] == "":
            yield Problem(
                f"langfuse_{store}_admin_password",
                "is empty; where it is looked up in the environment or in a file, there is nothing",
                f"Write it, or remove the variable where langfuse_{store}_admin_user needs none",
            )
    if "langfuse_postgres_admin_database" in settings.given and not (
        is_bundled(settings, "postgres") or settings["langfuse_postgres_admin_user"]
    ):
        yield Problem(
            "langfuse_postgres_admin_user",
            "is missing while langfuse_postgres_admin_database is set",
            "Name the user that connects to it, or remove it",
        )
    for store in ("postgres", "clickhouse"):
        if not is_there(settings, f"langfuse_{store}_password"):
            yield Problem(
                f"langfuse_{store}_password",
                f"is missing: the user of an existing {store} was made by somebody else, and no generated password is its own",
                f"Write it, or set langfuse_{store}_admin_user to have the user made",
            )


def object_store(settings: Settings) -> Iterator[Problem]:
    if is_bundled(settings, "s3"):
        return
    service, role = settings["langfuse_s3_service"], settings["langfuse_s3_use_role"]
    keys = [name for name in ("access_key", "secret_key") if settings[f"langfuse_s3_{name}"]]
    if role or service == "gcs":
        why = "langfuse_s3_use_role is on" if role else "Google takes langfuse_gcs_credentials"
        for name in keys:
            yield Problem(f"langfuse_s3_{name}", f"is set while {why}", "Remove it")
    else:
        for name in ("access_key", "secret_key"):
            if not is_there(settings, f"langfuse_s3_{name}"):
                yield Problem(
                    f"langfuse_s3_{name}",
                    "is missing for the existing object store",
                    "Write it, or set langfuse_s3_use_role: true where the machine has the right",
                )
    if service == "azure" and not settings["langfuse_s3_endpoint"]:
        yield Problem(
            "langfuse_s3_endpoint", "is missing for Azure", "Write it like https://account.blob.core.windows.net"
        )
    if service == "azure" and role:
        yield Problem("langfuse_s3_use_role", "is on, and Langfuse needs an account and a key at Azure", "Write both")
    if service == "gcs":
        yield from _google(settings)
    if service != "s3":
        for name in (f"langfuse_s3_{name}" for name in _S3_ONLY):
            if name in settings.given and settings[name]:
                yield Problem(
                    name, f"is set while langfuse_s3_service is {service}, which has no such thing", "Remove it"
                )
        return
    pair = [name for name in ("admin_access_key", "admin_secret_key") if settings[f"langfuse_s3_{name}"]]
    if len(pair) == 1:
        other = "langfuse_s3_admin_secret_key" if pair[0] == "admin_access_key" else "langfuse_s3_admin_access_key"
        yield Problem(other, f"is missing while langfuse_s3_{pair[0]} is set", "Write both, or none")


def _google(settings: Settings) -> Iterator[Problem]:
    for name in ("langfuse_s3_endpoint", "langfuse_s3_public_endpoint"):
        if settings[name]:
            yield Problem(name, "is set, and the application knows one address of Google Cloud Storage", "Remove it")
    credentials = settings["langfuse_gcs_credentials"]
    if is_there(settings, "langfuse_gcs_credentials") == bool(settings["langfuse_s3_use_role"]):
        yield Problem(
            "langfuse_gcs_credentials",
            "is set beside langfuse_s3_use_role" if credentials else "is missing",
            "Write the JSON of a service account's key, or set langfuse_s3_use_role: true, one of both",
        )
    elif credentials:
        try:
            good = json.loads(credentials).get("type") == "service_account"
        except (ValueError, AttributeError):
            good = False
        if not good:
            yield Problem(
                "langfuse_gcs_credentials", "is not the JSON of a service account's key", "Copy the whole file into it"
            )


def media_address(settings: Settings) -> Iterator[Problem]:
    """Browsers and senders are not inside the network that a store's short name is from."""
    if is_bundled(settings, "s3") or settings["langfuse_s3_public_endpoint"] or not settings["langfuse_s3_endpoint"]:
        return
    if media_service(settings):
        return
    host = split(settings["langfuse_s3_endpoint"]).hostname or ""
    if host and "." not in host and ":" not in host:
        yield Problem(
            "langfuse_s3_public_endpoint",
            f"is missing, and browsers do not know {host}",
            "Write the address under which browsers and senders reach the object store",
        )


def path_style(settings: Settings) -> Iterator[Problem]:
    """Otherwise the bucket's name goes before the host's, where no name server knows it."""
    host = split(settings["langfuse_s3_endpoint"] or "").hostname
    if is_bundled(settings, "s3") or settings["langfuse_s3_service"] != "s3" or settings["langfuse_s3_path_style"]:
        return
    if host and (is_address(host) or "." not in host):
        yield Problem(
            "langfuse_s3_path_style",
            f"is off, and there is no {settings['langfuse_s3_events_bucket']}.{host}",
            "Set it to true, or write the endpoint's full name",
        )


def shared_services(settings: Settings) -> Iterator[Problem]:
    for store in ("postgres", "redis", "clickhouse", "s3"):
        name = f"langfuse_shared_{store}_service"
        if settings[name] and not settings["langfuse_shared_project"]:
            yield Problem(name, "is set without langfuse_shared_project", "Name the Compose project that it is part of")
        elif settings[name] and is_bundled(settings, store):
            yield Problem(
                name,
                f"is set while langfuse_{store}_source is bundled",
                f"Set langfuse_{store}_source: existing, or remove it",
            )


RULES = (
    shared_services,
    not_existing,
    not_bundled,
    store_hosts,
    store_ports,
    postgres_parameters,
    redis_nodes,
    key_prefix,
    store_credentials,
    object_store,
    media_address,
    path_style,
)
