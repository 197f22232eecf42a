"""What `ansible-galaxy collection build` puts into the tarball that users install."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[tarfile.TarInfo]:
    output = tmp_path_factory.mktemp("tarball")
    command = ["ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(output)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = output.glob("llmops-langfuse-*.tar.gz")
    with tarfile.open(path) as tarball:
        return tarball.getmembers()


def test_it_has_what_users_need(members: list[tarfile.TarInfo]) -> None:
    names = {member.name for member in members}
    for name in (
        "README.md",
        "LICENSE",
        "meta/runtime.yml",
        "meta/execution-environment.yml",
        "requirements/controller.txt",
        "playbooks/site.yml",
        "roles/langfuse/meta/argument_specs.yml",
        "plugins/filter/derive.py",
        "plugins/plugin_utils/settings/environment_schema.json",
        "inventories/local/hosts.yml",
        "examples/ai-service/service.py",
        "docs/guides/senders.md",
    ):
        assert name in names


def test_it_has_no_tests_caches_secrets_or_links(members: list[tarfile.TarInfo]) -> None:
    unwanted = (
        "tests/",
        "molecule/",
        ".ci/",
        ".cache",
        "__pycache__",
        ".secrets",
        ".mypy_cache",
        ".ruff_cache",
        ".git",
    )
    assert not [member.name for member in members if any(word in member.name for word in unwanted)]
    assert not [member.name for member in members if member.issym() or member.islnk()]
