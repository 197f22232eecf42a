"""`site` and its proof on hosts whose Python is not the controller's: each gets the libraries that its Python can run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.host.machine import Machine
from tests.molecule.instance import PROJECT_LABEL, docker

pytestmark = pytest.mark.engine

SITE = "llmops.langfuse.site"
INSTANCE = "host-test"


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory of the engine's host, for the project."""
    path = Path("/var/tmp/langfuse-host-test")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    yield path
    for kind, words in (("ps", ("-aq",)), ("volume", ("ls", "-q")), ("network", ("ls", "-q"))):
        found = docker(kind, *words, "--filter", f"label={PROJECT_LABEL}={INSTANCE}").split()
        remove = ("rm", "--force", "--volumes") if kind == "ps" else (kind, "rm")
        if found:
            docker(*remove, *found)
    shutil.rmtree(path)


@pytest.fixture
def debian_12(tmp_path: Path, directory: Path) -> Iterator[Machine]:
    """A host with Docker: the engine is the bench's."""
    socket = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    mounts = ("-v", f"{socket}:/var/run/docker.sock", "-v", f"{directory}:{directory}")
    machine = Machine("bookworm", tmp_path, "--network=host", *mounts)
    machine.install_client()
    yield machine
    machine.remove()


def test_site_proves_itself_on_debian_12(debian_12: Machine, directory: Path, images: str) -> None:
    variables = {
        "langfuse_instance": INSTANCE,
        "langfuse_project_directory": str(directory / "project"),
        "langfuse_web_port": 3133,
        "langfuse_s3_port": 9193,
        "langfuse_install_docker": True,
    }
    first = debian_12.play(SITE, f"--extra-vars=@{images}", variables=variables)
    first.mentions(
        "Python cannot make a virtual environment for the modules' libraries. It will be installed: python3-venv."
    )
    assert (
        debian_12.run(f"{directory}/project/.python/bin/python", "-c", "import sys; print(sys.version_info[:2])")
        == "(3, 11)"
    )
    assert debian_12.play(SITE, f"--extra-vars=@{images}", variables=variables).changed_tasks == []
