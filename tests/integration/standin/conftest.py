"""A fresh stack for each file, so that none depends on what another left; skipped where the bench's images are missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = str(Path(__file__).resolve().parents[3])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

from tests.integration.standin.replay import NOT_COVERED  # noqa: E402
from tests.integration.standin.stack import Stack, missing_images  # noqa: E402


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    absent = missing_images()
    if absent:
        pytest.skip(f"no image of {', '.join(absent)}: python -m tests.bench up")
    running = Stack()
    try:
        running.up()
        yield running
    finally:
        running.down()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"stand-in: {len(NOT_COVERED)} recorded exchanges deliberately not covered")
    for (name, number), reason in sorted(NOT_COVERED.items()):
        terminalreporter.write_line(f"  {name}[{number}]: {reason}")
