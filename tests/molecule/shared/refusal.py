"""A run that must not happen: its message, and nothing half made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.molecule import canary, playbook
from tests.molecule.instance import Instance
from tests.molecule.shared import shop


def untouched() -> dict[str, Any]:
    """What a run could make in the stores of the stack."""
    return {
        "roles": shop.sql("SELECT rolname FROM pg_roles WHERE rolname = 'langfuse'"),
        "databases": shop.sql("SELECT datname FROM pg_database ORDER BY 1"),
        "users": shop.redis("acl", "users"),
        "keys": shop.redis("dbsize"),
    }


def refused(
    instance: Instance,
    variables: dict[str, Any],
    *said: str,
    more: Callable[[], dict[str, Any]] = dict,
) -> None:
    """``more`` looks into stores beside those of the stack."""
    before = {**untouched(), **more()}
    run = playbook.site(instance, variables=variables, fails=True)
    run.mentions(*said)
    assert {**untouched(), **more()} == before
    assert not instance.containers() and not instance.volumes()
    assert not (instance.directory / "compose.yaml").exists()
    assert instance.secrets() == {}, "secrets were kept for an instance that is not there"
    assert not canary.HOSTS.found_in(run.output)
