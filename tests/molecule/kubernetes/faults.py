"""How a test does harm to a pod, and waits for the healing."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.cluster.api import Object
from tests.molecule.kubernetes.instance import ClusterInstance, api, containers_of


def kill(cluster: ClusterInstance, component: str) -> float:
    """End every process of the pod as the kernel would, and the pod with them: another one takes its place.

    Returns when, in seconds since the epoch; the new pod is ready by then.
    """
    pod = cluster.pod(component)
    at = end(cluster, pod)
    cluster.wait_ready([component], 180, {pod["metadata"]["uid"]})
    return at


def end(cluster: ClusterInstance, pod: Object) -> float:
    """The same without the wait."""
    pids = processes_of(containers_of(pod))
    assert pids, f"no process of {pod['metadata']['name']} is on this machine"
    for pid in pids:
        # Some end with those before them.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    at = time.time()
    # Nothing of it runs, so that nobody else has its volume.
    api().delete(cluster.path("pods", pod["metadata"]["name"]), 0)
    return at


@contextlib.contextmanager
def paused(cluster: ClusterInstance, component: str) -> Iterator[None]:
    """Within it the pod's processes stand still, shorter than what `langfuse_stuck_seconds` takes for the end of them."""
    pids = processes_of(containers_of(cluster.pod(component)))
    assert pids, f"no process of {component} is on this machine"
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def processes_of(containers: Sequence[str]) -> list[int]:
    """Ids of all processes whose control group is that of one of these containers."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            text = path.read_text()
        except OSError:
            continue
        if any(word in text for word in containers):
            found.append(int(path.parent.name))
    return found
