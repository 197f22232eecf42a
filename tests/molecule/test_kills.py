"""Each container is killed while traces flow: what got a 2xx is readable afterwards."""

from __future__ import annotations

import time

import pytest

from tests.molecule import faults as harm
from tests.molecule.instance import Instance
from tests.molecule.load import Load
from tests.molecule.traces import Bucket, replay

# The worker has acknowledged jobs whose rows it still holds in memory: at most its flush interval
# of 1 s, and an insert on its way.
UNFLUSHED = 2.5


@pytest.mark.parametrize("service", ["valkey", "clickhouse", "postgres", "seaweedfs", "langfuse-web"])
def test_killed_service_loses_nothing(faults: Instance, service: str) -> None:
    before = faults.container(service).started
    with Load(faults) as load:
        time.sleep(2)
        harm.crash(faults, service)
        took = faults.wait_healthy([service], since=before)
        time.sleep(2)
    print(f"{service}: healthy after {took:.1f} s, {load.summary()}")
    assert len(load.accepted) >= 10, load.summary()
    assert load.lost() == set()


def test_killed_worker_loses_at_most_what_it_had_not_flushed(faults: Instance) -> None:
    before = faults.container("langfuse-worker").started
    with Load(faults) as load:
        # Longer than what is excused, or nothing would be left to lose.
        time.sleep(2 * UNFLUSHED)
        at = harm.crash(faults, "langfuse-worker")
        took = faults.wait_healthy(["langfuse-worker"], since=before)
        time.sleep(2)
    lost = load.lost()
    print(f"worker: healthy after {took:.1f} s, {load.summary()}, {len(lost)} unflushed")
    assert len(load.accepted) == len(load.sent), "web takes traces without a worker"
    excused = {one.trace_id for one in load.accepted if at - UNFLUSHED < one.accepted_at and one.began_at < at}
    assert len(excused) < len(load.accepted)
    assert lost <= excused
    if lost:
        replay(faults, Bucket(faults).keys_of(lost).values())
        assert load.lost() == set()
