"""How a test does harm to a container, and waits for the healing."""

from __future__ import annotations

import os
import signal
import time

from tests.molecule.instance import Instance, docker


def crash(instance: Instance, service: str) -> float:
    """End the container's first process as the kernel would. The restart policy acts, unlike after `docker kill`.

    Returns when, in seconds since the epoch.
    """
    pid = instance.container(service).pid
    os.kill(pid, signal.SIGKILL)
    return time.time()


def hang(instance: Instance, service: str) -> None:
    """Stop the main program below the container's init, without ending it."""
    os.kill(instance.container(service).child_pid(), signal.SIGSTOP)


def outage(instance: Instance, service: str, seconds: float) -> None:
    """Kill a container, leave it down for that long, start it and wait until it is healthy."""
    name = f"{instance.name}-{service}-1"
    docker("kill", name)
    time.sleep(seconds)
    before = instance.container(service).started
    docker("start", name)
    instance.wait_healthy([service], since=before)
