"""`site` and its proof where Python is not the controller's: each host gets the libraries that its Python can run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.host.machine import Machine, hosts, play
from tests.molecule.instance import PROJECT_LABEL, docker

pytestmark = pytest.mark.engine

SITE = "llmops.langfuse.site"
INSTANCE = "host-test"
PYTHON_LACKS = (
    "Python cannot make a virtual environment for the modules' libraries. It will be installed: python3-venv."
)


def _remove_instance(directory: Path) -> None:
    label = f"label={PROJECT_LABEL}={INSTANCE}"
    if containers := docker("ps", "-aq", "--filter", label).split():
        docker("rm", "--force", "--volumes", *containers)
    for kind in ("volume", "network"):
        if found := docker(kind, "ls", "-q", "--filter", label).split():
            docker(kind, "rm", *found)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory of the engine's host, for the project."""
    path = Path("/var/tmp/langfuse-host-test")
    _remove_instance(path)
    path.mkdir()
    yield path
    _remove_instance(path)


@pytest.fixture
def instance(directory: Path) -> dict[str, Any]:
    return {
        "langfuse_instance": INSTANCE,
        "langfuse_project_directory": str(directory / "project"),
        "langfuse_web_port": 3133,
        "langfuse_s3_port": 9193,
    }


@pytest.fixture
def debian_12(tmp_path: Path, directory: Path) -> Iterator[Machine]:
    """A host with Docker: the engine is the bench's."""
    socket = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    mounts = ("-v", f"{socket}:/var/run/docker.sock", "-v", f"{directory}:{directory}")
    machine = Machine("bookworm", tmp_path, "--network=host", *mounts)
    machine.install_client()
    yield machine
    machine.remove()


def test_site_proves_itself_on_debian_12(debian_12: Machine, instance: dict[str, Any], images: str) -> None:
    done = debian_12.play(SITE, f"--extra-vars=@{images}", variables={**instance, "langfuse_install_docker": True})
    done.mentions(PYTHON_LACKS, "trace ok", "read back equal")
    python = f"{instance['langfuse_project_directory']}/.python/bin/python"
    assert debian_12.run(python, "-c", "import sys; print(sys.version_info[:2])") == "(3, 11)"


def _interpreter(version: str) -> str:
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    program = str(found[-1]) if found else shutil.which(f"python{version}")
    if program is None:
        pytest.skip(f"no python{version} on this machine")
    return program


@pytest.mark.long
@pytest.mark.parametrize("version", ["3.9", "3.10"])
def test_site_proves_itself_on_an_older_python(
    version: str, tmp_path: Path, instance: dict[str, Any], images: str
) -> None:
    interpreter = {"ansible_connection": "local", "ansible_python_interpreter": _interpreter(version)}
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps(hosts("older", tmp_path / "secrets.yml", **interpreter)))

    done = play(inventory, SITE, f"--extra-vars=@{images}", variables=instance)

    done.mentions("trace ok", "read back equal")
    python = f"{instance['langfuse_project_directory']}/.python/bin/python"
    program = "import botocore, passlib, psycopg, redis, sys; print('.'.join(map(str, sys.version_info[:2])), botocore.__version__)"
    seen, library = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert seen == version
    assert library.startswith("1.42." if version == "3.9" else "1.44.")
    assert play(inventory, SITE, f"--extra-vars=@{images}", variables=instance).changed_tasks == []
