"""The instance for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.molecule.gitops.instance import GITOPS, GitopsInstance, programs


@pytest.fixture
def cluster() -> Iterator[GitopsInstance]:
    with programs():
        yield GITOPS
