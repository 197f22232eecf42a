# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Compose project with real stores and the stand-in pair, for the modules to look at and for tests to break."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.waiting import wait

REGISTRY = os.environ.get("LANGFUSE_TEST_REGISTRY", "bench.localhost")
IMAGES = {
    "postgres": "library/postgres",
    "valkey": "valkey/valkey",
    "clickhouse": "clickhouse/clickhouse-server",
    "seaweedfs": "chrislusf/seaweedfs",
    "langfuse-web": "langfuse/langfuse",
    "langfuse-worker": "langfuse/langfuse-worker",
}
SECRETS = {
    "postgres": "canaryPgSecret1",
    "redis": "canaryRedisSecret1",
    "clickhouse": "canaryChSecret1",
    "s3": "canaryS3Secret1",
    "project": "sk-lf-canary-project-secret",
    "user": "canaryUserPassword1",
}
PUBLIC_KEY = "pk-lf-11111111-1111-4111-8111-111111111111"
RAW_VALUE = "input_format_read_datetime_number_as_raw_value"
PROFILE = "<clickhouse><profiles><default><{name}>{value}</{name}></default></profiles></clickhouse>"


# Below those that the kernel and Docker give by themselves, and those of a cluster's nodes: what is free stays free.
_PORTS = iter(random.sample(range(20000, 30000), 10000))


def free_port() -> int:
    """One of loopback, another one at each call."""
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=300, check=False)
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(words)}: {done.stderr.strip()}{done.stdout.strip()}")
    return done.stdout.strip()


def find_images() -> dict[str, str] | None:
    """Service -> bench image, or None when one is missing."""
    found = {}
    for service, repository in IMAGES.items():
        try:
            lines = docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"{REGISTRY}/{repository}").splitlines()
        except (OSError, RuntimeError):
            return None
        if not lines:
            return None
        found[service] = lines[0]
    return found


class Stack:
    """A Compose project. `environment` is what web and worker get; change it and `start` again."""

    def __init__(self, directory: Path, images: dict[str, str], project: str) -> None:
        self.project = project
        self.directory = directory
        self.images = images
        self.web_port, self.s3_port = free_port(), free_port()
        self.profile = directory / "profile.xml"
        self.write_profile("1")
        self.environment = self._environment()
        self.worker_only: dict[str, str] = {}

    def write_profile(self, raw_value: str) -> None:
        self.profile.write_text(PROFILE.format(name=RAW_VALUE, value=raw_value))
        self.profile.chmod(0o644)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.web_port}"

    def options(self, **changes: Any) -> dict[str, Any]:
        """Everything `langfuse_health` can be told, in the words of the application's own settings."""
        return {
            "url": self.url,
            "public_key": PUBLIC_KEY,
            "secret_key": SECRETS["project"],
            "project_id": "proj1",
            "user_email": "admin@example.com",
            "user_password": SECRETS["user"],
            "worker_url": "http://langfuse-worker:3030",
            "postgres": {"host": "postgres", "database": "langfuse", "user": "langfuse"},
            "postgres_password": SECRETS["postgres"],
            "clickhouse": {"url": "http://clickhouse:8123", "user": "langfuse", "database": "langfuse"},
            "clickhouse_password": SECRETS["clickhouse"],
            "redis": {"host": "valkey", "prefix": "langfuse:"},
            "redis_password": SECRETS["redis"],
            "s3": {"endpoint": "http://seaweedfs:8333", "buckets": {"events": "lf-events", "media": "lf-media"}},
            "s3_access_key": "s3key",
            "s3_secret_key": SECRETS["s3"],
            "runtime": {"project": self.project},
            "hop_timeout": 8,
            "trace_timeout": 60,
            **changes,
        }

    def compose(self, *words: str, check: bool = True) -> str:
        path = self.directory / "compose.json"
        path.write_text(json.dumps(self._document()))
        return docker("compose", "-p", self.project, "-f", str(path), *words, check=check)

    def up(self, create_buckets: Callable[[str], None]) -> None:
        self.down()
        self.compose("up", "-d", "postgres", "valkey", "clickhouse", "seaweedfs")
        wait(lambda: "accepting" in self.execute("postgres", "pg_isready", "-h", "127.0.0.1"))
        wait(lambda: "canary" in self.execute("clickhouse", "sh", "-c", "wget -qO- 127.0.0.1:8123/ping && echo canary"))
        create_buckets(f"http://127.0.0.1:{self.s3_port}")
        self.migrate()
        self.start()

    def migrate(self) -> None:
        self.compose("run", "--rm", "-T", "langfuse-web", "true")

    def start(self) -> None:
        """Web and worker, recreated where their definition changed, healthy."""
        self.compose("up", "-d", "--no-deps", "langfuse-web")
        wait(lambda: fetch(f"{self.url}/api/public/health") == 200)
        self.compose("up", "-d", "--no-deps", "langfuse-worker")
        wait(lambda: "ok" in self.execute("langfuse-worker", "wget", "-qO-", "http://127.0.0.1:3030/api/health"))

    def settled(self, service: str, url: str | None) -> bool:
        """The process has ended, or answers: 200, or 500 because its start failed."""
        if "running" not in self.compose("ps", "-a", "--format", "{{.State}}", service):
            return True
        if url is not None:
            return fetch(url) in (200, 500)
        return "ok" in self.execute(service, "wget", "-qO-", "http://127.0.0.1:3030/api/health")

    def execute(self, service: str, *words: str) -> str:
        return self.compose("exec", "-T", service, *words, check=False)

    def sql(self, statement: str) -> str:
        return self.execute("postgres", "psql", "-U", "langfuse", "-d", "langfuse", "-Atc", statement)

    def redis(self, *words: str) -> str:
        return self.execute("valkey", "valkey-cli", "--no-auth-warning", "-a", SECRETS["redis"], *words)

    def clickhouse(self, statement: str) -> str:
        query = f"wget -qO- --header='X-ClickHouse-User: langfuse' --header='X-ClickHouse-Key: {SECRETS['clickhouse']}'"
        return self.execute(
            "clickhouse", "sh", "-c", f"{query} --post-data=\"{statement}\" '127.0.0.1:8123/?database=langfuse'"
        )

    def down(self) -> None:
        self.compose("down", "-v", "-t", "2", "--remove-orphans", check=False)

    def _environment(self) -> dict[str, str]:
        internal, browser = "http://seaweedfs:8333", f"http://localhost:{self.s3_port}"
        return {
            "HOSTNAME": "0.0.0.0",
            "DATABASE_URL": f"postgresql://langfuse:{SECRETS['postgres']}@postgres:5432/langfuse",
            "CLICKHOUSE_URL": "http://clickhouse:8123",
            "CLICKHOUSE_MIGRATION_URL": "clickhouse://clickhouse:9000",
            "CLICKHOUSE_USER": "langfuse",
            "CLICKHOUSE_PASSWORD": SECRETS["clickhouse"],
            "CLICKHOUSE_DB": "langfuse",
            "CLICKHOUSE_CLUSTER_ENABLED": "false",
            "REDIS_HOST": "valkey",
            "REDIS_AUTH": SECRETS["redis"],
            "REDIS_KEY_PREFIX": "langfuse:",
            "SALT": "canarySalt1",
            "ENCRYPTION_KEY": "0" * 64,
            "NEXTAUTH_SECRET": "canaryAuthSecret1",
            "NEXTAUTH_URL": self.url,
            "TELEMETRY_ENABLED": "false",
            "STANDIN_DRAIN_SECONDS": "1",
            "LANGFUSE_INIT_ORG_ID": "org1",
            "LANGFUSE_INIT_PROJECT_ID": "proj1",
            "LANGFUSE_INIT_PROJECT_PUBLIC_KEY": PUBLIC_KEY,
            "LANGFUSE_INIT_PROJECT_SECRET_KEY": SECRETS["project"],
            "LANGFUSE_INIT_USER_EMAIL": "admin@example.com",
            "LANGFUSE_INIT_USER_NAME": "Admin",
            "LANGFUSE_INIT_USER_PASSWORD": SECRETS["user"],
            **_bucket("EVENT_UPLOAD", "lf-events", internal),
            **_bucket("MEDIA_UPLOAD", "lf-media", browser),
        }

    def _document(self) -> dict[str, Any]:
        small = {"image": "", "restart": "no", "stop_grace_period": "2s"}
        application = {
            **small,
            "environment": self.environment,
            "read_only": True,
            "user": "1001:1001",
            "tmpfs": ["/tmp:size=16m,mode=1777"],
        }
        services = {
            "postgres": {
                **small,
                "environment": {
                    "POSTGRES_USER": "langfuse",
                    "POSTGRES_PASSWORD": SECRETS["postgres"],
                    "POSTGRES_DB": "langfuse",
                },
            },
            "valkey": {**small, "command": ["valkey-server", "--requirepass", SECRETS["redis"]]},
            "clickhouse": {
                **small,
                "environment": {
                    "CLICKHOUSE_USER": "langfuse",
                    "CLICKHOUSE_PASSWORD": SECRETS["clickhouse"],
                    "CLICKHOUSE_DB": "langfuse",
                },
                "volumes": [f"{self.profile}:/etc/clickhouse-server/users.d/zz-raw.xml:ro"],
            },
            "seaweedfs": {
                **small,
                "command": ["mini", "-dir=/data", "-master.telemetry=false"],
                "environment": {"AWS_ACCESS_KEY_ID": "s3key", "AWS_SECRET_ACCESS_KEY": SECRETS["s3"]},
                "ports": [f"127.0.0.1:{self.s3_port}:8333"],
            },
            "langfuse-web": {**application, "ports": [f"127.0.0.1:{self.web_port}:3000"]},
            "langfuse-worker": {**application, "environment": {**self.environment, **self.worker_only}},
        }
        for name, service in services.items():
            service["image"] = self.images[name]
        return {"services": services}


def _bucket(group: str, bucket: str, endpoint: str) -> dict[str, str]:
    values = {
        "BUCKET": bucket,
        "REGION": "us-east-1",
        "ENDPOINT": endpoint,
        "FORCE_PATH_STYLE": "true",
        "ACCESS_KEY_ID": "s3key",
        "SECRET_ACCESS_KEY": SECRETS["s3"],
    }
    return {f"LANGFUSE_S3_{group}_{key}": value for key, value in values.items()}


def fetch(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
