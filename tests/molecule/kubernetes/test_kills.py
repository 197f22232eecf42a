"""Each pod is killed while traces flow: what got a 2xx is readable afterwards."""

from __future__ import annotations

import time

import pytest

from tests.molecule.kubernetes import faults
from tests.molecule.kubernetes.instance import ClusterInstance
from tests.molecule.load import Load
from tests.molecule.test_kills import UNFLUSHED
from tests.molecule.traces import Bucket, Traces, replay
from tests.waiting import wait_until


@pytest.mark.parametrize("component", ["valkey", "clickhouse", "database", "seaweedfs", "web"])
def test_killed_pod_loses_nothing(cluster: ClusterInstance, component: str) -> None:
    with Load(cluster) as load:
        time.sleep(2)
        began = time.monotonic()
        faults.kill(cluster, component)
        took = time.monotonic() - began
        time.sleep(2)
    print(f"{component}: ready after {took:.1f} s, {load.summary()}")
    assert len(load.accepted) >= 10, load.summary()
    assert load.lost() == set()
    Traces(cluster).arrives(f"after-{component}")
    wait_until("the worker reaches its stores again", cluster.works, 120)


@pytest.mark.parametrize("component", ["valkey", "seaweedfs"])
def test_what_waits_in_a_killed_store_is_not_lost(cluster: ClusterInstance, component: str) -> None:
    """The job in Valkey, and the event that it names in the bucket."""
    traces = Traces(cluster)
    with faults.paused(cluster, "worker"):
        sent = [traces.send("waiting") for _number in range(20)]
        began = time.monotonic()
        faults.kill(cluster, component)
        print(f"{component}: ready after {time.monotonic() - began:.1f} s")
    assert {status for _trace, status in sent} == {200}
    assert traces.missing("waiting", [trace for trace, _status in sent], 60) == set()


def test_killed_worker_loses_at_most_what_it_had_not_flushed(cluster: ClusterInstance) -> None:
    with Load(cluster) as load:
        # Longer than what is excused, or the loss of all of it would be.
        time.sleep(UNFLUSHED + 3)
        at = faults.kill(cluster, "worker")
        time.sleep(2)
    lost = load.lost()
    print(f"worker: {load.summary()}, {len(lost)} unflushed")
    assert len(load.accepted) == len(load.sent), "web takes traces without a worker"
    excused = {one.trace_id for one in load.accepted if at - UNFLUSHED < one.accepted_at and one.began_at < at}
    assert lost <= excused
    if lost:
        replay(cluster, Bucket(cluster).keys_of(lost).values())
        assert load.lost() == set()
