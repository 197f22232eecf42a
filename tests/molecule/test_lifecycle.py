"""Taken down and brought back: the data stays until its instance is named."""

from __future__ import annotations

import time

from tests.molecule import playbook, snapshot
from tests.molecule.instance import SERVICES, Instance, docker
from tests.molecule.traces import Traces

TEARDOWN = "llmops.langfuse.teardown"
DRAIN = 110  # of a web that nobody hurries, in seconds


def test_teardown_keeps_the_data_and_site_brings_it_back(life: Instance) -> None:
    traces = Traces(life)
    old = traces.arrives("before-teardown")
    secrets, volumes = life.secrets(), life.volumes()
    files = snapshot.files(life.directory)

    predicted = playbook.run(life, TEARDOWN, "--check")
    assert predicted.changed >= 1
    assert set(life.ids()) == set(SERVICES), "the check took containers away"

    began = time.monotonic()
    playbook.run(life, TEARDOWN)
    took = time.monotonic() - began

    assert DRAIN < took < DRAIN + 180, "web was not given its time to drain"
    assert life.ids() == {} and not life.networks()
    assert life.volumes() == volumes
    assert snapshot.files(life.directory) == files
    assert life.secrets() == secrets
    assert playbook.run(life, TEARDOWN).changed == 0

    playbook.run(life, variables={"langfuse_compose_overrides": {}})

    assert old in traces.readable("before-teardown")
    traces.arrives("after-teardown")


def test_another_name_does_not_remove_data(life: Instance) -> None:
    before = snapshot.host(life)
    refused = playbook.run(life, TEARDOWN, variables={"langfuse_teardown_data": "langfuse"}, fails=True)
    refused.mentions("langfuse_teardown_data: is not the name of this instance")
    snapshot.assert_same(before, snapshot.host(life))


def test_teardown_with_the_name_removes_everything(life: Instance) -> None:
    """Also when its containers have crashed, which spares web's drain a second time."""
    docker("kill", *(f"{life.name}-{service}-1" for service in SERVICES))
    confirmed = {"langfuse_teardown_data": life.name}
    before = snapshot.host(life)
    assert playbook.run(life, TEARDOWN, "--check", variables=confirmed).changed >= 2
    snapshot.assert_same(before, snapshot.host(life))

    playbook.run(life, TEARDOWN, variables=confirmed)

    snapshot.everything_gone(life)
    assert life.secrets() == {}
    assert playbook.run(life, TEARDOWN, variables=confirmed).changed == 0
