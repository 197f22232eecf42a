"""Stores of others in a real cluster: `provision` and `site` reach them through its API server, by the names of the guide."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from tests.integration.cluster import shared_services
from tests.integration.cluster.running import LAYOUT, Running
from tests.integration.cluster.shared_services import ADMIN, CACHE, HOME, PREFIX, REALM, Server, address
from tests.integration.host.machine import hosts, play
from tests.integration.modules import keycloak
from tests.integration.modules.clickhouse_server import statement
from tests.integration.modules.conftest import call
from tests.molecule.playbook import Run

pytestmark = [pytest.mark.engine]
BUCKETS = ["langfuse-events", "langfuse-media", "langfuse-exports"]
BACKUPS = "langfuse-backups-of-a-test"
SECRETS = (
    *(shared_services.POSTGRES_PASSWORD, shared_services.CLICKHOUSE_PASSWORD, shared_services.REDIS_PASSWORD),
    *(shared_services.SECRET_KEY, keycloak.ADMIN_PASSWORD, "canary-dragonfly-user", "canary-client-secret"),
)


@dataclass
class Platform:
    """The shared services, and an instance that is to use them."""

    running: Running
    servers: dict[str, Server]
    home: Path

    @property
    def secrets_file(self) -> Path:
        return self.home / "secrets.yml"

    def variables(self) -> dict[str, Any]:
        hosts_of = {name: one.host for name, one in self.servers.items()}
        return {
            "langfuse_target": "kubernetes",
            "langfuse_kubernetes_kubeconfig": str(LAYOUT.kubeconfig),
            "langfuse_kubernetes_namespace": HOME,
            "langfuse_expose": "service",
            "dragonfly_enabled": True,
            "dragonfly_acl_enabled": True,
            "dragonfly_langfuse_password": "canary-dragonfly-user",
            "langfuse_redis_admin_user": "default",
            "langfuse_redis_admin_password": shared_services.REDIS_PASSWORD,
            "rustfs_enabled": True,
            "langfuse_s3_access_key": "platform",
            "langfuse_s3_secret_key": shared_services.SECRET_KEY,
            "langfuse_s3_events_expire_days": 30,
            "langfuse_postgres_source": "existing",
            "langfuse_postgres_host": hosts_of["postgres"],
            "langfuse_postgres_admin_user": "postgres",
            "langfuse_postgres_admin_password": shared_services.POSTGRES_PASSWORD,
            "langfuse_clickhouse_source": "existing",
            # Without the domain, as pods may write it.
            "langfuse_clickhouse_host": hosts_of["clickhouse"].removesuffix(".cluster.local"),
            "langfuse_clickhouse_admin_user": ADMIN,
            "langfuse_clickhouse_admin_password": shared_services.CLICKHOUSE_PASSWORD,
            "keycloak_enabled": True,
            "langfuse_sso_enabled": True,
            "langfuse_sso_issuer": f"http://{hosts_of['keycloak']}:8080/realms/{REALM}",
            "langfuse_keycloak_admin_user": keycloak.ADMIN,
            "langfuse_keycloak_admin_password": keycloak.ADMIN_PASSWORD,
            "langfuse_keycloak_client_secret": "canary-client-secret",
            # The names of the guide are what is left out here.
            **({"langfuse_redis_host": hosts_of["redis"]} if PREFIX else {}),
            **({"langfuse_s3_endpoint": f"http://{hosts_of['s3']}:9000"} if PREFIX else {}),
        }

    def play(self, playbook: str, *words: str, fails: bool = False, **variables: Any) -> Run:
        """The variables are the inventory's, so that no process shows them."""
        inventory = self.home / "inventory.json"
        connection = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        given = {**connection, **self.variables(), **variables}
        inventory.touch(mode=0o600)
        inventory.write_text(json.dumps(hosts("cluster", self.secrets_file, **given)))
        words = (f"-e@{LAYOUT.paths.variables}", *words)
        done = play(inventory, f"llmops.langfuse.{playbook}", *words, fails=fails)
        assert not [secret for secret in SECRETS if secret in done.output]
        return done

    def redis_users(self) -> list[str]:
        host, port = address(self.running.api, self.servers["redis"]).split(":")
        client = redis.Redis(host, int(port), username="default", password=shared_services.REDIS_PASSWORD)
        return list(client.acl_users())

    def databases(self) -> list[str]:
        host, port = address(self.running.api, self.servers["postgres"]).split(":")
        login = {"user": "postgres", "password": shared_services.POSTGRES_PASSWORD, "dbname": "postgres"}
        with psycopg.connect(host=host, port=int(port), **login) as session:
            return [row[0] for row in session.execute("SELECT datname FROM pg_database")]

    def clickhouse(self, sql: str) -> str:
        where = address(self.running.api, self.servers["clickhouse"])
        return statement(where, sql, ADMIN, shared_services.CLICKHOUSE_PASSWORD)

    def clients(self) -> list[str]:
        return [one["clientId"] for one in self.keycloak().admin.get(f"realms/{REALM}/clients")]

    def keycloak(self) -> keycloak.Server:
        one = self.servers["keycloak"]
        host, _colon, port = address(self.running.api, one).rpartition(":")
        return keycloak.Server(f"http://{one.host}:{port}", resolve=[f"{one.host}:{port}:{host}"])

    def buckets(self, *names: str) -> dict[str, Any]:
        """What the module would change on them; without names, on those of the instance."""
        one = self.servers["s3"]
        endpoint = f"http://{address(self.running.api, one)}"
        keys = {"access_key": "platform", "secret_key": shared_services.SECRET_KEY}
        result = call("s3_bucket", check=True, endpoint_url=endpoint, buckets=list(names) or BUCKETS, **keys)
        return {row["name"]: row["changes"] for row in result["buckets"]}

    def nothing_is_made(self) -> bool:
        nothing = "langfuse" not in (*self.redis_users(), *self.databases(), *self.clients())
        return nothing and self.clickhouse("EXISTS DATABASE langfuse") == "0" and all(self.buckets().values())


@pytest.fixture(scope="module")
def platform(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    servers = shared_services.servers()
    with shared_services.started(running, servers.values()):
        found = Platform(running, servers, tmp_path_factory.mktemp("platform"))
        found.keycloak().realm(REALM)
        yield found


def test_a_check_tells_what_would_be_made_and_makes_nothing(platform: Platform) -> None:
    done = platform.play("provision", "--check", "--diff")
    assert done.changed_tasks == ["Keep the generated secrets", "Check, and prepare, the stores that are there already"]
    done.mentions("before: postgres", "before: clickhouse", "before: redis", "before: s3", "before: keycloak")
    assert platform.nothing_is_made()
    assert not platform.secrets_file.exists()


def test_all_that_is_wrong_with_cluster_and_stores_is_one_message(platform: Platform) -> None:
    wrong = {
        "langfuse_postgres_admin_password": "Warbler-wrong-1",
        "langfuse_redis_admin_password": "Warbler-wrong-2",
        "langfuse_keycloak_admin_password": "Warbler-wrong-3",
        "langfuse_expose": "httproute",
        "langfuse_public_url": "https://langfuse.example.com",
        "langfuse_gateway_name": "nowhere",
    }
    done = platform.play("site", fails=True, **wrong)
    done.mentions(
        "Nothing was changed. Please mend:",
        "There is no Gateway nowhere in network",
        f"PostgreSQL on {platform.servers['postgres'].host}:5432 does not let postgres in",
        "The password is langfuse_postgres_admin_password.",
        "The password is langfuse_redis_admin_password.",
        "langfuse_keycloak_admin_password",
    )
    assert "Warbler-wrong" not in done.output
    assert platform.nothing_is_made()
    assert not platform.secrets_file.exists()
    assert platform.running.api.find(f"/api/v1/namespaces/{HOME}") is None


def test_what_is_missing_is_made_once(platform: Platform) -> None:
    assert platform.play("provision").changed
    assert "langfuse" in platform.redis_users()
    assert "langfuse" in platform.databases()
    assert "langfuse" in platform.clients()
    assert platform.clickhouse("EXISTS DATABASE langfuse") == "1"
    assert not any(platform.buckets().values())
    assert platform.play("provision").changed == 0


def test_a_trace_goes_through_all_of_them(platform: Platform) -> None:
    shared_services.bring_the_application()
    done = platform.play("site")
    done.mentions("trace")
    assert done.changed_tasks == ["Apply the objects, wave by wave"]
    assert platform.play("site", "--check").changed == 0


def test_a_store_that_is_elsewhere_now(platform: Platform) -> None:
    """Data does not move by itself, whether the instance runs or what it keeps alone is there."""
    place = f"/api/v1/namespaces/{HOME}/configmaps/langfuse-store-places"
    before = platform.running.api.get(place)
    postgres = platform.servers["postgres"].host
    other = {"langfuse_postgres_database": "other"}

    def is_refused() -> None:
        platform.play("site", fails=True, **other).mentions(
            "Nothing was changed. Please mend:",
            f"The data of postgres is at {postgres}:5432/langfuse, and langfuse_postgres_source and its variables say "
            f"{postgres}:5432/other",
            "langfuse_moved_stores: [postgres]",
        )

    is_refused()
    assert platform.play("teardown").changed
    is_refused()
    assert platform.running.api.get(place) == before and "other" not in platform.databases()
    platform.play("preflight", **other, langfuse_moved_stores=["postgres"])
    platform.play("preflight")


def test_the_bucket_of_backups_is_made_where_they_go(platform: Platform, definitions: Running) -> None:
    """CloudNativePG's plugin archives to the store of the application's buckets."""
    ours = {
        **dict.fromkeys(("langfuse_postgres_host", "langfuse_postgres_admin_user", "langfuse_postgres_admin_password")),
        "langfuse_postgres_source": "cnpg",
        "cnpg_enabled": True,
        "cnpg_barman_plugin_enabled": True,
        "langfuse_backup_enabled": True,
        "langfuse_s3_backups_bucket": BACKUPS,
        "langfuse_moved_stores": ["postgres"],
    }
    assert platform.buckets(BACKUPS) == {BACKUPS: ["create"]}
    assert platform.play("provision", "--check", **ours).changed_tasks == [
        "Check, and prepare, the stores that are there already"
    ]
    assert platform.buckets(BACKUPS) == {BACKUPS: ["create"]}
    assert platform.play("provision", **ours).changed
    assert platform.buckets(BACKUPS) == {BACKUPS: []}
    assert platform.play("provision", **ours).changed == 0
    keys = {"langfuse_backup_access_key": "nobody", "langfuse_backup_secret_key": "canary-of-backups"}
    done = platform.play("preflight", fails=True, **ours, **keys)
    done.mentions("Nothing was changed. Please mend:", "With langfuse_backup_access_key: ")
    assert "canary-of-backups" not in done.output


def test_a_password_that_somebody_else_keeps(platform: Platform) -> None:
    """Read where it is, else the store is left out and that is said."""
    data = {"password": base64.b64encode(shared_services.REDIS_PASSWORD.encode()).decode()}
    metadata = {"name": "theirs", "namespace": CACHE}
    platform.running.api.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}])

    def look(secret: str) -> dict[str, Any]:
        result = call(
            "existing_stores",
            cluster={"kubeconfig": str(LAYOUT.kubeconfig), "namespace": CACHE},
            # A name as pods of that namespace may write it.
            redis={"host": platform.servers["redis"].service, "prefix": "langfuse:"},
            from_secrets={"redis_password": {"name": secret, "key": "password"}},
        )
        assert shared_services.REDIS_PASSWORD not in str(result)
        return result

    assert "redis" in look("theirs").get("stores", {})
    left_out = look("none")
    assert (left_out["stores"], left_out["errors"]) == ({}, [])
    assert f"there is no Secret none in {CACHE}" in left_out["notices"][0]
