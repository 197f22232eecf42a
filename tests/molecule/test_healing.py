"""Web and worker that hang, and a host that starts its containers in any order, come back without help."""

from __future__ import annotations

import time

from tests.molecule import faults as harm
from tests.molecule.instance import SERVICES, STORES, Instance, docker
from tests.molecule.traces import Traces
from tests.waiting import wait_until

APPLICATION = ("langfuse-web", "langfuse-worker")
STUCK = 40  # langfuse_stuck_seconds
START = 120


def test_hung_web_and_worker_are_ended_by_their_own_checks(faults: Instance) -> None:
    before = {service: faults.container(service) for service in APPLICATION}
    traces = Traces(faults)
    for service in APPLICATION:
        harm.hang(faults, service)
    assert traces.send("hung", timeout=3)[1] == 0, "web answers while it hangs"
    began = time.monotonic()
    for service in APPLICATION:
        faults.wait_healthy([service], seconds=STUCK + START, since=before[service].started)
        after = faults.container(service)
        assert after.id == before[service].id, "another container, not a restart"
        assert after.details["RestartCount"] == before[service].details["RestartCount"] + 1
    took = time.monotonic() - began
    print(f"healthy again after {took:.0f} s")
    assert took > STUCK / 2, "ended before its time"
    traces.arrives("after-hang")


def test_any_order_of_start_after_a_power_cut(faults: Instance) -> None:
    """`depends_on` does not act when the host boots: web meets no PostgreSQL, answers 500 for ever, and heals."""
    names = {service: f"{faults.name}-{service}-1" for service in SERVICES}
    old = Traces(faults).arrives("before-power-cut")
    docker("kill", *names.values())
    docker("start", *(names[service] for service in APPLICATION))
    time.sleep(10)
    traces = Traces(faults)
    wait_until("web gave up its start", lambda: traces.send("too-early", timeout=10)[1] == 500, 120)
    web = faults.container("langfuse-web").started
    docker("start", *(names[service] for service in STORES))
    faults.wait_healthy(STORES)
    status = traces.send("too-early")[1]
    assert status == 500 or faults.container("langfuse-web").started > web, "web recovers by itself"
    faults.wait_healthy(SERVICES, seconds=STUCK + START)
    assert faults.container("langfuse-web").started > web, "web was stuck, and is healthy without a restart"
    traces.arrives("after-power-cut")
    assert old in traces.readable("before-power-cut")
