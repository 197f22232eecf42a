"""More stores in the application's stack, for the instance to use: ClickHouse, an object store, and servers that are too old."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.modules import older
from tests.integration.modules.clickhouse_server import Refused, statement
from tests.integration.modules.stack import find_images
from tests.molecule import canary
from tests.molecule.instance import docker
from tests.molecule.shared import shop
from tests.waiting import wait_until

BOSS = "boss"
BOSS_PASSWORD = canary.OF_OTHER_STORES["langfuse_clickhouse_admin_password"]
S3_ADMIN = {name: canary.OF_OTHER_STORES[f"langfuse_s3_admin_{name}"] for name in ("access_key", "secret_key")}
S3_OWN = {name: canary.VALUES[f"langfuse_s3_{name}"] for name in ("access_key", "secret_key")}
S3_OTHER = {"access_key": "Canaryotheraccount", "secret_key": "Canaryotheraccountsecret"}
BUCKETS = ("langfuse-events", "langfuse-media", "langfuse-exports")
S3_PORT = 9491
_SEAWEEDFS = (
    *("-dir=/data", "-ip=objects", "-ip.bind=0.0.0.0", "-volume.max=40"),
    *("-master.volumeSizeLimitMB=64", "-master.volumePreallocate=false"),
)
# Variables of an instance that uses them.
OLAP = {
    "langfuse_clickhouse_source": "existing",
    "langfuse_clickhouse_host": "olap",
    "langfuse_clickhouse_admin_user": BOSS,
    "langfuse_clickhouse_admin_password": BOSS_PASSWORD,
}
OBJECTS = {
    "langfuse_s3_source": "existing",
    # The inventory has it for the store that the instance brings.
    "langfuse_s3_port": None,
    "langfuse_s3_endpoint": "http://objects:8333",
    "langfuse_s3_public_endpoint": f"http://localhost:{S3_PORT}",
    **{f"langfuse_s3_{name}": value for name, value in S3_OWN.items()},
    **{f"langfuse_s3_admin_{name}": value for name, value in S3_ADMIN.items()},
}


def identities() -> str:
    """Keys of the object store: its administrator, the instance with its three buckets, and another account."""
    own = [f"{action}:{bucket}" for bucket in BUCKETS for action in ("Read", "Write", "List")]

    def identity(name: str, keys: dict[str, str], actions: list[str]) -> dict[str, Any]:
        pair = {"accessKey": keys["access_key"], "secretKey": keys["secret_key"]}
        return {"name": name, "credentials": [pair], "actions": actions}

    return json.dumps(
        {
            "identities": [
                identity("admin", S3_ADMIN, ["Admin", "Read", "Write", "List", "Tagging"]),
                identity("langfuse", S3_OWN, own),
                identity("other", S3_OTHER, ["Read:books", "Write:books", "List:books"]),
            ]
        }
    )


def services() -> dict[str, Any]:
    images = find_images()
    assert images, "the bench is not up"
    return {
        "olap": {
            "image": images["clickhouse"],
            "environment": {
                "CLICKHOUSE_USER": BOSS,
                "CLICKHOUSE_PASSWORD": BOSS_PASSWORD,
                "CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT": "1",
            },
        },
        "objects": {
            "image": images["seaweedfs"],
            "command": ["server", *_SEAWEEDFS, "-s3", "-s3.config=/etc/identities.json"],
            "configs": [{"source": "identities", "target": "/etc/identities.json"}],
            "ports": [f"127.0.0.1:{S3_PORT}:8333"],
        },
    }


def old_services() -> dict[str, Any]:
    # That version stores passwords as MD5.
    environment = {
        "POSTGRES_USER": shop.DATABASE_USER,
        "POSTGRES_PASSWORD": shop.DATABASE_PASSWORD,
        "POSTGRES_HOST_AUTH_METHOD": "md5",
    }
    return {
        "oldpgsql": {"image": older.postgres(13, "bullseye"), "environment": environment},
        "oldredis": {"image": older.redis(), "command": ["redis-server", "--requirepass", shop.REDIS_PASSWORD]},
    }


def small_service() -> dict[str, Any]:
    """A PostgreSQL whose disk is soon full."""
    images = find_images()
    assert images, "the bench is not up"
    small = {"type": "tmpfs", "target": "/var/lib/postgresql/data", "tmpfs": {"size": 96 << 20}}
    environment = {"POSTGRES_USER": shop.DATABASE_USER, "POSTGRES_PASSWORD": shop.DATABASE_PASSWORD}
    return {"smallpgsql": {"image": images["postgres"], "environment": environment, "volumes": [small]}}


@contextmanager
def running(document: dict[str, Any]) -> Iterator[None]:
    """Those services in the stack for a while. Compose reads `$` as the begin of a name."""
    path = shop.HOME / f"{next(iter(document))}.yaml"
    content = {"services": document, "configs": {"identities": {"content": identities()}}}
    path.write_text(json.dumps(content).replace("$", "$$"))
    path.chmod(0o600)
    files = ("-f", str(shop.HOME / "compose.yaml"), "-f", str(path))
    shop.compose(*files, "up", "-d", "--no-deps", *document)
    try:
        for name in document:
            wait_until(f"{name} answers", ANSWERS[name], 120)
        yield
    finally:
        shop.compose(*files, "rm", "--stop", "--force", "--volumes", *document)
        path.unlink()


def address(service: str) -> str:
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return docker("inspect", "-f", form, f"{shop.PROJECT}-{service}-1").strip()


def clickhouse(sql: str, user: str = BOSS, password: str = BOSS_PASSWORD) -> str:
    return statement(f"{address('olap')}:8123", sql, user, password)


def _clickhouse_answers() -> bool:
    try:
        return clickhouse("SELECT 1") == "1"
    except (OSError, Refused):
        return False


def files(path: str = "/buckets/") -> list[str]:
    """What the object store holds, by its own listing."""
    request = urllib.request.Request(f"http://{address('objects')}:8888{path}?limit=1000")
    request.add_header("Accept", "application/json")
    with urllib.request.urlopen(request, timeout=60) as answer:
        entries = json.loads(answer.read())["Entries"] or []
    return sorted(str(entry["FullPath"]).rpartition("/")[2] for entry in entries)


def _objects_answer() -> bool:
    try:
        with urllib.request.urlopen(f"http://{address('objects')}:8333/status", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _says(service: str, answer: str, *words: str) -> bool:
    return answer in docker("exec", f"{shop.PROJECT}-{service}-1", *words, check=False)


ANSWERS = {
    "olap": _clickhouse_answers,
    "objects": _objects_answer,
    "oldpgsql": lambda: _says("oldpgsql", "accepting", "pg_isready", "-h", "127.0.0.1"),
    "oldredis": lambda: _says("oldredis", "NOAUTH", "redis-cli", "ping"),
    "smallpgsql": lambda: _says("smallpgsql", "accepting", "pg_isready", "-h", "127.0.0.1"),
}


def made() -> dict[str, Any]:
    """What a run could make in ClickHouse and in the object store."""
    return {
        "databases": clickhouse("SELECT name FROM system.databases ORDER BY name"),
        "users": clickhouse("SELECT name, auth_type FROM system.users ORDER BY name"),
        "grants": clickhouse("SELECT count() FROM system.grants"),
        "buckets": [name for name in files() if not name.startswith(".")],
    }
