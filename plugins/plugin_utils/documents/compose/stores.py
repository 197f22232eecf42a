# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled stores as Compose services, with the files they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...settings import versions
from ...settings.data import USERS
from ...settings.endpoints import S3_PORT
from ..document import Document, secret
from ..store_configuration import (
    SEAWEEDFS_GROWTH,
    clickhouse_config,
    clickhouse_users,
    seaweedfs_arguments,
    seaweedfs_expiry,
    valkey_config,
)
from .mounts import bind

Plan = Mapping[str, Any]
Secrets = Mapping[str, str]


def documents(plan: Plan, secrets: Secrets) -> list[Document]:
    """Files of the bundled stores: environment with their secrets, and configuration without."""
    return [document for service in plan["compose"]["stores"] for document in _DOCUMENTS[service](plan, secrets)]


def _postgres_documents(plan: Plan, secrets: Secrets) -> list[Document]:
    postgres = plan["endpoints"]["postgres"]
    environment = {
        "POSTGRES_USER": postgres["user"],
        "POSTGRES_PASSWORD": secrets["langfuse_postgres_password"],
        "POSTGRES_DB": postgres["database"],
        "TZ": "UTC",
        "PGTZ": "UTC",
    }
    return [secret("env/postgres.env", "env", environment)]


def _clickhouse_documents(plan: Plan, secrets: Secrets) -> list[Document]:
    clickhouse = plan["endpoints"]["clickhouse"]
    environment = {
        "CLICKHOUSE_USER": clickhouse["user"],
        "CLICKHOUSE_PASSWORD": secrets["langfuse_clickhouse_password"],
        "CLICKHOUSE_DB": clickhouse["database"],
        "CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT": "0",
        "TZ": "UTC",
    }
    return [
        secret("env/clickhouse.env", "env", environment),
        Document("clickhouse/config.xml", "xml", clickhouse_config()),
        Document("clickhouse/users.xml", "xml", clickhouse_users(plan["versions"]["clickhouse"])),
    ]


def _valkey_documents(plan: Plan, secrets: Secrets) -> list[Document]:
    environment = {"REDISCLI_AUTH": secrets["langfuse_redis_password"], "TZ": "UTC"}
    return [
        secret("env/valkey.env", "env", environment),
        Document("valkey/valkey.conf", "conf", valkey_config(plan["compose"]["memory"]["valkey"])),
    ]


def _seaweedfs_documents(plan: Plan, secrets: Secrets) -> list[Document]:
    environment = {
        "AWS_ACCESS_KEY_ID": secrets["langfuse_s3_access_key"],
        "AWS_SECRET_ACCESS_KEY": secrets["langfuse_s3_secret_key"],
        "TZ": "UTC",
        **SEAWEEDFS_GROWTH,
    }
    return [secret("env/seaweedfs.env", "env", environment)]


_DOCUMENTS: Mapping[str, Callable[[Plan, Secrets], list[Document]]] = {
    "postgres": _postgres_documents,
    "clickhouse": _clickhouse_documents,
    "valkey": _valkey_documents,
    "seaweedfs": _seaweedfs_documents,
}


def _postgres_data(version: str) -> str:
    """From 18 on the image keeps its data in a folder of the version, below the volume."""
    return "/var/lib/postgresql" if versions.at_least(version, 18) else "/var/lib/postgresql/data"


def services(plan: Plan) -> dict[str, dict[str, Any]]:
    """Service name → what is particular to each bundled store."""
    return {service: _SERVICES[service](plan) for service in plan["compose"]["stores"]}


def _postgres(plan: Plan) -> dict[str, Any]:
    postgres = plan["endpoints"]["postgres"]
    return {
        "command": ["postgres", "-c", "timezone=UTC", "-c", "log_timezone=UTC", "-c", "max_connections=200"],
        "env_file": ["env/postgres.env"],
        "user": _user("postgres"),
        "tmpfs": ["/tmp", "/var/run/postgresql:uid=999,gid=999,mode=0775"],
        "volumes": [_data(plan, "postgres", _postgres_data(plan["versions"]["postgres"]))],
        "shm_size": "128m",
        "stop_signal": "SIGINT",  # fast shutdown: the default waits for every client
        "stop_grace_period": "60s",
        "healthcheck": _health(
            ["CMD", "pg_isready", "-q", "-h", "127.0.0.1", "-U", postgres["user"], "-d", postgres["database"]]
        ),
    }


def _clickhouse(plan: Plan) -> dict[str, Any]:
    directory = plan["compose"]["directory"]
    return {
        "env_file": ["env/clickhouse.env"],
        "user": _user("clickhouse"),
        # The image writes its user there at each start.
        "tmpfs": [
            "/tmp",
            "/etc/clickhouse-server/users.d:uid=101,gid=101,mode=0750",
            "/var/log/clickhouse-server:uid=101,gid=101,mode=0750",
        ],
        "volumes": [
            _data(plan, "clickhouse", "/var/lib/clickhouse"),
            f"{directory}/clickhouse/config.xml:/etc/clickhouse-server/config.d/langfuse.xml:ro",
            f"{directory}/clickhouse/users.xml:/etc/clickhouse-server/users.d/langfuse.xml:ro",
        ],
        "stop_grace_period": "60s",
        "healthcheck": _health(["CMD", "wget", "-q", "-T", "4", "-O", "/dev/null", "http://127.0.0.1:8123/ping"]),
    }


def _valkey(plan: Plan) -> dict[str, Any]:
    directory = plan["compose"]["directory"]
    return {
        # The password comes by the environment and reaches the server by its standard input:
        # not on a command line, not in a file.
        "command": [
            "sh",
            "-c",
            'exec valkey-server - <<END\ninclude /etc/valkey/langfuse.conf\nrequirepass "$$REDISCLI_AUTH"\nEND\n',
        ],
        "env_file": ["env/valkey.env"],
        "user": _user("valkey"),
        "tmpfs": ["/tmp"],
        "volumes": [_data(plan, "valkey", "/data"), f"{directory}/valkey/valkey.conf:/etc/valkey/langfuse.conf:ro"],
        "stop_grace_period": "60s",
        "healthcheck": _health(["CMD-SHELL", "valkey-cli ping | grep -q PONG"]),
    }


def _seaweedfs(plan: Plan) -> dict[str, Any]:
    return {
        "command": seaweedfs_arguments("seaweedfs", S3_PORT),
        "env_file": ["env/seaweedfs.env"],
        "user": _user("seaweedfs"),
        "tmpfs": ["/tmp"],
        "volumes": [_data(plan, "seaweedfs", "/data")],
        "ports": [f"127.0.0.1:{plan['compose']['s3_port']}:{S3_PORT}"],
        "stop_grace_period": "60s",
        "healthcheck": _health(["CMD-SHELL", f"wget -q -T 4 -O /dev/null http://127.0.0.1:{S3_PORT}/status"]),
    }


EXPIRY = "seaweedfs-expiry"


def expiry(plan: Plan) -> dict[str, Any]:
    """What deletes objects that are old enough, where the settings ask for that."""
    if not plan["compose"]["expires"]:
        return {}
    return {
        EXPIRY: {
            "entrypoint": ["sh", "-c", seaweedfs_expiry("seaweedfs", S3_PORT)],
            "init": True,
            "user": _user("seaweedfs"),
            "tmpfs": ["/tmp:size=16m,mode=1777"],
            "mem_limit": "192m",
            "stop_grace_period": "5s",
            "healthcheck": _health(["CMD-SHELL", "find /tmp/passed -mmin -180 | grep -q ."]),
        }
    }


_SERVICES: Mapping[str, Callable[[Plan], dict[str, Any]]] = {
    "postgres": _postgres,
    "clickhouse": _clickhouse,
    "valkey": _valkey,
    "seaweedfs": _seaweedfs,
}


def _user(store: str) -> str:
    return f"{USERS[store]}:{USERS[store]}"


def _data(plan: Plan, store: str, target: str) -> str | dict[str, Any]:
    """Where the store keeps its data: a folder of the host that was asked for, or a named volume."""
    folders = plan["compose"]["data_folders"]
    return bind(folders[store], target) if folders else f"{store}:{target}"


_MOUNTED = {"clickhouse": ("clickhouse/config.xml", "clickhouse/users.xml"), "valkey": ("valkey/valkey.conf",)}


def mounted(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Service → documents that it reads by a mount; Compose does not see their content change."""
    return {service: paths for service, paths in _MOUNTED.items() if service in plan["compose"]["stores"]}


def _health(test: list[str]) -> dict[str, Any]:
    return {
        "test": test,
        "interval": "10s",
        "timeout": "5s",
        "retries": 6,
        "start_period": "60s",
        "start_interval": "1s",
    }
