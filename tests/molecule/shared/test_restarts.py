"""The stack restarts, the instance restarts: traces arrive again."""

from __future__ import annotations

from tests.molecule import playbook
from tests.molecule.instance import Instance, docker
from tests.molecule.shared import shop
from tests.molecule.traces import Traces

SERVICES = ("clickhouse", "seaweedfs", "langfuse-web", "langfuse-worker")


def test_after_a_restart_of_the_stack(shared: Instance) -> None:
    shop.compose("restart", "-t", "2", "pgsql", "redis")
    Traces(shared).arrives("after-the-stack", 120)
    assert "user shopfuse on" in shop.redis("acl", "list")


def test_after_the_stack_was_away(shared: Instance) -> None:
    """It is named as the cause; up again it has other containers, and maybe other addresses."""
    shop.compose("rm", "--stop", "--force", "pgsql", "redis")
    told = playbook.run(shared, "llmops.langfuse.diagnose", fails=True)
    told.mentions("The Compose project shop is down", "not running are pgsql, redis")
    shop.up()
    Traces(shared).arrives("after-another-stack", 120)


def test_after_a_restart_of_its_own(shared: Instance) -> None:
    names = [str(one.details["Name"]).lstrip("/") for one in shared.containers()]
    docker("restart", "-t", "5", *names)
    shared.wait_healthy(SERVICES)
    Traces(shared).arrives("after-its-own", 120)
