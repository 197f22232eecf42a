# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ClickHouse by its own operator: servers that replicate, and the Keeper through which they agree.

Written from the operator's API reference, `clickhouse.com/v1alpha1`; it was never run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...settings.data import USERS
from ...settings.endpoints import CLICKHOUSE_HTTP_PORT, CLICKHOUSE_NATIVE_PORT
from ...settings.sources import KEEPER, OPERATOR
from ..store_configuration import clickhouse_config, clickhouse_users
from . import secrets as kept
from .manifest import Manifest, Plan, Wave, labels, name_of, resource
from .pods import placement

APPLICATION = "clickhouse"
_API = "clickhouse.com/v1alpha1"
_PASSWORD = "langfuse_clickhouse_password"  # noqa: S105
# Ports of the operator's own choice: its account and distributed queries, copies between servers, Prometheus.
MANAGEMENT_PORT, INTERSERVER_PORT, METRICS_PORT = 9001, 9009, 9363
# Keeper's: clients, its servers among themselves, the operator's questions.
KEEPER_PORT, RAFT_PORT, CONTROL_PORT = 2181, 9234, 9123
Secrets = Mapping[str, str]


def is_wanted(plan: Plan) -> bool:
    return bool(plan["endpoints"]["clickhouse"]["source"] == OPERATOR)


def manifests(plan: Plan, secrets: Secrets) -> list[Manifest]:
    """Keeper, the servers, and the Service of both ports; nothing where ClickHouse comes from elsewhere."""
    return [_keeper(plan), _cluster(plan, secrets), _service(plan)] if is_wanted(plan) else []


def selector(plan: Plan) -> dict[str, str]:
    """The operator's own labels of the servers' pods."""
    return {"app": name_of(plan, "clickhouse"), "clickhouse.com/role": "clickhouse-server"}


def keeper_selector(plan: Plan) -> dict[str, str]:
    return {"app": name_of(plan, KEEPER), "clickhouse.com/role": "clickhouse-keeper"}


def _resource(plan: Plan, kind: str, component: str, spec: dict[str, Any]) -> Manifest:
    """The operator puts `-clickhouse` and `-keeper` behind the names."""
    found = resource(plan, _API, kind, name_of(plan), component, APPLICATION, spec=spec)
    return Manifest(Wave.STORES, found, keep=True)


def _common(plan: Plan, service: str, component: str, environment: list[dict[str, Any]]) -> dict[str, Any]:
    """What servers and Keeper have in common."""
    kubernetes, storage = plan["kubernetes"], plan["kubernetes"]["storage"][service]
    repository, _colon, tag = plan["images"][service].rpartition(":")
    pull_secrets = [{"name": name} for name in kubernetes["pull_secrets"]]
    user = USERS["clickhouse"]
    return {
        "labels": labels(plan, APPLICATION, component),
        **({"annotations": kubernetes["pods"]["annotations"]} if kubernetes["pods"]["annotations"] else {}),
        "clusterDomain": kubernetes["cluster_domain"],
        "dataVolumeClaimSpec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": storage["size"]}},
            **({"storageClassName": storage["class"]} if storage["class"] else {}),
        },
        "podTemplate": {
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": user,
                "runAsGroup": user,
                "fsGroup": user,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            **({"imagePullSecrets": pull_secrets} if pull_secrets else {}),
            **{key: value for key, value in placement(plan).items() if key != "priorityClassName"},
        },
        "containerTemplate": {
            "image": {"repository": repository, "tag": tag},
            "imagePullPolicy": kubernetes["pull_policy"],
            "resources": kubernetes["resources"][service],
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            **({"env": environment} if environment else {}),
        },
    }


def _replicas(plan: Plan, name: str) -> int:
    return int(plan["kubernetes"][f"{name}_replicas"]) if plan["enabled"] else 0


def _keeper(plan: Plan) -> Manifest:
    spec = {
        "replicas": _replicas(plan, "keeper"),
        **_common(plan, KEEPER, KEEPER, []),
        "settings": {"logger": _LOGGER},
    }
    return _resource(plan, "KeeperCluster", KEEPER, spec)


# By default every step is written to files of 1 GB, 50 of them.
_LOGGER = {"logToFile": False, "level": "information"}


def _cluster(plan: Plan, secrets: Secrets) -> Manifest:
    password = kept.reference(plan, _PASSWORD)
    extra = {key: value for key, value in clickhouse_config()["clickhouse"].items() if key != "logger"}
    users = clickhouse_users(plan["versions"]["clickhouse"])["clickhouse"]
    # The operator does not see that the Secret changes, and servers read it when they start.
    rolls = [{"name": "LANGFUSE_CHECKSUM", "value": kept.checksum(plan, secrets, [_PASSWORD])}]
    spec = {
        "replicas": _replicas(plan, "clickhouse"),
        # The tables of Langfuse know no shards.
        "shards": 1,
        "keeperClusterRef": {"name": name_of(plan)},
        **_common(plan, "clickhouse", "clickhouse", rolls),
        "settings": {
            "defaultUserPassword": {"passwordType": "password", "secret": password},
            "logger": _LOGGER,
            "extraConfig": extra,
            "extraUsersConfig": users,
        },
    }
    return _resource(plan, "ClickHouseCluster", "clickhouse", spec)


def _service(plan: Plan) -> Manifest:
    """One name for all servers that are ready: the operator's own Service names each of them, ready or not."""
    ports = {"http": CLICKHOUSE_HTTP_PORT, "native": CLICKHOUSE_NATIVE_PORT}
    if plan["features"]["monitoring"]["on"]:
        ports["metrics"] = METRICS_PORT
    spec = {
        "type": "ClusterIP",
        "selector": selector(plan),
        "ports": [{"name": name, "port": port, "targetPort": port, "protocol": "TCP"} for name, port in ports.items()],
    }
    name = name_of(plan, "clickhouse")
    return Manifest(Wave.STORES, resource(plan, "v1", "Service", name, "clickhouse", APPLICATION, spec=spec))
