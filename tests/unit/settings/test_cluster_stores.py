# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stores of others that an instance in a cluster uses: what the modules are told of them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.secrets import secrets_in
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.cluster_secrets import GROUPS, HOMES

from .cluster_cases import BACKUP, CLUSTER, KEYS, ROLE, SHARED
from .sign_in_cases import ADMINISTERED
from .source_cases import AWS, AZURE, CLICKHOUSE, GCS, POSTGRES, REDIS, S3, SENTINEL
from .support import CANDIDATES, run

FIRST = {"langfuse_init_user_email": "first@example.com"}


def _kubernetes(given: dict[str, Any]) -> dict[str, Any]:
    result = run({**FIRST, **given})
    assert not result.problems, result.problems
    found: dict[str, Any] = result.plan["kubernetes"]
    return found


def test_secrets_that_somebody_else_keeps_are_read_there() -> None:
    """Also those of users that an administrator makes."""
    given = {
        **CLUSTER,
        **CLICKHOUSE,
        **ADMINISTERED,
        "langfuse_clickhouse_admin_user": "boss",
        "langfuse_kubernetes_existing_secrets": {
            "clickhouse-credentials": "theirs",
            "s3-credentials": "keys",
            "keycloak-credentials": "client",
            "init-credentials": "first",
        },
        "langfuse_init_project_public_key": "pk-lf-of-their-own",
        **FIRST,
    }
    given = {
        name: value
        for name, value in given.items()
        if name not in ("langfuse_clickhouse_password", "langfuse_keycloak_client_secret")
    }
    found = _kubernetes(given)["from_secrets"]
    stores = {
        "clickhouse_password": {"name": "theirs", "key": "password"},
        "s3_access_key": {"name": "keys", "key": "AWS_ACCESS_KEY_ID"},
        "s3_secret_key": {"name": "keys", "key": "AWS_SECRET_ACCESS_KEY"},
    }
    client = {"name": "client", "key": "client-secret"}
    assert found["provision"] == {**stores, "keycloak_client_secret": client}
    assert found["health"] == {
        **stores,
        "secret_key": {"name": "first", "key": "LANGFUSE_INIT_PROJECT_SECRET_KEY"},
        "user_password": {"name": "first", "key": "LANGFUSE_INIT_USER_PASSWORD"},
        "sso_client_secret": client,
    }
    assert found["s3"] == {"access_key": stores["s3_access_key"], "secret_key": stores["s3_secret_key"]}
    assert "langfuse_clickhouse_password_made" not in run(given).generated


THEIRS = {group: "theirs" for group in GROUPS if group not in ("init-credentials", "smtp-credentials", "license")}
_KEYS_OF_STORES = {key for group, key in HOMES.values() if group.partition("-")[0] in ("redis", "s3", "clickhouse")}


@pytest.mark.parametrize(
    ("stores", "keys"),
    [
        ({}, {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}),
        (REDIS, {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}),
        (SENTINEL, {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "sentinel-password"}),
        (S3, {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}),
        (AZURE, {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}),
        (AWS, set()),
        (GCS, {"GOOGLE_CREDENTIALS"}),
    ],
)
def test_only_what_pods_read_is_asked_of_secrets_of_somebody_else(stores: dict[str, Any], keys: set[str]) -> None:
    """Whoever keeps them has no reason to put another key in, and a walk without it would fail."""
    kept = {name for name, (group, _key) in HOMES.items() if group in THEIRS}
    given = {name: value for name, value in {**CLUSTER, **FIRST, **stores}.items() if name not in kept}
    result = run({**given, "langfuse_kubernetes_existing_secrets": THEIRS})
    assert not result.problems, result.problems
    read = {HOMES[name][1] for values in result.plan["env"].values() for name in secrets_in(values)}
    assert read & _KEYS_OF_STORES == {"password", *keys}
    found = result.plan["kubernetes"]["from_secrets"]
    asked = {module: {one["key"] for one in options.values()} for module, options in found.items()}
    assert asked["provision"] - {"client-secret"} == {"password", *keys}
    # Google's are proved by the trace.
    assert asked["health"] == {"password", *keys} - {"GOOGLE_CREDENTIALS"}
    assert asked["s3"] == keys & {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def test_the_bucket_of_backups_is_made_beside_the_others() -> None:
    """In a cluster, while backups are on; and nothing is set on it."""

    def s3(given: dict[str, Any]) -> dict[str, Any]:
        result = run({**FIRST, **given})
        assert not result.problems, result.problems
        found: dict[str, Any] = result.plan["provision"]["s3"]
        return found

    wanted = {"bucket": "langfuse-postgres-backups", "folder": "langfuse-postgresql"}
    found = s3(BACKUP)
    assert (found["backups"], found["settings"]) == (wanted, [])
    assert wanted["bucket"] not in found["buckets"]
    given = {**BACKUP, **KEYS, "langfuse_s3_backups_bucket": "ours", "langfuse_instance": "team-a"}
    assert s3(given)["backups"] == {"bucket": "ours", "folder": "team-a-postgresql"}
    assert "backups" not in s3(SHARED)
    assert "backups" not in s3({**S3, "langfuse_backup_enabled": True})


def test_keys_of_backups_that_somebody_else_keeps() -> None:
    theirs = {"langfuse_kubernetes_existing_secrets": {"backup-credentials": "theirs"}}
    assert _kubernetes({**BACKUP, **theirs})["from_secrets"]["provision"] == {
        "s3_backup_access_key": {"name": "theirs", "key": "ACCESS_KEY_ID"},
        "s3_backup_secret_key": {"name": "theirs", "key": "SECRET_ACCESS_KEY"},
    }
    assert _kubernetes({**SHARED, **theirs})["from_secrets"]["provision"] == {}
    # With the rights of the machine nobody reads any.
    assert _kubernetes({**ROLE, **theirs})["from_secrets"]["provision"] == {}
    assert _kubernetes({**BACKUP, **KEYS})["from_secrets"]["provision"] == {}


def test_namespaces_of_others_that_are_reached() -> None:
    issuer = {"langfuse_sso_issuer": "http://keycloak-service.identity.svc.cluster.local:8080/realms/platform"}
    assert _kubernetes({**SHARED, **ADMINISTERED, **issuer})["reaches"] == ["cache", "identity", "storage"]
    pod = {"langfuse_redis_nodes": ["redis-0.redis.sentinels.svc:26379"]}
    assert _kubernetes({**CLUSTER, **SENTINEL, **pod})["reaches"] == ["sentinels"]
    assert _kubernetes({**CLUSTER, **POSTGRES, "langfuse_postgres_host": "db.example.com"})["reaches"] == []
    assert _kubernetes({**CLUSTER, **POSTGRES, "langfuse_postgres_host": "db.shop.svc"})["reaches"] == ["shop"]


def test_data_that_is_there_before_a_new_instance_is_somebody_elses() -> None:
    assert _kubernetes(SHARED)["unclaimed"] == ["redis", "s3"]
    assert _kubernetes({**SHARED, "langfuse_moved_stores": ["s3"]})["unclaimed"] == ["redis"]


@pytest.mark.parametrize(
    ("given", "record"),
    [
        (
            CLUSTER,
            {
                "postgres": "cnpg/langfuse",
                "clickhouse": "bundled/langfuse",
                "redis": "bundled",
                "s3": "s3 bundled langfuse-events,langfuse-media",
            },
        ),
        (
            {**SHARED, "clickhouse_operator_enabled": True},
            {
                "postgres": "cnpg/langfuse",
                "clickhouse": "operator/default",
                "redis": "dragonfly.cache.svc.cluster.local:6379 langfuse:",
                "s3": "s3 http://rustfs-svc.storage.svc.cluster.local:9000 langfuse-events,langfuse-media",
            },
        ),
        ({**CLUSTER, "langfuse_postgres_database": "other"}, {"postgres": "cnpg/other"}),
        # A pooler in front has no data.
        ({**CLUSTER, "langfuse_postgres_pooler_instances": 2}, {"postgres": "cnpg/langfuse"}),
        ({**CLUSTER, **POSTGRES}, {"postgres": "db.example.com:5432/langfuse"}),
    ],
)
def test_where_the_data_is(given: dict[str, Any], record: dict[str, str]) -> None:
    """What a store of its own is tells whether another one has taken its place."""
    found = _kubernetes(given)["record"]
    assert {store: found[store] for store in record} == record


def test_the_password_of_a_user_that_is_made_is_drawn() -> None:
    given = {**SHARED, **FIRST, "langfuse_redis_admin_user": "default", "langfuse_redis_admin_password": "canary-admin"}
    del given["dragonfly_langfuse_password"]
    result = run(given)
    assert not result.problems
    assert result.secrets["langfuse_redis_password"] == CANDIDATES["langfuse_redis_password"]
    assert result.plan["provision"]["redis"]["username"] == "langfuse"


@pytest.mark.parametrize(
    "given",
    [
        {"langfuse_s3_endpoint": "https://minio.example.com"},
        {"langfuse_s3_public_endpoint": "https://s3.example.com"},
        {"langfuse_expose": "service"},
    ],
)
def test_a_store_that_speaks_https_has_a_way_of_its_own(given: dict[str, Any]) -> None:
    inside = {"langfuse_s3_endpoint": "https://minio.storage.svc.cluster.local"}
    assert not run({**FIRST, **SHARED, **inside, **given}).problems


def test_services_of_others_that_policies_open_are_looked_at() -> None:
    given = {**SHARED, "network_policies_enabled": True}
    storage = {"host": "rustfs-svc.storage.svc.cluster.local", "name": "rustfs-svc", "namespace": "storage"}
    cache = {"host": "dragonfly.cache.svc.cluster.local", "name": "dragonfly", "namespace": "cache", "ports": [6379]}
    assert _kubernetes(given)["policies"]["services"] == [cache, {**storage, "ports": [9000]}]
    opened = {"langfuse_network_policy_to": [f"{storage['host']}:9001", "api.openai.com:443"]}
    assert _kubernetes({**given, **opened})["policies"]["services"] == [cache, {**storage, "ports": [9000, 9001]}]
    assert _kubernetes(SHARED)["policies"]["services"] == []
    watched = {"langfuse_network_policy_kind": "cilium", "langfuse_network_policy_mode": "audit"}
    assert _kubernetes({**given, **watched})["policies"]["services"] == []
