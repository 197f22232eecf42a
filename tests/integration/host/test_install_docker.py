"""`langfuse_install_docker` on hosts without Docker: a fresh Debian 13, which gets it, and ones that cannot."""

from __future__ import annotations

import pytest

from tests.integration.host.machine import Machine

pytestmark = pytest.mark.engine

SITE = "llmops.langfuse.site"
INSTALL = {"langfuse_install_docker": True}
# Everything of `site` but the application: a host with an engine, and no images.
WITHOUT_CONTAINERS = {**INSTALL, "langfuse_enabled": False}
# Whose modules need a library of its own.
AZURE = {
    "langfuse_s3_source": "existing",
    "langfuse_s3_service": "azure",
    "langfuse_s3_endpoint": "https://canary.blob.invalid",
    "langfuse_s3_access_key": "canaryaccount",
    "langfuse_s3_secret_key": "Y2FuYXJ5LWF6dXJlLWtleS0x",
}
MISSING = "There is no Docker Engine with Compose on this host"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.lstrip("v").split("+")[0].split("-")[0].split("."))


def test_without_permission_everything_missing_is_named_at_once(trixie: Machine) -> None:
    refused = trixie.play(SITE, fails=True)
    refused.mentions(
        "Nothing was changed. Please mend:",
        f"{MISSING}. Install both, or set langfuse_install_docker: true.",
        "Python cannot make a virtual environment for the modules' libraries. Install the package python3-venv.",
    )
    assert not trixie.secrets_file.exists()


def test_check_on_a_fresh_host_predicts_and_installs_nothing(trixie: Machine) -> None:
    planned = trixie.play(SITE, "--check", "--diff", variables=INSTALL)
    planned.mentions(
        f"{MISSING}. It will be installed: docker.io, docker-cli, docker-compose, python3-venv.",
        "Would install docker.io, docker-cli, docker-compose, python3-venv",
    )
    assert "Predict the packages" in planned.changed_tasks
    assert "Make the project directory" in planned.changed_tasks
    assert "Write the Compose project" in planned.changed_tasks
    assert trixie.touched() == set()
    assert not trixie.secrets_file.exists()


def test_host_role_installs_engine_compose_and_libraries(trixie: Machine) -> None:
    done = trixie.play("prepare.yml", variables={**INSTALL, **AZURE})
    assert "Install from packages" in done.changed_tasks
    assert _version(trixie.run("docker", "version", "--format", "{{.Client.Version}}", check=False)) >= (25, 0)
    assert _version(trixie.run("docker", "compose", "version", "--short")) >= (2, 20)
    python = "/opt/langfuse/langfuse/.python/bin/python"
    libraries = "azure.storage.blob, botocore, passlib, psycopg, redis"
    assert trixie.run(python, "-c", f"import {libraries}, sys; print(sys.version_info[:2])") == "(3, 13)"


def test_with_its_engine_running_the_host_is_ready(trixie: Machine) -> None:
    trixie.start_engine()
    first = trixie.play(SITE, variables={**WITHOUT_CONTAINERS, **AZURE})
    assert MISSING not in first.output
    assert first.changed_tasks == ["Keep the generated secrets", "Write the Compose project"]
    assert trixie.play(SITE, variables={**WITHOUT_CONTAINERS, **AZURE}).changed_tasks == []


def test_an_object_store_that_does_not_answer_is_refused(trixie: Machine) -> None:
    refused = trixie.play("llmops.langfuse.provision", variables={**WITHOUT_CONTAINERS, **AZURE}, fails=True)
    refused.mentions("Azure Blob at https://", "does not answer", "Correct langfuse_s3_endpoint")


def test_debian_12_is_refused_in_one_sentence(bookworm: Machine) -> None:
    refused = bookworm.play(SITE, variables=INSTALL, fails=True)
    refused.mentions(
        f"{MISSING}, and the packages of Debian 12 have no Compose 2.20. Name an apt source with Docker's own packages "
        "in langfuse_docker_apt_repository, or install both by hand."
    )
    assert not bookworm.secrets_file.exists()
    assert bookworm.touched() == set()


def test_debian_12_takes_a_repository(bookworm: Machine) -> None:
    """Docker's own packages were not in reach: this one is empty, which apt says by the package's name."""
    bookworm.run("mkdir", "-p", "/srv/apt")
    bookworm.run("touch", "/srv/apt/Packages")
    line = "deb [trusted=yes] file:/srv/apt ./"
    given = {**INSTALL, "langfuse_docker_apt_repository": line}

    refused = bookworm.play("prepare.yml", variables=given, fails=True)

    refused.mentions("It will be installed: docker-ce, docker-ce-cli, docker-compose-plugin, python3-venv.")
    refused.mentions("No package matching 'docker-ce' is available")
    assert line in bookworm.run("cat", "/etc/apt/sources.list.d/langfuse-docker.list")


def test_another_distribution_is_refused(bookworm: Machine) -> None:
    bookworm.run("sh", "-c", "printf 'ID=rocky\\nVERSION_ID=10.0\\n' > /etc/os-release")
    refused = bookworm.play(SITE, variables=INSTALL, fails=True)
    refused.mentions(f"{MISSING}, and langfuse_install_docker knows Debian only, not rocky 10.0.", "by hand")
