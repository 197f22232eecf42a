"""The host loses its power and boots: the engine starts what ran, in any order, and the instance comes back."""

from __future__ import annotations

import pytest

from tests.bench import engine
from tests.bench.paths import find_paths
from tests.molecule import playbook
from tests.molecule.instance import SERVICES, Instance
from tests.molecule.traces import Traces

STUCK = 40  # langfuse_stuck_seconds
START = 120


def test_the_instance_comes_back_after_a_reboot(faults: Instance) -> None:
    paths = find_paths()
    if engine.own_pid(paths) is None:
        pytest.skip("the engine is not the bench's own, and others may use it")
    playbook.run(faults)
    traces = Traces(faults)
    old = traces.arrives("before-reboot")
    before = faults.container_ids()

    engine.crash(paths)
    engine.start(paths)

    took = faults.wait_healthy(SERVICES, seconds=STUCK + START)
    print(f"healthy {took:.0f} s after the engine was back")
    assert faults.container_ids() == before, "other containers than before"
    traces.arrives("after-reboot")
    assert old in traces.readable("before-reboot")
    assert playbook.site(faults).changed == 0
