"""Pairs of age, and SOPS on the PATH."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

_ROOT = str(Path(__file__).resolve().parents[3])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

from tests.bench import encryption  # noqa: E402
from tests.integration.gitops import checkout  # noqa: E402
from tests.integration.gitops.checkout import Repository  # noqa: E402
from tests.integration.gitops.site import Site  # noqa: E402


@dataclass(frozen=True)
class Pair:
    """A recipient, and the file with its identity."""

    recipient: str
    file: Path


@pytest.fixture(scope="session", autouse=True)
def programs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """SOPS and age are there, and nothing of the person who runs the tests opens anything."""
    folders = encryption.folders()
    if not folders:
        pytest.skip("SOPS is not compiled: python -m tests.bench.encryption")
    os.environ["PATH"] = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    home = tmp_path_factory.mktemp("home")
    os.environ |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
    for name in [name for name in os.environ if name.startswith("SOPS_")]:
        del os.environ[name]


@pytest.fixture
def pair(tmp_path: Path) -> Callable[[str], Pair]:
    def make(name: str) -> Pair:
        file = tmp_path / f"{name}.txt"
        subprocess.run(["age-keygen", "-o", file], check=True, capture_output=True)
        done = subprocess.run(["age-keygen", "-y", file], check=True, capture_output=True, text=True)
        return Pair(done.stdout.strip(), file)

    return make


@pytest.fixture
def mine(pair: Callable[[str], Pair]) -> Pair:
    return pair("mine")


@pytest.fixture
def other(pair: Callable[[str], Pair]) -> Pair:
    return pair("other")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return checkout.make(tmp_path / "cluster")


@pytest.fixture
def runs(repository: Repository, mine: Pair) -> checkout.Runs:
    return checkout.Runs(repository, [mine.recipient], mine.file)


@pytest.fixture
def site(tmp_path: Path, repository: Repository, mine: Pair) -> Site:
    return Site(tmp_path, repository, mine.recipient, mine.file)
