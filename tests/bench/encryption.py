"""SOPS and age for the tests: compiled from Go modules once, and kept in the cache. `python -m tests.bench.encryption` makes them."""

from __future__ import annotations

from pathlib import Path

from tests.bench.cluster import programs
from tests.bench.cluster.layout import Layout
from tests.bench.paths import find_paths

_PROGRAMS = (programs.SOPS, programs.AGE)


def folders() -> list[Path]:
    """Where they are; empty while one is not compiled."""
    layout = Layout(find_paths())
    found = [programs.folder(layout, program) for program in _PROGRAMS]
    return found if all(folder.exists() for folder in found) else []


def ensure() -> list[Path]:
    layout = Layout(find_paths())
    layout.tools.mkdir(parents=True, exist_ok=True)
    return [programs.ensure(layout, program, {}) for program in _PROGRAMS]


if __name__ == "__main__":
    print(*ensure(), sep="\n")
