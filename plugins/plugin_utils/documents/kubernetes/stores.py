# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled stores: ClickHouse, Valkey and SeaweedFS, each one pod with a volume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...settings.data import USERS
from ...settings.endpoints import CLICKHOUSE_HTTP_PORT, CLICKHOUSE_NATIVE_PORT, REDIS_PORT, S3_PORT
from ..document import to_conf, to_xml
from ..store_configuration import (
    SEAWEEDFS_GROWTH,
    clickhouse_config,
    clickhouse_users,
    seaweedfs_arguments,
    seaweedfs_expiry,
    valkey_config,
)
from . import clickhouse_operator
from . import secrets as kept
from .manifest import Manifest, Plan, Wave, config_map, name_of, service
from .pods import Pod, Store, stateful

METRICS_PORT = 9363
_GRACE = 60
Secrets = Mapping[str, str]


def manifests(plan: Plan, secrets: Secrets) -> list[Manifest]:
    """Configuration, Service and StatefulSet of each store that the instance runs so."""
    return [
        manifest
        for store in plan["kubernetes"]["stores"]
        if store in _BUILDERS and not (store == "clickhouse" and clickhouse_operator.is_wanted(plan))
        for manifest in _BUILDERS[store](plan, secrets)
    ]


def _built(plan: Plan, store: Store, files: Mapping[str, str]) -> list[Manifest]:
    pod = store.pod
    name = name_of(plan, pod.component)
    found = [config_map(plan, name, pod.component, pod.application, files)] if files else []
    around = service(plan, Wave.STORES, name, pod.component, store.ports, pod.application)
    return [*found, around, stateful(plan, store)]


def _pod(plan: Plan, secrets: Secrets, name: str, environment: Mapping[str, Any], files: Any, **more: Any) -> Pod:
    """What the stores' pods have in common. `files`: what changes without the pod seeing it."""
    container = more.pop("container")
    return Pod(
        component=name,
        application=name,
        image=plan["images"][name],
        user=USERS[name],
        seconds=_GRACE,
        checksum=kept.checksum(plan, secrets, kept.secrets_in(environment), files),
        container={
            "env": kept.environment(plan, environment),
            "resources": plan["kubernetes"]["resources"][name],
            **container,
        },
        **more,
    )


def _probes(check: Mapping[str, Any]) -> dict[str, Any]:
    """Much time to start: a store that reads its log must not be ended."""
    return {
        "startupProbe": {**check, "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 300},
        "livenessProbe": {**check, "periodSeconds": 15, "timeoutSeconds": 10, "failureThreshold": 8},
        "readinessProbe": {**check, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
    }


def _http(path: str, port: str) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": port, "scheme": "HTTP"}}


def _ports(ports: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"name": name, "containerPort": number, "protocol": "TCP"} for name, number in ports.items()]


def _clickhouse(plan: Plan, secrets: Secrets) -> list[Manifest]:
    endpoint = plan["endpoints"]["clickhouse"]
    monitored = plan["features"]["monitoring"]["on"]
    ports = {"http": CLICKHOUSE_HTTP_PORT, "native": CLICKHOUSE_NATIVE_PORT}
    if monitored:
        ports["metrics"] = METRICS_PORT
    files = {
        "config.xml": to_xml(clickhouse_config(METRICS_PORT if monitored else None)),
        "users.xml": to_xml(clickhouse_users(plan["versions"]["clickhouse"])),
    }
    environment = {
        "CLICKHOUSE_USER": endpoint["user"],
        "CLICKHOUSE_PASSWORD": {"secret": "langfuse_clickhouse_password"},
        "CLICKHOUSE_DB": endpoint["database"],
        "CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT": "0",
        "TZ": "UTC",
    }
    etc = "/etc/clickhouse-server"
    pod = _pod(
        plan,
        secrets,
        "clickhouse",
        environment,
        files,
        container={"ports": _ports(ports), **_probes(_http("/ping", "http"))},
        volumes={
            "configuration": {"configMap": {"name": name_of(plan, "clickhouse")}},
            # The image writes its user there at each start.
            "users": {"emptyDir": {}},
            "log": {"emptyDir": {}},
        },
        mounts=[
            {"name": "users", "mountPath": f"{etc}/users.d"},
            {"name": "log", "mountPath": "/var/log/clickhouse-server"},
            _file("config.xml", f"{etc}/config.d/langfuse.xml"),
            _file("users.xml", f"{etc}/users.d/langfuse.xml"),
        ],
    )
    return _built(plan, Store("clickhouse", pod, "/var/lib/clickhouse", ports), files)


def _file(key: str, path: str) -> dict[str, Any]:
    """One file beside those of the image. A mount of this form stays old, so the checksum rolls the pod."""
    return {"name": "configuration", "mountPath": path, "subPath": key, "readOnly": True}


_VALKEY_START = 'exec valkey-server - <<END\ninclude /etc/valkey/langfuse.conf\nrequirepass "$REDISCLI_AUTH"\nEND\n'


def _valkey(plan: Plan, secrets: Secrets) -> list[Manifest]:
    ports = {"redis": REDIS_PORT}
    files = {"valkey.conf": to_conf(valkey_config(plan["kubernetes"]["memory"]["valkey"]))}
    environment = {"REDISCLI_AUTH": {"secret": "langfuse_redis_password"}, "TZ": "UTC"}
    check = {"exec": {"command": ["sh", "-c", "valkey-cli ping | grep -q PONG"]}}
    pod = _pod(
        plan,
        secrets,
        "valkey",
        environment,
        files,
        # The password reaches the server by its standard input: not on a command line, not in a file.
        container={"args": ["sh", "-c", _VALKEY_START], "ports": _ports(ports), **_probes(check)},
        volumes={"configuration": {"configMap": {"name": name_of(plan, "valkey")}}},
        mounts=[_file("valkey.conf", "/etc/valkey/langfuse.conf")],
    )
    return _built(plan, Store("valkey", pod, "/data", ports), files)


def _seaweedfs(plan: Plan, secrets: Secrets) -> list[Manifest]:
    ports = {"s3": S3_PORT}
    environment = {
        "AWS_ACCESS_KEY_ID": {"secret": "langfuse_s3_access_key"},
        "AWS_SECRET_ACCESS_KEY": {"secret": "langfuse_s3_secret_key"},
        "TZ": "UTC",
        **SEAWEEDFS_GROWTH,
    }
    # Its parts are in one process, and the pod's address changes.
    arguments = seaweedfs_arguments("127.0.0.1", S3_PORT)
    pod = _pod(
        plan,
        secrets,
        "seaweedfs",
        environment,
        None,
        container={"args": arguments, "ports": _ports(ports), **_probes(_http("/status", "s3"))},
        beside={"expiry": _expiry()} if plan["kubernetes"]["expires"] else {},
    )
    return _built(plan, Store("seaweedfs", pod, "/data", ports), {})


def _expiry() -> dict[str, Any]:
    """In the pod of the server, whose parts know each other as 127.0.0.1 only. No probe: a late pass must not stop the store."""
    # The first process of a container has no default for SIGTERM, and would use up the whole grace period.
    script = f"trap 'exit 0' TERM; ({seaweedfs_expiry('127.0.0.1', S3_PORT)}) & wait"
    return {
        "command": ["sh", "-c", script],
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "192Mi"}},
    }


_BUILDERS: Mapping[str, Callable[[Plan, Secrets], list[Manifest]]] = {
    "clickhouse": _clickhouse,
    "valkey": _valkey,
    "seaweedfs": _seaweedfs,
}
