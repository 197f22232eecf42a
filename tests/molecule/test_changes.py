"""A changed setting restarts who reads it and nobody else, and the data stays readable."""

from __future__ import annotations

import pytest

from tests.molecule import playbook
from tests.molecule.instance import SERVICES, Instance, docker
from tests.molecule.traces import Traces

READERS = [
    ("langfuse_nextauth_secret", {"langfuse-web"}),
    ("langfuse_redis_password", {"valkey", "langfuse-web", "langfuse-worker"}),
    ("langfuse_clickhouse_password", {"clickhouse", "langfuse-web", "langfuse-worker"}),
]


def _changed(before: dict[str, set[str]], after: dict[str, set[str]]) -> set[str]:
    return {service for service in {*before, *after} if before.get(service) != after.get(service)}


@pytest.mark.parametrize(("name", "readers"), READERS, ids=[name for name, _readers in READERS])
def test_changed_secret_restarts_its_readers(life: Instance, name: str, readers: set[str]) -> None:
    traces = Traces(life)
    old = traces.arrives(f"before-{name}")
    ids, starts = life.container_ids(), life.ids()
    life.change_secret(name, f"changed-{life.secrets()[name]}")

    playbook.site(life)

    assert _changed(ids, life.container_ids()) == readers
    # Compose 2.26 stops those that depend on a recreated service, and starts them again.
    assert _changed(starts, life.ids()) - readers <= {"langfuse-worker"}
    traces.arrives(f"after-{name}")
    assert old in traces.readable(f"before-{name}")


def test_workers_scale_up_and_down(life: Instance) -> None:
    before = life.ids()

    playbook.site(life, variables={"langfuse_worker_replicas": 2})

    scaled = life.ids()
    assert len(scaled["langfuse-worker"]) == 2
    assert before["langfuse-worker"] < scaled["langfuse-worker"], "the first worker was restarted"
    assert _changed(before, scaled) == {"langfuse-worker"}
    assert {c.health for c in life.containers()} == {"healthy"}
    Traces(life).arrives("two-workers")
    assert playbook.check(life, {"langfuse_worker_replicas": 2}).changed == 0

    playbook.site(life)

    assert len(life.ids()["langfuse-worker"]) == 1
    assert _changed(scaled, life.ids()) == {"langfuse-worker"}
    Traces(life).arrives("one-worker")


def test_disabled_keeps_the_data(life: Instance) -> None:
    traces = Traces(life)
    old = traces.arrives("before-disabled")
    volumes = life.volumes()
    assert len(volumes) == 4

    off = {"langfuse_enabled": False}
    assert playbook.check(life, off).changed >= 1
    assert set(life.ids()) == set(SERVICES), "the check took containers away"
    playbook.site(life, variables=off)
    assert life.ids() == {}
    assert life.volumes() == volumes
    assert playbook.site(life, variables=off).changed == 0

    # From here on web takes the application's own time to stop.
    playbook.site(life, variables={"langfuse_compose_overrides": {}})
    assert set(life.ids()) == set(SERVICES)
    assert "STANDIN_DRAIN_SECONDS" not in docker("inspect", f"{life.name}-langfuse-web-1")
    assert old in traces.readable("before-disabled")
