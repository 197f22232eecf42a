"""Changes by hand: the check names each one and touches nothing, site repairs them."""

from __future__ import annotations

from pathlib import Path

import psycopg

from tests.molecule import playbook, snapshot
from tests.molecule.instance import Instance, docker
from tests.molecule.traces import Bucket, Traces

BUCKET = "langfuse-exports"
# Role and database.
OWNER = "langfuse"
PREPARE = "Wait for the stores and prepare them (password, buckets, schema)"


def _drift(life: Instance) -> Path:
    """Four changes by hand. Returns the env file that one of them was in."""
    worker = life.directory / "env" / "worker.env"
    text = worker.read_text()
    assert 'LANGFUSE_LOG_LEVEL="info"' in text
    worker.write_text(text.replace('LANGFUSE_LOG_LEVEL="info"', 'LANGFUSE_LOG_LEVEL="trace"'))
    (life.directory / "env" / "postgres.env").chmod(0o644)
    Bucket(life).delete(BUCKET)
    docker("rm", "-f", f"{life.name}-valkey-1")
    return worker


def test_drift_is_named_and_repaired(life: Instance) -> None:
    intended = {name: entry[::2] for name, entry in snapshot.files(life.directory).items()}
    containers = life.ids()
    _drift(life)
    before = snapshot.host(life)

    checked = playbook.check(life)

    snapshot.assert_same(before, snapshot.host(life))
    checked.mentions(
        f"{life.directory}/env/worker.env",
        "LANGFUSE_LOG_LEVEL=(hidden, changed)",
        f"{life.directory}/env/postgres.env",
        "mode: 0644",
        f"{life.name}-valkey-1",
    )
    named = set(checked.changed_tasks)
    assert {"Write the Compose project", "Start the stores"} <= named

    repaired = playbook.site(life)

    assert repaired.changed >= 3, repaired.changed_tasks
    assert PREPARE in repaired.changed_tasks
    assert {name: entry[::2] for name, entry in snapshot.files(life.directory).items()} == intended
    assert BUCKET in Bucket(life).names()
    after = life.ids()
    kept = ("postgres", "clickhouse", "seaweedfs", "langfuse-web")
    assert {name: after[name] for name in kept} == {name: containers[name] for name in kept}
    assert playbook.check(life).changed == 0
    Traces(life).arrives("after-drift")


def _accepts(life: Instance) -> bool:
    """Whether PostgreSQL lets the application in with the password of the secrets file."""
    password = life.secrets()["langfuse_postgres_password"]
    try:
        psycopg.connect(host=life.container("postgres").address, user=OWNER, dbname=OWNER, password=password).close()
    except psycopg.OperationalError as error:
        assert "password authentication failed" in str(error)
        return False
    return True


def test_what_the_stores_lack_is_named_and_left_so(life: Instance) -> None:
    """With all containers in place the check looks into the stores."""
    Bucket(life).delete(BUCKET)
    (life.directory / ".migration.json").unlink()
    before = snapshot.host(life)
    checked = playbook.check(life)
    assert checked.changed_tasks == [PREPARE]
    checked.mentions(f"bucket: {BUCKET}", "schema: no migration is on record")
    alter = f"ALTER ROLE {OWNER} PASSWORD 'somethingElse1'"
    docker("exec", life.container("postgres").id, "psql", "-U", OWNER, "-d", OWNER, "-c", alter)
    playbook.check(life).mentions("password of PostgreSQL: another one")
    assert not _accepts(life)
    assert BUCKET not in Bucket(life).names()
    snapshot.assert_same(before, snapshot.host(life))
    assert playbook.site(life).changed_tasks == [PREPARE]
    assert _accepts(life)
    assert BUCKET in Bucket(life).names()
    assert playbook.check(life).changed == 0
