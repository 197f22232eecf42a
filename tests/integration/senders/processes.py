"""Servers of the tests: started on a free port of loopback, waited for, ended."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def serving(command: list[str], log: Path, health: str, seconds: float, **environment: str) -> Iterator[None]:
    """Run a server until the block ends; its death or silence is a failure that shows its log."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with log.open("wb") as out:
        process = subprocess.Popen(command, env={**kept, **environment}, stdout=out, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + seconds
        while not answers(health):
            assert process.poll() is None, f"ended with {process.returncode}: {log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"silent for {seconds} s: {log.read_text()[-3000:]}"
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
