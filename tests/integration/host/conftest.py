"""A fresh Debian 13 and a fresh Debian 12; they are gone when a module is over."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = str(Path(__file__).resolve().parents[3])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

from tests.bench.engine import find_engine  # noqa: E402
from tests.bench.paths import find_paths  # noqa: E402
from tests.integration.host.machine import Machine  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def bench() -> None:
    if find_engine(find_paths()) is None:
        pytest.skip("no engine answers: python -m tests.bench up")


@pytest.fixture(scope="session")
def images() -> str:
    """The file of variables that points a playbook at the bench's images."""
    path = find_paths().variables
    if not path.exists():
        pytest.skip("images of the bench are missing: python -m tests.bench up")
    return str(path)


@pytest.fixture(scope="module")
def trixie(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine("trixie", tmp_path_factory.mktemp("trixie"))
    yield machine
    machine.remove()


@pytest.fixture(scope="module")
def bookworm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine("bookworm", tmp_path_factory.mktemp("bookworm"))
    yield machine
    machine.remove()
