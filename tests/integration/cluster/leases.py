"""Namespaces whose names are given, and which tests in other processes use at the same time."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from tests.bench.cluster.api import Api
from tests.waiting import wait_until


@contextlib.contextmanager
def leased(api: Api, folder: Path, *names: str) -> Iterator[None]:
    """With these namespaces. Whoever is the last to use one that a test made removes it; what was there before stays.

    ``folder`` is the same for all of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(_held(api, folder / name, name))
        for name in names:
            # Pods are refused before it is there.
            api.wait(f"{_path(name)}/serviceaccounts/default", bool, f"service account of {name}")
        yield


def _path(name: str) -> str:
    return f"/api/v1/namespaces/{name}"


@contextlib.contextmanager
def _held(api: Api, path: Path, name: str) -> Iterator[None]:
    with path.open("a+") as lease:
        # Waits for nobody but who is removing it.
        fcntl.flock(lease, fcntl.LOCK_SH)
        _make(api, lease, name)
        try:
            yield
        finally:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.stat().st_size:
                    api.delete(_path(name))
                    lease.truncate(0)


def _make(api: Api, lease: TextIO, name: str) -> None:
    """Unless it is there; one that is still going is waited for."""
    found = api.find(_path(name))
    if found and "deletionTimestamp" in found["metadata"]:
        wait_until(f"the old namespace {name} is gone", lambda: api.find(_path(name)) is None, 180)
        found = None
    if found is None:
        # Before it is there, so that it never looks like somebody else's.
        lease.write("made by a test\n")
        lease.flush()
        api.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
