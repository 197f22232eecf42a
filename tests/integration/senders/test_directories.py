"""Two Compose projects in directories of one name: only the one that is named is looked at, and never the other one's container."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench.catalogue import base_reference
from tests.integration.modules.stack import docker
from tests.integration.senders.conftest import PREFIX

pytestmark = pytest.mark.engine
NAME = f"{PREFIX}-same"
DOCUMENT = {
    "services": {"ai": {"image": base_reference(), "command": ["sleep", "infinity"], "stop_grace_period": "1s"}}
}


@pytest.fixture
def directories(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """The first one's service runs."""
    both = tmp_path / "a" / NAME, tmp_path / "b" / NAME
    for one in both:
        one.mkdir(parents=True)
        (one / "compose.yaml").write_text(json.dumps(DOCUMENT))
        (one / ".env").write_text("")
    docker("compose", "--project-directory", str(both[0]), "up", "-d")
    yield both
    docker("compose", "--project-directory", str(both[0]), "down", "-t", "1")


def test_the_other_ones_container_is_not_taken(run: Callable[..., Any], directories: tuple[Path, Path]) -> None:
    running, other = directories

    def look(directory: Path, service: str = "ai") -> dict[str, Any]:
        where = {"project_directory": str(directory), "service": service}
        found: dict[str, Any] = run("langfuse_consumer", env_path=str(directory / ".env"), state="absent", **where)
        return found

    assert look(running)["running"]
    refused = look(other)
    assert refused["code"] == "project_elsewhere", refused
    assert str(running) in refused["msg"] and str(other) in refused["msg"] and "project_directory" in refused["cure"]
