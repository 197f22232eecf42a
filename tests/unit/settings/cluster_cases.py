"""Kubernetes: settings that work, and bad input for each of its rules."""

from __future__ import annotations

from typing import Any

from .cases import Bad
from .consumer_cases import POD
from .source_cases import AWS, CLICKHOUSE, POSTGRES, REDIS

CLUSTER: dict[str, Any] = {
    "langfuse_target": "kubernetes",
    "cnpg_enabled": True,
    "cloudflare_domain": "example.com",
}
# Stores that are the platform's own, as the Kubernetes guide has them.
SHARED: dict[str, Any] = {
    **CLUSTER,
    "dragonfly_enabled": True,
    "dragonfly_acl_enabled": True,
    "dragonfly_langfuse_password": "canary-of-the-shared-dragonfly",
    "rustfs_enabled": True,
    "langfuse_s3_access_key": "canaryrustfs",
    "langfuse_s3_secret_key": "canary-of-rustfs/+=",
}
BACKUP: dict[str, Any] = {**SHARED, "cnpg_barman_plugin_enabled": True, "langfuse_backup_enabled": True}
KEYS = {"langfuse_backup_access_key": "canarybackup", "langfuse_backup_secret_key": "canary-of-backups"}
ROLE = {**CLUSTER, **AWS, "cnpg_barman_plugin_enabled": True, "langfuse_backup_enabled": True}
# One of each switch of the platform, so that every variable has an effect in one of these.
EVERYTHING: dict[str, Any] = {
    **BACKUP,
    **KEYS,
    "clickhouse_operator_enabled": True,
    "langfuse_autoscaling": "keda",
    "network_policies_enabled": True,
    "langfuse_network_policy_kind": "both",
    "monitoring_enabled": True,
    "langfuse_monitoring_enabled": True,
    "tracing_enabled": True,
    "langfuse_tracing_enabled": True,
}


def bad(rule: str, variable: str, given: dict[str, Any], *without: str) -> Bad:
    return Bad(rule, {name: value for name, value in {**CLUSTER, **given}.items() if name not in without}, variable)


CASES = (
    Bad("target_sources", {"langfuse_postgres_source": "cnpg"}, "langfuse_postgres_source"),
    bad("target_sources", "langfuse_postgres_source", {}, "cnpg_enabled"),
    bad("target_sources", "langfuse_redis_source", {"langfuse_redis_source": "dragonfly"}),
    Bad("target_sources", {"langfuse_clickhouse_source": "operator"}, "langfuse_clickhouse_source"),
    bad("clickhouse_cluster", "langfuse_clickhouse_replicas", {"langfuse_clickhouse_replicas": 3}),
    bad("clickhouse_cluster", "langfuse_keeper_storage", {"langfuse_keeper_storage": "20Gi"}),
    bad(
        "clickhouse_cluster",
        "langfuse_clickhouse_user",
        {"clickhouse_operator_enabled": True, "langfuse_clickhouse_user": "langfuse"},
    ),
    bad("pooler", "langfuse_postgres_pooler_image", {"langfuse_postgres_pooler_image": "x:1"}),
    bad("pooler", "langfuse_postgres_pooler_instances", {**POSTGRES, "langfuse_postgres_pooler_instances": 2}),
    bad("dragonfly_user", "dragonfly_langfuse_password", SHARED, "dragonfly_langfuse_password"),
    bad("dragonfly_user", "dragonfly_langfuse_password", SHARED, "dragonfly_enabled"),
    bad("dragonfly_user", "langfuse_redis_password", {**SHARED, "langfuse_redis_password": "another-password"}),
    bad("cluster_names", "langfuse_kubernetes_namespace", {"langfuse_kubernetes_namespace": "AI"}),
    bad("cluster_names", "langfuse_storage_class", {"langfuse_storage_class": "fast disks"}),
    bad("cluster_names", "langfuse_kubernetes_pull_secrets", {"langfuse_kubernetes_pull_secrets": ["a b"]}),
    bad("removed", "langfuse_kubernetes_remove", {"langfuse_kubernetes_remove": ["langfuse-postgresql"]}),
    bad("cluster_numbers", "langfuse_web_replicas", {"langfuse_web_replicas": 0}),
    bad("cluster_numbers", "langfuse_postgres_storage", {"langfuse_postgres_storage": "ten"}),
    bad(
        "cluster_numbers",
        "langfuse_worker_max_replicas",
        {"langfuse_autoscaling": "hpa", "langfuse_worker_replicas": 9},
    ),
    bad("exposure", "langfuse_public_url", {}, "cloudflare_domain"),
    bad(
        "exposure",
        "langfuse_admin_api_enabled",
        {"langfuse_expose": "ingress", "langfuse_admin_api_enabled": True},
    ),
    bad("exposure", "langfuse_s3_public_endpoint", {**SHARED, "langfuse_expose": "ingress"}),
    bad("exposure", "langfuse_public_url", {"langfuse_public_url": "https://10.0.0.7"}, "cloudflare_domain"),
    bad("exposure", "langfuse_public_url", {"langfuse_public_url": "https://[fd00::7]"}, "cloudflare_domain"),
    bad(
        "encrypted_media",
        "langfuse_s3_public_endpoint",
        {**SHARED, "langfuse_s3_endpoint": "https://minio.storage.svc.cluster.local"},
    ),
    bad(
        "media_address",
        "langfuse_s3_public_endpoint",
        {**SHARED, "langfuse_s3_endpoint": "http://minio:9000", "langfuse_extra_hosts": {"minio": "10.0.0.7"}},
    ),
    bad("not_bundled", "langfuse_clickhouse_storage", {**CLICKHOUSE, "langfuse_clickhouse_storage": "20Gi"}),
    bad("not_bundled", "langfuse_postgres_instances", {**POSTGRES, "langfuse_postgres_instances": 3}),
    bad("not_bundled", "langfuse_seaweedfs_storage", {**SHARED, "langfuse_seaweedfs_storage": "20Gi"}),
    bad(
        "unseen_addresses",
        "langfuse_network_policy_to",
        {
            "network_policies_enabled": True,
            "langfuse_kubernetes_existing_secrets": {"smtp-credentials": "theirs"},
            "langfuse_email_from": "l@example.com",
        },
    ),
    bad(
        "names_of_pods",
        "langfuse_extra_hosts",
        {
            **REDIS,
            "langfuse_redis_host": "redis.example.com",
            "langfuse_autoscaling": "keda",
            "langfuse_extra_hosts": {"redis.example.com": "10.0.0.7"},
        },
    ),
    bad(
        "names_of_pods",
        "langfuse_extra_hosts",
        {
            **BACKUP,
            "langfuse_s3_endpoint": "http://s3.example.com:9000",
            "langfuse_extra_hosts": {"s3.example.com": "10.0.0.7"},
        },
    ),
    bad("consumer_entries", "langfuse_consumers", {"langfuse_consumers": [{**POD, "path": "/srv/.env"}]}),
    bad("consumer_entries", "langfuse_consumers", {"langfuse_consumers": [{**POD, "secret": ""}]}),
    bad("consumer_entries", "langfuse_consumers", {"langfuse_consumers": [{**POD, "namespace": "Team A"}]}),
    bad("consumer_entries", "langfuse_consumers", {"langfuse_consumers": [{**POD, "config_map": "for-no-kind"}]}),
    bad("consumer_objects", "langfuse_consumers", {"langfuse_consumers": [POD, POD]}),
    bad(
        "consumer_objects",
        "langfuse_consumers",
        {"langfuse_consumers": [{**POD, "namespace": "ai-system", "secret": "langfuse-init-credentials"}]},
    ),
    bad("cluster_names", "langfuse_gateway_pods_namespace", {"langfuse_gateway_pods_namespace": "Envoy_1"}),
    bad("network_policies", "langfuse_network_policy_mode", {"langfuse_network_policy_mode": "audit"}),
    bad("network_policies", "langfuse_network_policy_to", {"langfuse_network_policy_to": ["https://api.openai.com"]}),
    bad(
        "queue_scaling",
        "langfuse_autoscaling",
        {
            "langfuse_autoscaling": "keda",
            "langfuse_redis_source": "existing",
            "langfuse_redis_mode": "cluster",
            "langfuse_redis_nodes": ["redis-1:6379"],
        },
    ),
    bad("monitoring", "langfuse_monitoring_enabled", {"langfuse_monitoring_enabled": True}),
    bad("backup", "langfuse_backup_enabled", BACKUP, "cnpg_barman_plugin_enabled"),
    bad("backup", "langfuse_backup_enabled", {"langfuse_backup_enabled": True, "cnpg_barman_plugin_enabled": True}),
    bad("backup", "langfuse_backup_secret_key", {**BACKUP, "langfuse_backup_access_key": "canarybackup"}),
    bad("backup", "langfuse_backup_access_key", {**ROLE, **KEYS}),
    bad("backup", "langfuse_backup_schedule", {**BACKUP, "langfuse_backup_schedule": "0 3 * * *"}),
    bad("backup", "langfuse_backup_retention", {**BACKUP, "langfuse_backup_retention": "a week"}),
    bad("backup", "langfuse_s3_backups_bucket", {**BACKUP, "langfuse_s3_backups_bucket": "langfuse-media"}),
    bad(
        "existing_secrets",
        "langfuse_kubernetes_existing_secrets",
        {"langfuse_kubernetes_existing_secrets": {"postgres": "theirs"}},
    ),
    bad(
        "existing_secrets",
        "langfuse_kubernetes_existing_secrets",
        {"langfuse_kubernetes_existing_secrets": {"s3-credentials": "Their Secret"}},
    ),
    bad(
        "secrets_of_others",
        "langfuse_salt",
        {"langfuse_kubernetes_existing_secrets": {"credentials": "theirs"}, "langfuse_salt": "pepper" * 6},
    ),
    bad(
        "project_key_pair",
        "langfuse_init_project_public_key",
        {"langfuse_kubernetes_existing_secrets": {"init-credentials": "theirs"}},
    ),
    bad(
        "backup",
        "langfuse_backup_access_key",
        {**BACKUP, "langfuse_kubernetes_existing_secrets": {"s3-credentials": "theirs"}},
        "langfuse_s3_access_key",
        "langfuse_s3_secret_key",
    ),
    bad("patches", "langfuse_kubernetes_patches", {"langfuse_kubernetes_patches": [{"kind": "Service"}]}),
    *(
        bad(
            "patches",
            "langfuse_kubernetes_patches",
            {
                "langfuse_kubernetes_patches": [
                    {"kind": "Service", "name": "langfuse-web", "patch": {"metadata": wrong}}
                ]
            },
        )
        for wrong in (
            *(None, "x", {"labels": None}, {"labels": []}),
            *({"labels": {f"app.kubernetes.io/{name}": None}} for name in ("component", "instance", "managed-by")),
            {"labels": {"app.kubernetes.io/component": "a/b"}},
        )
    ),
    bad(
        "patches",
        "langfuse_kubernetes_patches",
        {"langfuse_kubernetes_patches": [{"kind": "Secret", "name": "langfuse-credentials", "patch": {"data": {}}}]},
    ),
    bad(
        "patches",
        "langfuse_kubernetes_patches",
        {
            "langfuse_kubernetes_patches": [
                {"kind": "Service", "name": "langfuse-web", "patch": {"metadata": {"name": "x"}}}
            ]
        },
    ),
    bad(
        "resource_amounts",
        "langfuse_kubernetes_resources",
        {"langfuse_kubernetes_resources": {"web": {"limits": {"memory": "4Gi"}}}},
    ),
    bad("resource_amounts", "langfuse_kubernetes_resources", {"langfuse_kubernetes_resources": {"api": {}}}),
    bad(
        "resource_amounts",
        "langfuse_kubernetes_resources",
        {"langfuse_kubernetes_resources": {"web": {"requests": {"cpu": 1}}}},
    ),
    bad(
        "resource_amounts",
        "langfuse_kubernetes_resources",
        {"langfuse_kubernetes_resources": {"web": {"requests": {"cpu": "half"}}}},
    ),
    bad(
        "resource_amounts",
        "langfuse_kubernetes_resources",
        {"langfuse_kubernetes_resources": {"postgres": {"requests": {"memory": "64Mi"}}}},
    ),
    bad("pod_settings", "langfuse_annotations", {"langfuse_annotations": {"llmops.langfuse/checksum": "x"}}),
    bad("pod_settings", "langfuse_node_selector", {"langfuse_node_selector": {"gpu": True}}),
    bad("pod_settings", "langfuse_labels", {"langfuse_labels": {"team": "two words"}}),
    bad("pod_settings", "langfuse_labels", {"langfuse_labels": {"app.kubernetes.io/name": "x"}}),
    bad("pod_volumes", "langfuse_kubernetes_volumes", {"langfuse_kubernetes_volumes": [{"name": "models"}]}),
    bad(
        "pod_volumes",
        "langfuse_kubernetes_volumes",
        {"langfuse_kubernetes_volumes": [{"name": name, "mountPath": "/models", "emptyDir": {}} for name in "ab"]},
    ),
    bad("host_aliases", "langfuse_extra_hosts", {"langfuse_extra_hosts": {"keycloak.example.com": "host-gateway"}}),
    bad("cluster_names", "langfuse_instance", {"langfuse_instance": "a" * 40}),
    bad(
        "pod_volumes",
        "langfuse_kubernetes_volumes",
        {"langfuse_kubernetes_volumes": [{"name": "models", "mountPath": "/tmp", "emptyDir": {}}]},
    ),
)
