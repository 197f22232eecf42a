"""The node loses its power and boots: its pods come back by themselves, and so do the traces."""

from __future__ import annotations

from tests.bench.cluster import control_plane
from tests.bench.lock import only_one
from tests.molecule import playbook
from tests.molecule.kubernetes.instance import LAYOUT, ClusterInstance
from tests.molecule.traces import Traces
from tests.waiting import wait_until


def _restarts(cluster: ClusterInstance) -> dict[str, int]:
    """Name of a pod → how often its containers were started again."""
    return {
        pod["metadata"]["name"]: sum(each["restartCount"] for each in pod["status"].get("containerStatuses") or ())
        for pod in cluster.pods()
    }


def test_the_instance_comes_back_after_a_reboot(cluster: ClusterInstance) -> None:
    traces = Traces(cluster)
    old = traces.arrives("before-reboot")
    before = _restarts(cluster)

    with only_one(LAYOUT.paths):
        control_plane.reboot(LAYOUT)

    wait_until(
        "all containers were started again", lambda: all(_restarts(cluster).get(n, 0) > before[n] for n in before), 240
    )
    cluster.wait_ready(seconds=180)
    traces.arrives("after-reboot")
    wait_until("the worker reaches its stores again", cluster.works, 120)
    assert old in traces.readable("before-reboot")
    assert playbook.check(cluster).changed == 0
