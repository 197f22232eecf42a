"""ClickHouse and an object store that are there already: what is refused, what a full disk leaves, and an instance on them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import s3

from tests.molecule import canary, playbook, snapshot
from tests.molecule.instance import EPHEMERAL, Instance, docker
from tests.molecule.shared import neighbours, shop
from tests.molecule.shared.neighbours import BUCKETS, OBJECTS, OLAP, S3_ADMIN, S3_OTHER
from tests.molecule.shared.refusal import refused, untouched
from tests.molecule.traces import Traces

BOTH = {**OLAP, **OBJECTS}


@pytest.fixture(scope="module")
def stores() -> Iterator[None]:
    with neighbours.running(neighbours.services()):
        yield


@pytest.fixture
def buckets(stores: None) -> s3.Store:
    return s3.Store(s3.Where(f"http://{neighbours.address('objects')}:8333", "us-east-1", True, **S3_ADMIN))


def test_wrong_passwords(shared: Instance, stores: None) -> None:
    wrong = {"langfuse_clickhouse_admin_password": "CanaryWrong3", "langfuse_s3_admin_secret_key": "CanaryWrong4"}
    said = ["ClickHouse at http://olap:8123 refuses boss", "SignatureDoesNotMatch", "http://objects:8333"]
    refused(shared, {**BOTH, **wrong}, *said, more=neighbours.made)


def test_closed_ports(shared: Instance, stores: None) -> None:
    wrong = {"langfuse_clickhouse_port": 8124, "langfuse_s3_endpoint": "http://objects:8334"}
    refused(shared, {**BOTH, **wrong}, "http://olap:8124", "http://objects:8334", more=neighbours.made)


def test_too_few_rights_and_the_bucket_of_another_account(shared: Instance, buckets: s3.Store) -> None:
    neighbours.clickhouse("CREATE USER weak IDENTIFIED BY 'CanaryWeak5'")
    neighbours.clickhouse("GRANT CREATE USER, ALTER USER ON * TO weak")
    neighbours.clickhouse("GRANT SELECT ON system.* TO weak")
    buckets.create(BUCKETS[0])
    wrong = {
        "langfuse_clickhouse_admin_user": "weak",
        "langfuse_clickhouse_admin_password": "CanaryWeak5",
        **{f"langfuse_s3_{part}{name}": value for part in ("", "admin_") for name, value in S3_OTHER.items()},
    }
    said = ["weak may not do what is needed here", "WITH GRANT OPTION", "AccessDenied", f"bucket {BUCKETS[0]}"]
    try:
        refused(shared, {**BOTH, **wrong}, *said, more=neighbours.made)
    finally:
        neighbours.clickhouse("DROP USER weak")
        buckets.call("delete_bucket", Bucket=BUCKETS[0])


def test_servers_that_are_too_old_and_the_user_of_somebody_else(shared: Instance, stores: None) -> None:
    neighbours.clickhouse("CREATE USER books IDENTIFIED BY 'CanaryBooks6'")
    neighbours.clickhouse("GRANT SELECT ON books.* TO books")
    wrong = {
        "langfuse_clickhouse_user": "books",
        "langfuse_postgres_host": "oldpgsql",
        "langfuse_redis_host": "oldredis",
        "langfuse_compose_networks": [shop.NETWORK],
    }
    said = [
        "PostgreSQL 13",
        "15 or newer",
        "has version 6.0",
        "needs Redis 7.0",
        "User books of ClickHouse has another password",
    ]
    try:
        with neighbours.running(neighbours.old_services()):
            refused(shared, {**BOTH, **wrong}, *said, more=neighbours.made)
        assert neighbours.clickhouse("SELECT 1", "books", "CanaryBooks6") == "1"
    finally:
        neighbours.clickhouse("DROP USER books")


def test_a_full_disk_under_the_secrets(shared: Instance) -> None:
    """Nothing is made with secrets that are nowhere."""
    place = EPHEMERAL / "full"
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(place)], check=True)
    try:
        filler = place / "filler"
        filler.write_bytes(bytes(64 << 10))
        variables = {"langfuse_secrets_file": str(place / "secrets.yml")}
        refused(shared, variables, "langfuse_secrets_file", "cannot be written: No space left on device")
        assert list(place.iterdir()) == [filler]
    finally:
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


def test_a_full_disk_while_provisioning(shared: Instance) -> None:
    """The run ends at it with its cause, before anything starts; with space again the next one goes on."""
    variables = {"langfuse_postgres_host": "smallpgsql", "langfuse_compose_networks": [shop.NETWORK]}
    filler = "/var/lib/postgresql/data/filler"
    with neighbours.running(neighbours.small_service()):
        before, name = untouched(), f"{shop.PROJECT}-smallpgsql-1"
        docker("exec", name, "dd", "if=/dev/zero", f"of={filler}", "bs=64k", check=False)
        # Who signs in needs a little.
        docker("exec", name, "truncate", "--size=-1M", filler)
        run = playbook.site(shared, variables=variables, fails=True)
        run.mentions("smallpgsql", "No space left on device", "Free space on its disk and run again")
        assert untouched() == before, "another store was changed"
        assert not shared.containers() and not (shared.directory / "compose.yaml").exists()
        assert not canary.HOSTS.found_in(run.output)
        kept = shared.secrets()
        docker("exec", name, "rm", filler)
        repaired = playbook.run(shared, "llmops.langfuse.provision", variables=variables)
        assert repaired.changed == 1
        assert shared.secrets() == kept, "the second run drew other secrets"
        assert playbook.run(shared, "llmops.langfuse.provision", variables=variables).changed == 0
    forget(shared)


def test_an_instance_that_brings_no_store(shared: Instance, buckets: s3.Store) -> None:
    """PostgreSQL, Redis, ClickHouse and objects of others; administrators only while provisioning."""
    page = f"http://localhost:{shared.web_port}"
    variables = {**BOTH, "langfuse_s3_cors_origins": [page], "langfuse_s3_events_expire_days": 30}
    done = playbook.run(shared, variables=variables)
    done.mentions("trace ok", "media ok")
    assert {one.service for one in shared.containers()} == {"langfuse-web", "langfuse-worker"}
    assert set(BUCKETS) <= set(neighbours.files())
    assert "langfuse" in neighbours.clickhouse("SELECT name FROM system.users").split()
    rules = buckets.call("get_bucket_lifecycle_configuration", Bucket=BUCKETS[0])["Rules"]
    assert [rule["Expiration"]["Days"] for rule in rules] == [30]
    assert buckets.call("get_bucket_cors", Bucket=BUCKETS[1])["CORSRules"][0]["AllowedOrigins"] == [page]
    for container in shared.containers():
        has = "\n".join(container.details["Config"]["Env"])
        assert not [text for text in (neighbours.BOSS_PASSWORD, *S3_ADMIN.values()) if text in has]
    assert not canary.HOSTS.found_in(done.output)
    assert playbook.site(shared, variables=variables).changed == 0
    Traces(shared).arrives("on-stores-of-others")
    playbook.run(
        shared, "llmops.langfuse.teardown", variables={**variables, "langfuse_teardown_data": shared.name}
    ).mentions("objects:8333", "olap:8123/langfuse")
    snapshot.everything_gone(shared)
    assert set(BUCKETS) <= set(neighbours.files())
    assert neighbours.clickhouse("EXISTS TABLE langfuse.traces") == "1"
    forget(shared)


def forget(instance: Instance) -> None:
    """As if the instance had never been in the stack's PostgreSQL and Redis."""
    shop.sql("DROP DATABASE IF EXISTS langfuse WITH (FORCE)")
    shop.sql("DROP ROLE IF EXISTS langfuse")
    shop.redis("acl", "deluser", instance.name)
    shop.redis("acl", "save")
    for key in shop.redis("keys", f"{instance.name}:*").split():
        shop.redis("del", key)
    instance.secrets_file.unlink(missing_ok=True)
