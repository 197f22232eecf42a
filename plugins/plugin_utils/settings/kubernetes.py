# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Plan says of an instance in a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from . import sizes
from .buckets import backups, expires
from .cluster import SERVICES
from .consumers import namespaces, written
from .endpoints import media_service, object_store_service
from .flows import flows, object_store
from .module_options import bundled_s3, from_secrets, provision, reached_namespaces
from .plan import Feature, Settings
from .sources import bundled_services, places, whole_places

Endpoints = Mapping[str, Mapping[str, Any]]
_REPLICATED = ("web", "worker", "ingestion")
_PULL = {"missing": "IfNotPresent", "always": "Always", "never": "Never"}


def kubernetes(
    settings: Settings, features: Mapping[str, Feature], endpoints: Endpoints, buckets: Mapping[str, str]
) -> dict[str, Any]:
    """The part of the Plan that the objects are built from. No secrets."""
    return {
        # As modules take it that reach Services through the API server, and the Secrets from which they take what nobody gave.
        "cluster": {
            "kubeconfig": settings["langfuse_kubernetes_kubeconfig"],
            "context": settings["langfuse_kubernetes_context"],
            "domain": settings["langfuse_kubernetes_cluster_domain"],
            "namespace": settings["langfuse_kubernetes_namespace"],
        },
        "from_secrets": from_secrets(settings),
        "reaches": reached_namespaces(settings, endpoints),
        "connects": written(settings),
        # Stores whose data is somebody else's where the instance is new.
        "unclaimed": [
            store for store in provision(settings, endpoints, buckets) if store not in settings["langfuse_moved_stores"]
        ],
        "kubeconfig": settings["langfuse_kubernetes_kubeconfig"],
        "context": settings["langfuse_kubernetes_context"],
        # Where the instance is reached from within, and through the API server.
        "host_url": f"http://{endpoints['web']['host']}:{endpoints['web']['port']}",
        "extra_hosts": settings["langfuse_extra_hosts"],
        "closed_ports": [],
        "namespace": settings["langfuse_kubernetes_namespace"],
        "create_namespace": settings["langfuse_kubernetes_create_namespace"],
        "cluster_domain": settings["langfuse_kubernetes_cluster_domain"],
        "pull_policy": _PULL[settings["langfuse_image_pull"]],
        "pull_secrets": list(dict.fromkeys(settings["langfuse_kubernetes_pull_secrets"])),
        "existing_secrets": settings["langfuse_kubernetes_existing_secrets"],
        "patches": settings["langfuse_kubernetes_patches"],
        "stores": list(bundled_services(settings)),
        "replicas": {name: number for name in _REPLICATED if (number := settings[f"langfuse_{name}_replicas"])},
        "autoscaling": _autoscaling(settings),
        "resources": sizes.resources(settings, settings["langfuse_kubernetes_resources"]),
        "memory": sizes.memory(settings),
        "worker_stop_seconds": settings["langfuse_worker_stop_seconds"],
        "stuck_seconds": settings["langfuse_stuck_seconds"],
        "start_timeout": settings["langfuse_start_timeout"],
        "migration_timeout": settings["langfuse_migration_timeout"],
        "remove": settings["langfuse_kubernetes_remove"],
        "pods": {
            "node_selector": settings["langfuse_node_selector"],
            "tolerations": settings["langfuse_tolerations"],
            "priority_class": settings["langfuse_priority_class"],
            "annotations": settings["langfuse_annotations"],
            "extra_hosts": settings["langfuse_extra_hosts"],
            "volumes": settings["langfuse_kubernetes_volumes"],
            "service_account_annotations": settings["langfuse_service_account_annotations"],
        },
        "expose": _expose(settings),
        "elsewhere": _elsewhere(settings),
        "policies": _policies(settings, features, endpoints),
        "storage": _storage(settings),
        "store_places": places(endpoints, buckets),
        # What the next run is told that has other ones.
        "record": whole_places(endpoints, buckets),
        "moved_stores": settings["langfuse_moved_stores"],
        "preparation": {"s3": _bundled_s3(settings, endpoints, buckets)},
        "expires": expires(settings),
        "clickhouse_replicas": settings["langfuse_clickhouse_replicas"],
        "keeper_replicas": settings["langfuse_keeper_replicas"],
        "postgres_instances": settings["langfuse_postgres_instances"],
        "pooler_instances": settings["langfuse_postgres_pooler_instances"],
        "pooler_image": settings["langfuse_postgres_pooler_image"],
        "monitoring_namespace": settings["langfuse_monitoring_namespace"],
        "backup": _backup(settings, endpoints) if features["backup"].on else None,
    }


def _bundled_s3(settings: Settings, endpoints: Endpoints, buckets: Mapping[str, str]) -> dict[str, Any] | None:
    """Options of `s3_bucket`, and the object that runs the `store` as messages call it."""
    options = bundled_s3(settings, endpoints["s3"]["endpoint"], buckets)
    workload = f"{settings.instance}-{SERVICES['s3']}"
    store = f"StatefulSet {workload} in {settings['langfuse_kubernetes_namespace']}"
    return {**options, "store": store} if options else None


def _autoscaling(settings: Settings) -> dict[str, Any]:
    return {
        "kind": settings["langfuse_autoscaling"],
        "cpu": settings["langfuse_autoscaling_cpu"],
        "queue_depth": settings["langfuse_autoscaling_queue_depth"],
        "most": {
            "web": settings["langfuse_web_max_replicas"],
            **dict.fromkeys(("worker", "ingestion"), settings["langfuse_worker_max_replicas"]),
        },
    }


def _expose(settings: Settings) -> dict[str, Any]:
    media = media_service(settings)
    return {
        "kind": settings["langfuse_expose"],
        "gateway": {name: settings[f"langfuse_gateway_{name}"] for name in ("name", "namespace", "section")},
        "ingress": {
            **{name: settings[f"langfuse_ingress_{name}"] for name in ("class", "namespace", "issuer", "annotations")},
            "tls_secret": settings["langfuse_ingress_tls_secret"] or f"{settings.instance}-tls",
        },
        "media": asdict(media) if media else None,
    }


def _elsewhere(settings: Settings) -> list[str]:
    """Further namespaces that a way from outside is in, or was before langfuse_expose changed."""
    store = object_store_service(settings)
    found = {settings["langfuse_gateway_namespace"], *([store.namespace] if store else [])}
    return sorted(found - {settings["langfuse_kubernetes_namespace"]})


def _policies(settings: Settings, features: Mapping[str, Feature], endpoints: Endpoints) -> dict[str, Any]:
    kind, mode = settings["langfuse_network_policy_kind"], settings["langfuse_network_policy_mode"]
    return {
        "kinds": [one for one in ("kubernetes", "cilium") if features["network_policies"].on and kind in (one, "both")],
        "enforced": mode == "enforce",
        "from": list(dict.fromkeys([*settings["langfuse_network_policy_from"], *namespaces(settings)])),
        "door": _door(settings),
        "litellm": settings["litellm_enabled"],
        "operators": {name: settings[f"{name}_namespace"] for name in ("clickhouse_operator", "cnpg", "keda")},
        "flows": [asdict(flow) for flow in flows(settings, features, endpoints)],
    }


def _door(settings: Settings) -> str | None:
    """Namespace of the pods through which the outside comes in."""
    gateway = settings["langfuse_gateway_pods_namespace"] or settings["langfuse_gateway_namespace"]
    doors: dict[str, str] = {"httproute": gateway, "ingress": settings["langfuse_ingress_namespace"]}
    return doors.get(settings["langfuse_expose"])


def _storage(settings: Settings) -> dict[str, dict[str, str | None]]:
    """Service of a store → size and class of its volumes."""
    own_class = {name: settings[f"langfuse_{name}_storage_class"] for name in ("postgres", "clickhouse")}
    own_class["keeper"] = own_class["clickhouse"]
    return {
        name: {
            "size": settings[f"langfuse_{name}_storage"],
            "class": own_class.get(name) or settings["langfuse_storage_class"],
        }
        for name in bundled_services(settings)
    }


def _backup(settings: Settings, endpoints: Endpoints) -> dict[str, Any]:
    s3 = endpoints["s3"]
    return {
        "schedule": settings["langfuse_backup_schedule"],
        "retention": settings["langfuse_backup_retention"],
        "bucket": backups(settings)["bucket"],
        "endpoint": s3["endpoint"],
        "region": s3["region"],
        # None: the pods' own rights.
        "keys": _backup_keys(settings) if s3["keys"] else None,
        "flows": [asdict(flow) for flow in object_store(settings, s3)],
    }


def _backup_keys(settings: Settings) -> dict[str, str]:
    """Key of the Secret → the secret that it holds."""
    own = "backup" if settings["langfuse_backup_access_key"] else "s3"
    return {"ACCESS_KEY_ID": f"langfuse_{own}_access_key", "SECRET_ACCESS_KEY": f"langfuse_{own}_secret_key"}
