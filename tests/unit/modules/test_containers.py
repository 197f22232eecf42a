# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What containers are, what is shown of them, and how their logs are read."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import containers


@pytest.mark.parametrize(
    ("service", "image", "role"),
    [
        ("langfuse-web", "registry/langfuse/langfuse:4.16.0", "web"),
        ("app", "langfuse/langfuse@sha256:00", "web"),
        ("langfuse-web-b", "mirror/own:1", "web"),
        ("langfuse-worker", "langfuse/langfuse-worker:4", "worker"),
        ("store", "clickhouse/clickhouse-server:26.4", "clickhouse"),
        ("cache", "valkey/valkey:8.1", "redis"),
        ("redis", "dragonflydb/dragonfly", "redis"),
        ("postgres", "postgres:17", "postgres"),
        ("s3", "chrislusf/seaweedfs", "s3"),
        ("caddy", "caddy:2", "other"),
        ("db", "pgvector/pgvector:pg17", "postgres"),
        ("db", "ankane/pgvector", "postgres"),
        ("db", "timescale/timescaledb-ha:pg17", "postgres"),
        ("db", "postgis/postgis:17-3.5", "postgres"),
        ("db", "docker.io/bitnami/postgresql:17", "postgres"),
        ("db", "supabase/postgres:15.8.1", "postgres"),
        ("db", "ghcr.io/cloudnative-pg/postgresql:17", "postgres"),
        ("db", "localhost:5000/tensorchord/pgvecto-rs:pg17", "postgres"),
        ("pgsql", "mirror/own:1", "postgres"),
        ("cache", "redis/redis-stack:7.4.0-v3", "redis"),
        ("cache", "redis/redis-stack-server", "redis"),
        ("cache", "bitnami/redis-cluster:7.4", "redis"),
        ("cache", "valkey/valkey-bundle:8.1", "redis"),
        ("cache", "eqalpha/keydb", "redis"),
        ("files", "quay.io/minio/minio:RELEASE.2025", "s3"),
        ("files", "bitnami/minio", "s3"),
        ("postgres", "mysql:8", "postgres"),
        ("postgres-exporter", "quay.io/prometheuscommunity/postgres-exporter", "other"),
        ("redis", "oliver006/redis_exporter:v1", "other"),
        ("metrics", "bitnami/redis-exporter", "other"),
        ("redis", "redis/redisinsight:2", "other"),
        ("redis-ui", "rediscommander/redis-commander", "other"),
        ("postgres-gui", "dpage/pgadmin4", "other"),
        ("postgres", "sosedoff/pgweb", "other"),
        ("pgbouncer", "bitnami/pgbouncer", "other"),
        ("pgpool", "bitnami/pgpool", "other"),
        ("backup", "prodrigestivill/postgres-backup-local:17", "other"),
        ("postgres-backup", "postgres:17", "other"),
        ("redis-sentinel", "redis:7", "other"),
        ("sentinel", "bitnami/redis-sentinel:7", "other"),
        ("minio-init", "minio/mc", "other"),
        ("createbuckets", "minio/minio", "other"),
        ("keeper", "clickhouse/clickhouse-keeper", "other"),
    ],
)
def test_roles_of_containers(service: str, image: str, role: str) -> None:
    assert containers.role_of(service, image) == role


INSPECTED: dict[str, Any] = {
    "Id": "abc",
    "Name": "/lf-langfuse-web-1",
    "RestartCount": 4,
    "State": {
        "Status": "running",
        "ExitCode": 0,
        "Health": {"Status": "unhealthy", "Log": [{"Output": " refused \n"}]},
    },
    "Config": {
        "Image": "langfuse/langfuse:4",
        "Labels": {"com.docker.compose.project": "lf", "com.docker.compose.service": "langfuse-web"},
        "Env": ["SALT=hidden", "NEXTAUTH_URL=https://u:pw@host", "REDIS_AUTH=hidden", "REDIS_HOST=valkey", "HOSTNAME="],
    },
    "NetworkSettings": {"Networks": {"lf_default": {"IPAddress": "10.1.0.2", "Aliases": ["langfuse-web", "web"]}}},
}


def test_a_container_shows_names_but_no_secret_values() -> None:
    seen = containers.summarize(INSPECTED)
    assert (seen["role"], seen["restarts"], seen["health"], seen["health_log"]) == ("web", 4, "unhealthy", ["refused"])
    assert seen["env"] == {"NEXTAUTH_URL": "https://u:***@host", "REDIS_HOST": "valkey", "HOSTNAME": ""}
    assert "SALT" in seen["env_names"]
    assert "hidden" not in json.dumps(seen)
    assert "log" not in containers.public(seen)


def test_names_on_the_networks_of_the_project() -> None:
    def other(name: str, network: str, address: str) -> dict[str, Any]:
        return {
            "Name": f"/{name}",
            "Config": {"Labels": {}},
            "NetworkSettings": {"Networks": {network: {"IPAddress": address, "Aliases": None}}},
        }

    table = containers.addresses(
        [INSPECTED, other("pg", "lf_default", "10.1.0.9"), other("x", "else", "10.2.0.1")], "lf"
    )
    assert table == {"lf-langfuse-web-1": "10.1.0.2", "langfuse-web": "10.1.0.2", "web": "10.1.0.2", "pg": "10.1.0.9"}


def test_log_lines_have_an_age() -> None:
    now = datetime.datetime(2026, 11, 21, 21, 0, tzinfo=datetime.UTC)
    lines = containers.parse_log("2026-11-21T20:59:25.123456789Z postgres://u:pw@h said\nplain", now)
    assert lines == [{"age": 35.0, "text": "postgres://u:***@h said"}, {"age": 0.0, "text": "plain"}]
