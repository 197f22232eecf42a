"""Stores of one's own: settings that work, and bad input for each of their rules."""

from __future__ import annotations

from typing import Any

from .cases import Bad

POSTGRES: dict[str, Any] = {
    "langfuse_postgres_source": "existing",
    "langfuse_postgres_host": "db.example.com",
    "langfuse_postgres_password": "of-their-own-role",
}
CLICKHOUSE: dict[str, Any] = {
    "langfuse_clickhouse_source": "existing",
    "langfuse_clickhouse_host": "ch.example.com",
    "langfuse_clickhouse_password": "of-their-own-user",
}
REDIS: dict[str, Any] = {"langfuse_redis_source": "existing", "langfuse_redis_host": "redis.example.com"}
NODES: dict[str, Any] = {
    "langfuse_redis_source": "existing",
    "langfuse_redis_mode": "cluster",
    "langfuse_redis_nodes": ["redis-1:6379", "redis-2:6379"],
}
SENTINEL = {**NODES, "langfuse_redis_mode": "sentinel", "langfuse_redis_sentinel_master": "mymaster"}
S3: dict[str, Any] = {
    "langfuse_s3_source": "existing",
    "langfuse_s3_endpoint": "https://minio.example.com:9000",
    "langfuse_s3_access_key": "AKIA/of+their=own",
    "langfuse_s3_secret_key": "secret/of+their=own",
}
AWS: dict[str, Any] = {
    "langfuse_s3_source": "existing",
    "langfuse_s3_use_role": True,
    "langfuse_s3_region": "eu-west-1",
}
AZURE: dict[str, Any] = {
    "langfuse_s3_source": "existing",
    "langfuse_s3_service": "azure",
    "langfuse_s3_endpoint": "https://account.blob.core.windows.net",
    "langfuse_s3_access_key": "canaryaccount",
    "langfuse_s3_secret_key": "key/of+their=own",
}
GCS: dict[str, Any] = {
    "langfuse_s3_source": "existing",
    "langfuse_s3_service": "gcs",
    "langfuse_gcs_credentials": '{"type": "service_account", "private_key": "canary-of-google"}',
}


def _without(given: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in names}


CASES = (
    Bad("not_existing", {"langfuse_postgres_host": "db.example.com"}, "langfuse_postgres_host"),
    Bad("not_existing", {"langfuse_postgres_admin_database": "postgres"}, "langfuse_postgres_admin_database"),
    Bad("not_existing", {"langfuse_clickhouse_tls": True}, "langfuse_clickhouse_tls"),
    Bad("not_existing", {"langfuse_redis_nodes": ["a:1"]}, "langfuse_redis_nodes"),
    Bad("not_existing", {"langfuse_s3_endpoint": "https://minio.example.com"}, "langfuse_s3_endpoint"),
    Bad("not_existing", {"langfuse_gcs_credentials": '{"type": "service_account"}'}, "langfuse_gcs_credentials"),
    Bad("not_bundled", {**POSTGRES, "langfuse_postgres_memory": "2g"}, "langfuse_postgres_memory"),
    Bad("not_bundled", {**S3, "langfuse_s3_port": 9191}, "langfuse_s3_port"),
    Bad("store_hosts", _without(POSTGRES, "langfuse_postgres_host"), "langfuse_postgres_host"),
    Bad("store_hosts", {**POSTGRES, "langfuse_postgres_host": "fd00::1::2"}, "langfuse_postgres_host"),
    Bad("store_hosts", {**REDIS, "langfuse_redis_host": "[fd00::1]:6379"}, "langfuse_redis_host"),
    Bad("store_hosts", {**CLICKHOUSE, "langfuse_clickhouse_host": "fe80::1%eth0"}, "langfuse_clickhouse_host"),
    Bad("store_hosts", {**CLICKHOUSE, "langfuse_clickhouse_host": "http://ch:8123"}, "langfuse_clickhouse_host"),
    Bad("store_hosts", {**REDIS, "langfuse_redis_host": "redis:6379"}, "langfuse_redis_host"),
    Bad("store_hosts", {**POSTGRES, "langfuse_postgres_direct_host": "a b"}, "langfuse_postgres_direct_host"),
    Bad("store_ports", {**POSTGRES, "langfuse_postgres_port": 0}, "langfuse_postgres_port"),
    Bad("store_ports", {**CLICKHOUSE, "langfuse_clickhouse_native_port": 70000}, "langfuse_clickhouse_native_port"),
    Bad(
        "postgres_parameters",
        {**POSTGRES, "langfuse_postgres_parameters": {"pgbouncer": True}},
        "langfuse_postgres_parameters",
    ),
    Bad("redis_nodes", _without(NODES, "langfuse_redis_nodes"), "langfuse_redis_nodes"),
    Bad("redis_nodes", {**NODES, "langfuse_redis_nodes": ["redis-1"]}, "langfuse_redis_nodes"),
    Bad("redis_nodes", {**NODES, "langfuse_redis_nodes": ["[fd00::1]:6379"]}, "langfuse_redis_nodes"),
    Bad("redis_nodes", {**NODES, "langfuse_redis_host": "redis-1"}, "langfuse_redis_host"),
    Bad("redis_nodes", {**NODES, "langfuse_redis_port": 6380}, "langfuse_redis_port"),
    Bad("redis_nodes", {**NODES, "langfuse_redis_sentinel_master": "mymaster"}, "langfuse_redis_sentinel_master"),
    Bad("redis_nodes", _without(SENTINEL, "langfuse_redis_sentinel_master"), "langfuse_redis_sentinel_master"),
    Bad("redis_nodes", {**REDIS, "langfuse_redis_sentinel_password": "x"}, "langfuse_redis_sentinel_password"),
    Bad("key_prefix", {**REDIS, "langfuse_redis_key_prefix": "langfuse"}, "langfuse_redis_key_prefix"),
    Bad("key_prefix", {"langfuse_redis_key_prefix": "lang*:"}, "langfuse_redis_key_prefix"),
    Bad(
        "key_prefix",
        {**REDIS, "langfuse_redis_admin_user": "default", "langfuse_redis_key_prefix": ""},
        "langfuse_redis_key_prefix",
    ),
    Bad("store_credentials", _without(POSTGRES, "langfuse_postgres_password"), "langfuse_postgres_password"),
    Bad("store_credentials", _without(CLICKHOUSE, "langfuse_clickhouse_password"), "langfuse_clickhouse_password"),
    Bad("store_credentials", {**REDIS, "langfuse_redis_admin_password": "x"}, "langfuse_redis_admin_user"),
    *(
        Bad(
            "store_credentials",
            {**store, f"langfuse_{name}_admin_user": "admin", f"langfuse_{name}_admin_password": ""},
            f"langfuse_{name}_admin_password",
        )
        for name, store in (("postgres", POSTGRES), ("clickhouse", CLICKHOUSE), ("redis", REDIS))
    ),
    Bad("store_credentials", {**POSTGRES, "langfuse_postgres_admin_database": "main"}, "langfuse_postgres_admin_user"),
    Bad("object_store", _without(S3, "langfuse_s3_secret_key"), "langfuse_s3_secret_key"),
    Bad("object_store", {**S3, "langfuse_s3_admin_access_key": "root"}, "langfuse_s3_admin_secret_key"),
    Bad("object_store", {**AWS, "langfuse_s3_access_key": "AKIA"}, "langfuse_s3_access_key"),
    Bad("object_store", _without(AZURE, "langfuse_s3_endpoint"), "langfuse_s3_endpoint"),
    Bad("object_store", {**GCS, "langfuse_s3_use_role": True}, "langfuse_gcs_credentials"),
    Bad("object_store", {**GCS, "langfuse_gcs_credentials": "/etc/key.json"}, "langfuse_gcs_credentials"),
    Bad("object_store", {**AZURE, "langfuse_s3_region": "eu-west-1"}, "langfuse_s3_region"),
    Bad("object_store", {**GCS, "langfuse_s3_admin_access_key": "root"}, "langfuse_s3_admin_access_key"),
    Bad("object_store", {**GCS, "langfuse_s3_endpoint": "https://gcs.example.com"}, "langfuse_s3_endpoint"),
    Bad("object_store", {**GCS, "langfuse_s3_public_endpoint": "https://a.example.com"}, "langfuse_s3_public_endpoint"),
    Bad(
        "shared_services",
        {"langfuse_shared_project": "shop", "langfuse_shared_s3_service": "minio"},
        "langfuse_shared_s3_service",
    ),
    Bad("shared_services", {"langfuse_shared_clickhouse_service": "ch"}, "langfuse_shared_clickhouse_service"),
    Bad("shared_services", {"langfuse_shared_redis_service": "redis"}, "langfuse_shared_redis_service"),
    Bad(
        "postgres_parameters",
        {**POSTGRES, "langfuse_postgres_parameters": {"sslmode": "disable"}},
        "langfuse_postgres_parameters",
    ),
    Bad(
        "postgres_parameters",
        {**POSTGRES, "langfuse_postgres_parameters": {"schema": "langfuse"}},
        "langfuse_postgres_parameters",
    ),
    Bad("urls", {**S3, "langfuse_s3_endpoint": "http://[::1"}, "langfuse_s3_endpoint"),
    Bad("urls", {**S3, "langfuse_s3_endpoint": "http://minio.example.com:90a0"}, "langfuse_s3_endpoint"),
    Bad("inside_a_container", {**POSTGRES, "langfuse_postgres_host": "localhost"}, "langfuse_postgres_host"),
    Bad("inside_a_container", {**POSTGRES, "langfuse_postgres_direct_host": "[::1]"}, "langfuse_postgres_direct_host"),
    Bad("inside_a_container", {**CLICKHOUSE, "langfuse_clickhouse_host": "127.0.0.2"}, "langfuse_clickhouse_host"),
    Bad("inside_a_container", {**REDIS, "langfuse_redis_host": "0.0.0.0"}, "langfuse_redis_host"),
    Bad("inside_a_container", {**NODES, "langfuse_redis_nodes": ["localhost:6379"]}, "langfuse_redis_nodes"),
    Bad(
        "inside_a_container",
        {
            **S3,
            "langfuse_s3_endpoint": "http://db.localhost:9000",
            "langfuse_s3_public_endpoint": "http://localhost:9000",
        },
        "langfuse_s3_endpoint",
    ),
    Bad(
        "path_style",
        {**S3, "langfuse_s3_endpoint": "http://10.0.0.7:9000", "langfuse_s3_path_style": False},
        "langfuse_s3_path_style",
    ),
    Bad(
        "path_style",
        {
            **S3,
            "langfuse_s3_endpoint": "http://minio:9000",
            "langfuse_s3_public_endpoint": "http://minio.example.com",
            "langfuse_s3_path_style": False,
        },
        "langfuse_s3_path_style",
    ),
    Bad("media_address", {**S3, "langfuse_s3_endpoint": "http://minio:9000"}, "langfuse_s3_public_endpoint"),
)
