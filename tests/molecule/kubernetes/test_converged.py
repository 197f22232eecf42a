"""A converged cluster: a second run changes nothing at all, and the check says so."""

from __future__ import annotations

from tests.molecule import playbook
from tests.molecule.kubernetes.instance import ClusterInstance
from tests.molecule.traces import Traces


def test_a_trace_comes_back_through_the_address_of_the_service(cluster: ClusterInstance) -> None:
    Traces(cluster).arrives("first")


def test_second_run_moves_nothing(cluster: ClusterInstance) -> None:
    before, pods = cluster.settled(), cluster.uids()
    again = playbook.run(cluster)
    assert again.changed == 0, again.changed_tasks
    assert cluster.versions() == before
    assert cluster.uids() == pods


def test_check_says_that_nothing_would_change(cluster: ClusterInstance) -> None:
    before = cluster.settled()
    checked = playbook.check(cluster)
    assert checked.changed == 0, checked.changed_tasks
    assert cluster.versions() == before
