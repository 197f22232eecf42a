"""The stack of an application, as the Compose guide has it: PostgreSQL with rows, Redis with keys, and a service beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.bench.catalogue import base_reference
from tests.integration.modules.stack import find_images
from tests.molecule import canary
from tests.molecule.instance import BASE, docker
from tests.waiting import wait_until

PROJECT = "shop"
HOME = BASE / "shared" / "shop"
NETWORK = f"{PROJECT}_default"
DATABASE_USER = "sail"
DATABASE_PASSWORD = canary.OF_THE_STACK["langfuse_postgres_admin_password"]
REDIS_PASSWORD = canary.OF_THE_STACK["langfuse_redis_admin_password"]
ROWS = 3


def document(images: dict[str, str], redis: dict[str, Any] | None = None) -> dict[str, Any]:
    """The Compose project; ``redis`` changes that service."""
    return {
        "services": {
            "pgsql": {
                "image": images["postgres"],
                "restart": "unless-stopped",
                "environment": {
                    "POSTGRES_USER": DATABASE_USER,
                    "POSTGRES_PASSWORD": DATABASE_PASSWORD,
                    "POSTGRES_DB": "shop",
                },
                "volumes": ["pgsql:/var/lib/postgresql/data"],
            },
            "redis": {
                "image": images["valkey"],
                "restart": "unless-stopped",
                # Users outlive the server only in a file.
                "command": [
                    "sh",
                    "-c",
                    "touch /data/users.acl; exec valkey-server --appendonly yes --aclfile /data/users.acl"
                    " --maxmemory-policy noeviction",
                ],
                "volumes": ["redis:/data"],
                **(redis or {}),
            },
            "ai-service": {
                "image": base_reference(),
                "command": ["sleep", "infinity"],
                "restart": "unless-stopped",
                "stop_grace_period": "1s",
                "env_file": [{"path": "ai-service/.env", "required": False}],
            },
        },
        "volumes": {"pgsql": {}, "redis": {}},
    }


def compose(*words: str, check: bool = True) -> str:
    return docker("compose", "-p", PROJECT, "--project-directory", str(HOME), *words, check=check)


def execute(service: str, *words: str, check: bool = True) -> str:
    return compose("exec", "-T", service, *words, check=check)


def sql(statement: str, database: str = "shop") -> str:
    return execute("pgsql", "psql", "-U", DATABASE_USER, "-d", database, "-Atc", statement).strip()


def redis(*words: str, user: str = "default", password: str = REDIS_PASSWORD, check: bool = True) -> str:
    login = ["--no-auth-warning", "--user", user, "-a", password]
    return execute("redis", "valkey-cli", *login, *words, check=check).strip()


def up(changes: dict[str, Any] | None = None) -> None:
    """Start it, with something of its own in both stores."""
    images = find_images()
    assert images, "the bench is not up"
    (HOME / "ai-service").mkdir(parents=True, exist_ok=True)
    (HOME / "compose.yaml").write_text(json.dumps(document(images, changes)))
    dotenv()
    compose("up", "-d")
    # By TCP: the server of the initialisation answers on the socket and then ends.
    ready = ("pgsql", "pg_isready", "-h", "127.0.0.1")
    wait_until("PostgreSQL of the shop", lambda: "accepting" in execute(*ready, check=False), 120)
    pings = ("redis", "valkey-cli", "ping")
    answer = wait_until("Redis of the shop", lambda: execute(*pings, check=False).strip(), 120)
    if "NOAUTH" not in answer:
        execute("redis", "valkey-cli", "acl", "setuser", "default", "resetpass", f">{REDIS_PASSWORD}")
        redis("acl", "save")
    sql("CREATE TABLE IF NOT EXISTS orders (id int PRIMARY KEY)")
    sql(f"INSERT INTO orders SELECT generate_series(1, {ROWS}) ON CONFLICT DO NOTHING")
    redis("set", "shop:cart", "full")
    # As an application that keeps to its own keys signs in.
    redis("acl", "setuser", "shop", "reset", "on", f">{REDIS_PASSWORD}", "~shop:*", "+@all", "-@dangerous")
    redis("acl", "save")


def dotenv() -> Path:
    """The `.env` of the guide, beside what is the application's own."""
    path = HOME / ".env"
    path.write_text(
        "# The application\nAPP_KEY=canary-of-the-application\n"
        f"DB_USERNAME={DATABASE_USER}\nDB_PASSWORD='{DATABASE_PASSWORD}'\nREDIS_PASSWORD={REDIS_PASSWORD}\n\n"
        "# Langfuse\nLANGFUSE_SALT=canary-salt-of-the-guide\n"
        'LANGFUSE_INIT_USER_EMAIL="boss@example.com"\nLANGFUSE_INIT_PROJECT_NAME="Samsara Alerts"\n'
    )
    path.chmod(0o600)
    return path


def down() -> None:
    if HOME.exists():
        compose("down", "-v", "-t", "2", "--remove-orphans", check=False)


if __name__ == "__main__":
    up()
