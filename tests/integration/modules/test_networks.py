"""Networks of others on a real engine: what is not there, and who has which name on what is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.modules.conftest import PREFIX, docker, image

pytestmark = pytest.mark.engine
NETWORK = f"{PREFIX}-joined"


@pytest.fixture
def neighbour() -> Iterator[str]:
    """Another instance's web, which was stopped."""
    reference = image("valkey/valkey")
    docker("network", "create", NETWORK)
    name, labels = f"{PREFIX}-neighbour", ("--label", "com.docker.compose.project=neighbour")
    alias = ("--network", NETWORK, "--network-alias", "langfuse-web")
    docker("create", "--name", name, *labels, *alias, reference, "sleep", "1")
    yield name
    docker("rm", "-f", "-v", name, check=False)
    docker("network", "rm", NETWORK, check=False)


def test_what_is_not_there_and_what_is_taken(collections: None, neighbour: str) -> None:
    from ansible_collections.llmops.langfuse.plugins.module_utils import networks

    wanted: Any = networks.Joined((NETWORK, f"{PREFIX}-nothing"), ("langfuse-web", "langfuse-worker"))
    found = networks.look("own", wanted)
    assert found == networks.Found((f"{PREFIX}-nothing",), {(NETWORK, "langfuse-web"): neighbour})
    assert networks.look("neighbour", wanted).taken == {}
