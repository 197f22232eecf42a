"""What a platform shares, as pods: the Services of the guide's names, and a PostgreSQL and a ClickHouse of somebody else.

Dragonfly and RustFS have no packages: Valkey with users in a file and SeaweedFS stand in for them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.bench import extras
from tests.bench.catalogue import REGISTRY
from tests.bench.cluster import runtime
from tests.bench.cluster.api import Api, is_available
from tests.bench.lock import only_one
from tests.bench.paths import find_paths
from tests.bench.shell import run
from tests.integration.cluster.running import LAYOUT, Running
from tests.integration.modules import keycloak
from tests.integration.modules.conftest import image

# For whoever shares a cluster with others.
PREFIX = os.environ.get("LANGFUSE_TEST_NAMESPACES", "")
CACHE, STORAGE, IDENTITY = (f"{PREFIX}{name}" for name in ("cache", "storage", "identity"))
DATABASES, HOME = f"{PREFIX}databases", f"{PREFIX}ai-system"
ADMIN, REALM = "boss", "platform"
POSTGRES_PASSWORD, CLICKHOUSE_PASSWORD = "canary-postgres-admin", "canary-clickhouse-admin"
REDIS_PASSWORD, SECRET_KEY = "canary-redis-admin", "canary-rustfs-secret"
Object = dict[str, Any]


@dataclass(frozen=True)
class Server:
    """One pod behind a Service. ``size`` is the memory that it may take."""

    namespace: str
    service: str
    image: str
    ports: tuple[int, ...]
    path: str
    user: int
    environment: dict[str, str]
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    size: str = "256Mi"
    stands_in: str = ""
    # Port and path of its own word that it is ready; else that it listens.
    ready: tuple[int, str] | None = None

    @property
    def host(self) -> str:
        return f"{self.service}.{self.namespace}.svc.cluster.local"

    @property
    def place(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{self.service}"

    @property
    def service_place(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/services/{self.service}"

    def _probe(self) -> Object:
        if self.ready is None:
            return {"tcpSocket": {"port": self.ports[0]}}
        port, path = self.ready
        return {"httpGet": {"port": port, "path": path}}

    def objects(self) -> list[Object]:
        labels = {"app": self.service}
        container: Object = {
            "name": "main",
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "env": [{"name": name, "value": value} for name, value in self.environment.items()],
            "ports": [{"containerPort": port} for port in self.ports],
            "readinessProbe": {**self._probe(), "periodSeconds": 1, "timeoutSeconds": 5},
            "volumeMounts": [{"name": "data", "mountPath": self.path}],
            "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": self.size}},
        }
        if self.command:
            container["command"] = list(self.command)
        if self.arguments:
            container["args"] = list(self.arguments)
        pod = {
            "containers": [container],
            "volumes": [{"name": "data", "emptyDir": {}}],
            "securityContext": {"runAsUser": self.user, "runAsGroup": self.user, "fsGroup": self.user},
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
        }
        told = {"stands-in-for": self.stands_in} if self.stands_in else {}
        template = {"metadata": {"labels": {**labels, **told}}, "spec": pod}
        metadata = {"name": self.service, "namespace": self.namespace}
        ports = [{"name": f"p{port}", "port": port} for port in self.ports]
        return [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": metadata,
                "spec": {"selector": {"matchLabels": labels}, "template": template},
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"selector": labels, "ports": ports},
            },
        ]


def servers() -> dict[str, Server]:
    users = f"user default on >{REDIS_PASSWORD} ~* &* +@all"
    valkey = "exec valkey-server --aclfile /data/users.acl --appendonly yes --maxmemory-policy noeviction"
    return {
        "redis": Server(
            *(CACHE, "dragonfly", image("valkey/valkey"), (6379,), "/data", 999, {}),
            command=("sh", "-c", f"umask 077; echo '{users}' > /data/users.acl; {valkey}"),
            stands_in="dragonfly",
        ),
        "s3": Server(
            *(STORAGE, "rustfs-svc", image("chrislusf/seaweedfs"), (9000,), "/data", 1000),
            {"AWS_ACCESS_KEY_ID": "platform", "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
            arguments=(
                *("server", "-dir=/data", "-ip=127.0.0.1", "-ip.bind=0.0.0.0", "-master.volumeSizeLimitMB=64"),
                *("-master.volumePreallocate=false", "-volume.max=0", "-s3", "-s3.port=9000"),
            ),
            size="512Mi",
            stands_in="rustfs",
        ),
        "postgres": Server(
            *(DATABASES, "postgres", image("library/postgres"), (5432,), "/var/lib/postgresql/data", 999),
            {
                "POSTGRES_PASSWORD": POSTGRES_PASSWORD,
                # The image trusts its own loopback otherwise, which is where a port-forward comes from.
                "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256",
                "PGDATA": "/var/lib/postgresql/data/here",
            },
        ),
        "clickhouse": Server(
            *(DATABASES, "clickhouse", image("clickhouse/clickhouse-server"), (8123, 9000), "/var/lib/clickhouse", 101),
            {
                "CLICKHOUSE_USER": ADMIN,
                "CLICKHOUSE_PASSWORD": CLICKHOUSE_PASSWORD,
                "CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT": "1",
            },
            size="2Gi",
        ),
        "keycloak": Server(
            *(
                IDENTITY,
                "keycloak-service",
                extras.ensure(find_paths(), "keycloak"),
                (8080,),
                "/opt/keycloak/data",
                1000,
            ),
            {
                "KC_BOOTSTRAP_ADMIN_USERNAME": keycloak.ADMIN,
                "KC_BOOTSTRAP_ADMIN_PASSWORD": keycloak.ADMIN_PASSWORD,
            },
            arguments=keycloak.COMMAND,
            size="1Gi",
            ready=(9000, "/health/ready"),
        ),
    }


@contextlib.contextmanager
def started(running: Running, wanted: Iterable[Server]) -> Iterator[None]:
    """All at once, and listening; everything is removed afterwards, the instance's namespace too."""
    wanted = list(wanted)
    api = running.api
    with running.namespaces(*dict.fromkeys(one.namespace for one in wanted)):
        bring(one.image for one in wanted)
        try:
            for one in wanted:
                api.apply(one.objects())
            for one in wanted:
                api.wait(one.place, is_available, f"{one.service} in {one.namespace}", 300)
                api.wait_connected(one.service_place, one.ports[0])
            yield
        finally:
            # Somebody else may still use the namespace.
            for one in wanted:
                for path in (one.place, one.service_place):
                    api.delete(path)
            api.delete(f"/api/v1/namespaces/{HOME}")


def address(api: Api, one: Server) -> str:
    """Host and port at which the machine of the node reaches the Service."""
    found = api.get(one.service_place)
    return f"{found['spec']['clusterIP']}:{one.ports[0]}"


def bring_the_application() -> None:
    """Images of the instance itself to the node."""
    bring(run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", f"{REGISTRY}/langfuse/*"]).split())


def bring(images: Iterable[str]) -> None:
    with only_one(LAYOUT.paths):
        for reference in images:
            runtime.add_from_docker(LAYOUT, reference, {})
