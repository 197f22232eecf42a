"""Commands and steps: one line per long step, its time at the end, output kept for the error message."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class BenchError(Exception):
    """Something the person at the keyboard has to know; shown without a trace."""


_TAIL_LINES = 30
_print_lock = threading.Lock()


def say(message: str) -> None:
    with _print_lock:
        print(message, file=sys.stderr, flush=True)


@contextmanager
def step(title: str, times: dict[str, float] | None = None, key: str | None = None) -> Iterator[None]:
    """Announce a long step, say how long it took, and keep the seconds in `times[key]`."""
    say(f"  ... {title}")
    started = time.monotonic()
    try:
        yield
    except BaseException:
        say(f"  !!! {title}: failed after {time.monotonic() - started:.1f} s")
        raise
    seconds = time.monotonic() - started
    if times is not None:
        times[key or title] = round(seconds, 1)
    say(f"  ok  {title}: {seconds:.1f} s")


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
) -> str:
    """Run and return stdout; on failure raise BenchError with the last lines of the output."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            check=False,
            env=env,
            cwd=cwd,
            input=stdin,
            timeout=timeout,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        lacking = f"{words[0]} is not installed" if cwd is None or cwd.is_dir() else f"{cwd} is not there"
        raise BenchError(lacking) from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"no answer within {timeout:g} s: {' '.join(words)}") from error
    if log is not None:
        with log.open("a") as stream:
            stream.write(f"$ {' '.join(words)}\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_TAIL_LINES:])
        raise BenchError(f"exit {done.returncode}: {' '.join(words)}\n{tail}")
    return done.stdout


def succeeds(command: Sequence[str | Path], timeout: float = 20) -> bool:
    try:
        run(command, timeout=timeout)
    except BenchError:
        return False
    return True
