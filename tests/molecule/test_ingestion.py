"""Losses provoked on purpose: the worker's unflushed buffer and its replay, and ClickHouse away for 8 s."""

from __future__ import annotations

import time

from tests.molecule import faults as harm
from tests.molecule import playbook
from tests.molecule.instance import Instance
from tests.molecule.load import Load
from tests.molecule.traces import Bucket, Traces, replay

AWAY = 8


def _provoke_loss(faults: Instance) -> tuple[str, set[str]]:
    """Kill the worker right after traces were accepted, until one is lost. Their common name, and the lost ids."""
    for attempt in range(12):
        name = f"unflushed-{attempt}"
        traces = Traces(faults)
        before = faults.container("langfuse-worker").started
        sent = {traces.send(name) for _ in range(5)}
        # Late enough for the worker to have some, and early enough for it not to have written them.
        time.sleep(0.15 * (attempt % 4 + 1))
        harm.crash(faults, "langfuse-worker")
        accepted = {trace_id for trace_id, status in sent if status == 200}
        assert accepted
        faults.wait_healthy(["langfuse-worker"], since=before)
        if lost := traces.missing(name, accepted, 5):
            return name, lost
    raise AssertionError("twelve kills within the flush interval lost nothing")


def test_lost_traces_are_in_the_bucket_and_come_back_by_replay(faults: Instance) -> None:
    name, lost = _provoke_loss(faults)
    keys = Bucket(faults).keys_of(lost)
    print(f"lost: {len(lost)}, with an object in the bucket: {len(keys)}")
    assert set(keys) == lost, "an accepted trace has no object"
    answered = replay(faults, keys.values())
    assert answered["queued"] == len(set(keys.values())), answered
    assert not answered["errors"]
    assert Traces(faults).missing(name, lost, 60) == set()


def _outage(faults: Instance) -> Load:
    with Load(faults) as load:
        time.sleep(1)
        harm.outage(faults, "clickhouse", AWAY)
        time.sleep(1)
    assert len(load.accepted) >= AWAY * 5 * 0.9, load.summary()
    return load


def test_clickhouse_away_loses_nothing(faults: Instance) -> None:
    load = _outage(faults)
    assert load.lost() == set()


def test_without_the_setting_the_same_outage_loses_rows(faults: Instance) -> None:
    """The application's own number of attempts: the test above sees the setting, not luck."""
    before = faults.ids()
    playbook.site(faults, variables={"langfuse_ingestion_clickhouse_max_attempts": 3})
    after = faults.ids()
    assert {name for name in after if after[name] != before[name]} == {"langfuse-worker"}
    try:
        load = _outage(faults)
        lost = load.lost(5)
        print(f"{load.summary()}, {len(lost)} lost with 3 attempts")
        assert lost
    finally:
        playbook.site(faults)
    replay(faults, Bucket(faults).keys_of(lost).values())
    assert load.lost() == set()
