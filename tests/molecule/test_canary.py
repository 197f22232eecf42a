"""A recognisable value in every secret: none shows in output, process list, labels, commands or readable files."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.molecule import canary, playbook
from tests.molecule.instance import Instance, docker
from tests.molecule.traces import Traces


def test_every_secret_of_the_contract_has_a_canary() -> None:
    assert canary.secret_names() == set(canary.EVERY)


def test_the_watch_sees_a_secret_on_a_command_line() -> None:
    with canary.HOSTS.watched_processes() as processes:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(1)", "Canary00"], check=True)
    assert any("Canary00" in line for line in processes)


def test_first_run_shows_no_secret_and_works(faults: Instance) -> None:
    canary.HOSTS.plant(faults)
    with canary.HOSTS.watched_processes() as processes:
        done = playbook.run(faults, "llmops.langfuse.site", *playbook.LOUD)
    assert len(done.output) > 50_000, "not loud enough to mean anything"
    canary.assert_hidden(faults, done.output, processes)
    inside = faults.container("langfuse-web").details["Config"]["Env"]
    assert f"SALT={canary.VALUES['langfuse_salt']}" in inside, "a value was changed on its way"
    Traces(faults).arrives("canary")


BROKEN: list[tuple[str, str, dict[str, Any]]] = [
    (
        "image-missing",
        "valkey",
        {"langfuse_valkey_version": "8.1.99", "langfuse_image_pull": "missing"},
    ),
    (
        "migration-fails",
        "clickhouse",
        {"services": {"clickhouse": {"entrypoint": ["sleep", "600"], "healthcheck": {"test": ["CMD", "true"]}}}},
    ),
    (
        "web-unhealthy",
        "langfuse-web",
        {
            "services": {
                "langfuse-web": {
                    "environment": {"NEXTAUTH_URL": "nonsense"},
                    "healthcheck": {"start_period": "1s", "interval": "2s"},
                }
            }
        },
    ),
]


@pytest.mark.parametrize(("service", "broken"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_broken_run_shows_no_secret(faults: Instance, service: str, broken: dict[str, Any]) -> None:
    if service == "langfuse-web":
        docker("kill", f"{faults.name}-langfuse-web-1")  # a web that runs would drain first
    variables = {"langfuse_compose_overrides": broken} if "services" in broken else broken
    # The last run was good, so the migration has its record; it would not look for ClickHouse otherwise.
    (faults.directory / ".migration.json").unlink(missing_ok=True)
    with canary.HOSTS.watched_processes() as processes:
        done = playbook.site(faults, *playbook.LOUD, variables=variables, fails=True)
    done.mentions(service)
    canary.assert_hidden(faults, done.output, processes)


def test_the_next_run_repairs_it(faults: Instance) -> None:
    with canary.HOSTS.watched_processes() as processes:
        done = playbook.run(faults, "llmops.langfuse.site", *playbook.LOUD)
    canary.assert_hidden(faults, done.output, processes)
    Traces(faults).arrives("canary-repaired")
