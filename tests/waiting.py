"""Waiting for what happens by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_until(what: str, condition: Callable[[], Any], seconds: float = 20, pause: float = 0.2) -> Any:
    """The first true value of `condition`, within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(pause)


def wait(condition: Callable[[], Any], seconds: float = 120) -> None:
    """For what the line says that waits."""
    wait_until("it does not hold", condition, seconds)
