"""One run of the bench at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.paths import Paths
from tests.bench.shell import say


@contextmanager
def only_one(paths: Paths) -> Iterator[None]:
    """Two `up` at once would start two engines: the second one waits."""
    with exclusive(paths.lock, "another run of the bench"):
        yield


@contextmanager
def exclusive(path: Path, holder: str) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"  ... wait for {holder}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
