"""The instance for the tests of this folder."""

from __future__ import annotations

import pytest

from tests.molecule.kubernetes.instance import CLUSTER, ClusterInstance


@pytest.fixture
def cluster() -> ClusterInstance:
    return CLUSTER
