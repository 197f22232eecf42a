"""A host that has nothing of the instance: the check is a plan, and leaves nothing behind."""

from __future__ import annotations

from tests.molecule import playbook, snapshot
from tests.molecule.instance import SERVICES, Instance


def test_check_on_a_fresh_host_is_a_plan(life: Instance) -> None:
    before = snapshot.host(life)
    assert not life.home.exists()
    assert not life.secrets_file.exists()
    assert not before["docker"]["containers"]

    planned = playbook.check(life)

    assert planned.changed >= 5
    files = ("compose.yaml", "env/web.env", "env/worker.env", "env/postgres.env", "clickhouse/users.xml")
    planned.mentions(*(f"{life.directory}/{name}" for name in files))
    planned.mentions(*(f"{life.name}-{service}-1" for service in SERVICES))
    planned.mentions("bucket: langfuse-media", "schema: migrated")
    assert "Keep the generated secrets" in planned.changed_tasks
    snapshot.assert_same(before, snapshot.host(life))
    assert not life.home.exists()
    assert not life.secrets_file.exists()
