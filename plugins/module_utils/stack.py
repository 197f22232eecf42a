# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What another Compose project has that an instance can join: its networks, PostgreSQL, Redis, ClickHouse and object store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.compose import Container
from ansible_collections.llmops.langfuse.plugins.module_utils.containers import role_of
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

# Store → the role that its container has, and the port that it listens on.
STORES: Mapping[str, tuple[str, int]] = {
    "postgres": ("postgres", 5432),
    "redis": ("redis", 6379),
    "clickhouse": ("clickhouse", 8123),
    "s3": ("s3", 9000),
}
# What Docker has by itself: nobody else can join them with a name.
_NOT_JOINED = ("bridge", "host", "none")


def describe(project: str, found: Sequence[Container], chosen: Mapping[str, str]) -> dict[str, Any]:
    """``{project, networks, names, stores: {store: {service, host, port, network}}, ambiguous}``.

    ``chosen`` names the service of a store where it cannot be told by its image. Raises Failure for a project without
    containers, and for a service that it does not have.
    """
    if not found:
        raise Failure(
            "stack_missing",
            f"There is no Compose project {project} on this host, or it was never started.",
            "Start it, or correct langfuse_shared_project; `docker compose ls -a` shows all.",
        )
    stores: dict[str, Any] = {}
    ambiguous: dict[str, list[str]] = {}
    for store, (role, port) in STORES.items():
        services = _services(found, role, chosen.get(store, ""))
        if chosen.get(store) and not services:
            known = ", ".join(sorted({container.service for container in found}))
            raise Failure(
                "stack_service_missing",
                f"The Compose project {project} has no service {chosen[store]}.",
                f"Correct langfuse_shared_{store}_service; it has {known}.",
            )
        if len(services) == 1:
            stores[store] = _store(services[0], port)
        elif services:
            ambiguous[store] = sorted({container.service for container in services})
    return {
        "project": project,
        "networks": sorted({network for container in found for network in _networks(container)}),
        "names": sorted({name for container in found for name in _names(container)}),
        "stores": stores,
        "ambiguous": ambiguous,
    }


def _services(found: Sequence[Container], role: str, chosen: str) -> list[Container]:
    """One container of each service that fits, the running one first."""
    fitting = [one for one in found if (one.service == chosen if chosen else role_of(one.service, one.image) == role)]
    fitting.sort(key=lambda one: (one.service, one.state != "running"))
    return [one for number, one in enumerate(fitting) if not number or fitting[number - 1].service != one.service]


def _store(container: Container, port: int) -> dict[str, Any]:
    return {
        "service": container.service,
        "host": container.service,
        "port": port,
        "network": next(iter(_networks(container)), None),
    }


def _networks(container: Container) -> list[str]:
    return sorted(name for name in container.details["NetworkSettings"]["Networks"] or {} if name not in _NOT_JOINED)


def _names(container: Container) -> set[str]:
    """What others on its networks call it."""
    names = {container.service, container.name}
    for network in (container.details["NetworkSettings"]["Networks"] or {}).values():
        names.update(network.get("Aliases") or [])
    return names
