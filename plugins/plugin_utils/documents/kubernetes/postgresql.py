# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL by CloudNativePG: its cluster, the database, and backups to an object store."""

from __future__ import annotations

import base64
from typing import Any

from ...settings.cluster_secrets import BACKUP, POSTGRESQL
from ...settings.sources import CNPG
from ..document import to_pem
from .manifest import Manifest, Plan, Wave, labels, name_of, resource
from .pods import placement
from .secrets import secret_name

APPLICATION, COMPONENT = "postgresql", "database"
PORT, STATUS_PORT, METRICS_PORT = 5432, 8000, 9187
# Cilium's own label for pods that talk to the API server.
_API_ACCESS = "network.cilium.io/api-access"
_AUTHORITIES, _CA_KEY = "backup-authorities", "ca.pem"
_PLUGIN = "barman-cloud.cloudnative-pg.io"
_POOLER_RESOURCES = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}
_API, _BACKUP_API = "postgresql.cnpg.io/v1", "barmancloud.cnpg.io/v1"


def manifests(plan: Plan) -> list[Manifest]:
    """The cluster and what belongs to it; nothing where PostgreSQL is somebody else's."""
    if plan["endpoints"]["postgres"]["source"] != CNPG:
        return []
    found = [_cluster(plan), _database(plan)]
    if plan["endpoints"]["postgres"]["pooler"] and plan["enabled"]:
        found.append(_pooler(plan))
    if not plan["kubernetes"]["backup"]:
        return found
    return [*found, *_authorities(plan), _object_store(plan), _schedule(plan)]


def cluster_name(plan: Plan) -> str:
    return name_of(plan, "postgresql")


def selector(plan: Plan) -> dict[str, str]:
    """Labels of servers and of the pods of their jobs. CloudNativePG's own one alone is on poolers too."""
    return {"cnpg.io/cluster": cluster_name(plan), "app.kubernetes.io/component": COMPONENT}


def _store_name(plan: Plan) -> str:
    return name_of(plan, "objectstore")


def _resource(plan: Plan, api: str, kind: str, name: str, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    return resource(plan, api, kind, name, COMPONENT, APPLICATION, spec=spec, **more)


def _cluster(plan: Plan) -> Manifest:
    kubernetes, endpoint = plan["kubernetes"], plan["endpoints"]["postgres"]
    storage, wishes = kubernetes["storage"]["postgres"], placement(plan)
    credentials = {"name": secret_name(plan, POSTGRESQL)}
    inherited: dict[str, Any] = {"labels": labels(plan, APPLICATION, COMPONENT)}
    if kubernetes["policies"]["kinds"]:
        inherited["labels"][_API_ACCESS] = "true"
    if kubernetes["pods"]["annotations"]:
        inherited["annotations"] = kubernetes["pods"]["annotations"]
    spec: dict[str, Any] = {
        "instances": kubernetes["postgres_instances"],
        # A budget for the only server keeps its node from ever being drained.
        "enablePDB": kubernetes["postgres_instances"] > 1,
        "imageName": plan["images"]["postgres"],
        "imagePullPolicy": kubernetes["pull_policy"],
        **_pull_secrets(plan),
        "bootstrap": {
            "initdb": {"database": endpoint["database"], "owner": endpoint["user"], "secret": credentials},
        },
        "managed": {"roles": [_role(endpoint["user"], credentials)]},
        "storage": {
            "size": storage["size"],
            **({"storageClass": storage["class"]} if storage["class"] else {}),
        },
        "resources": kubernetes["resources"]["postgres"],
        # Pools of web and workers never let go: waiting for them would only keep new connections out.
        "smartShutdownTimeout": 0,
        "postgresql": {"parameters": _parameters(kubernetes["memory"]["postgres"])},
        "affinity": {
            "enablePodAntiAffinity": True,
            "topologyKey": "kubernetes.io/hostname",
            "podAntiAffinityType": "preferred",
            **{key: wishes[key] for key in ("nodeSelector", "tolerations") if key in wishes},
        },
        **({"priorityClassName": wishes["priorityClassName"]} if "priorityClassName" in wishes else {}),
        "inheritedMetadata": inherited,
    }
    if kubernetes["backup"]:
        spec["plugins"] = [
            {"name": _PLUGIN, "isWALArchiver": True, "parameters": {"barmanObjectName": _store_name(plan)}}
        ]
        spec |= _rights(plan)
    # Switched off, it keeps its volumes and has no pods; without the annotation it wakes up.
    annotations = {} if plan["enabled"] else {"cnpg.io/hibernation": "on"}
    cluster = _resource(plan, _API, "Cluster", cluster_name(plan), spec, annotations=annotations)
    return Manifest(Wave.STORES, cluster, keep=True)


def _rights(plan: Plan) -> dict[str, Any]:
    """What gives its servers rights at a cloud, for backups without keys."""
    annotations = plan["kubernetes"]["pods"]["service_account_annotations"]
    if plan["kubernetes"]["backup"]["keys"] or not annotations:
        return {}
    return {"serviceAccountTemplate": {"metadata": {"annotations": annotations}}}


def _pull_secrets(plan: Plan) -> dict[str, Any]:
    names = plan["kubernetes"]["pull_secrets"]
    return {"imagePullSecrets": [{"name": name} for name in names]} if names else {}


def _role(user: str, credentials: dict[str, str]) -> dict[str, Any]:
    """The application's role, whose password follows the Secret."""
    return {
        "name": user,
        "ensure": "present",
        "login": True,
        "superuser": False,
        "createdb": False,
        "createrole": False,
        "inherit": True,
        "connectionLimit": -1,
        "passwordSecret": credentials,
    }


def _parameters(memory: int) -> dict[str, str]:
    """Settings of the server for a memory limit in MiB."""
    return {
        "timezone": "UTC",
        "log_timezone": "UTC",
        "max_connections": "200",
        "shared_buffers": f"{memory // 4}MB",
        "effective_cache_size": f"{memory // 2}MB",
        "maintenance_work_mem": "64MB",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "200",
        "max_wal_size": "2GB",
    }


def _database(plan: Plan) -> Manifest:
    endpoint = plan["endpoints"]["postgres"]
    spec = {
        "name": endpoint["database"],
        "owner": endpoint["user"],
        "cluster": {"name": cluster_name(plan)},
        "ensure": "present",
        "databaseReclaimPolicy": "retain",
    }
    name = name_of(plan, f"db-{endpoint['database'].replace('_', '-')}".rstrip("-"))
    return Manifest(Wave.DATABASES, _resource(plan, _API, "Database", name, spec), keep=True)


def pooler_selector(plan: Plan) -> dict[str, str]:
    return {"cnpg.io/poolerName": plan["endpoints"]["postgres"]["pooler"]}


def _pooler(plan: Plan) -> Manifest:
    """PgBouncer, which gives its few connections to many clients, a transaction at a time."""
    image = plan["kubernetes"]["pooler_image"]
    # The operator fills in what the container of this name lacks.
    container = {
        "name": "pgbouncer",
        **({"image": image, "imagePullPolicy": plan["kubernetes"]["pull_policy"]} if image else {}),
        "resources": _POOLER_RESOURCES,
    }
    annotations = plan["kubernetes"]["pods"]["annotations"]
    spec = {
        "cluster": {"name": cluster_name(plan)},
        "instances": plan["kubernetes"]["pooler_instances"],
        "type": "rw",
        "pgbouncer": {"poolMode": "transaction", "parameters": {"max_client_conn": "1000", "default_pool_size": "40"}},
        "template": {
            "metadata": {
                "labels": labels(plan, APPLICATION, "pooler"),
                **({"annotations": annotations} if annotations else {}),
            },
            "spec": {
                "containers": [container],
                **_pull_secrets(plan),
                **placement(plan),
            },
        },
    }
    name = plan["endpoints"]["postgres"]["pooler"]
    return Manifest(Wave.DATABASES, _resource(plan, _API, "Pooler", name, spec))


def _checks_authorities(plan: Plan) -> bool:
    """Whether the certificate of the object store may be from an authority of one's own."""
    endpoint = plan["kubernetes"]["backup"]["endpoint"] or ""
    return bool(plan["ca_certificates"]) and endpoint.startswith("https:")


def _authorities(plan: Plan) -> list[Manifest]:
    """The authorities for backups, which the plugin reads from a Secret only."""
    if not _checks_authorities(plan):
        return []
    data = {_CA_KEY: base64.b64encode(to_pem(plan["ca_certificates"]).encode()).decode()}
    found = resource(
        plan, "v1", "Secret", name_of(plan, _AUTHORITIES), COMPONENT, APPLICATION, type="Opaque", data=data
    )
    return [Manifest(Wave.CONFIGURATION, found, sensitive=True)]


def _object_store(plan: Plan) -> Manifest:
    backup = plan["kubernetes"]["backup"]
    secret = secret_name(plan, BACKUP)
    if backup["keys"]:
        credentials: dict[str, Any] = {
            "accessKeyId": {"name": secret, "key": "ACCESS_KEY_ID"},
            "secretAccessKey": {"name": secret, "key": "SECRET_ACCESS_KEY"},
        }
    else:
        credentials = {"inheritFromIAMRole": True}
    spec = {
        "configuration": {
            "destinationPath": f"s3://{backup['bucket']}",
            **({"endpointURL": backup["endpoint"]} if backup["endpoint"] else {}),
            "s3Credentials": credentials,
            **(
                {"endpointCA": {"name": name_of(plan, _AUTHORITIES), "key": _CA_KEY}}
                if _checks_authorities(plan)
                else {}
            ),
            "wal": {"compression": "gzip"},
            "data": {"compression": "gzip"},
        },
        # Beside the configuration: within it the API drops the field without a word.
        "retentionPolicy": backup["retention"],
        "instanceSidecarConfiguration": {
            # Stores of one's own do not know the checksums that newer S3 clients add by themselves.
            "env": [
                {"name": name, "value": "when_required"}
                for name in ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION")
            ]
            + [{"name": "AWS_DEFAULT_REGION", "value": backup["region"]}],
            "retentionPolicyIntervalSeconds": 1800,
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        },
    }
    return Manifest(Wave.CONFIGURATION, _resource(plan, _BACKUP_API, "ObjectStore", _store_name(plan), spec))


def _schedule(plan: Plan) -> Manifest:
    """Base backups, without which an archive of the log restores nothing."""
    spec = {
        "schedule": plan["kubernetes"]["backup"]["schedule"],
        "cluster": {"name": cluster_name(plan)},
        "backupOwnerReference": "self",
        "immediate": True,
        "suspend": not plan["enabled"],
        "method": "plugin",
        "pluginConfiguration": {"name": _PLUGIN},
    }
    return Manifest(Wave.DATABASES, _resource(plan, _API, "ScheduledBackup", name_of(plan, "postgresql"), spec))
