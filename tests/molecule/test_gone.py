"""The other instance never heard of all this, and removing this one leaves it alone."""

from __future__ import annotations

from tests.molecule import playbook, snapshot
from tests.molecule.instance import LIFE, SERVICES, Instance, docker


def test_teardown_of_one_instance_leaves_the_other(faults: Instance) -> None:
    """Its containers are killed first: the drain is tested in the other lane."""
    docker("kill", *(f"{faults.name}-{service}-1" for service in SERVICES))
    other = LIFE.volumes()
    playbook.run(faults, "llmops.langfuse.teardown", variables={"langfuse_teardown_data": faults.name})
    snapshot.everything_gone(faults)
    assert other <= LIFE.volumes() or not LIFE.volumes()
