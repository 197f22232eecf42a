# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What another Compose project has that an instance can join: its networks, PostgreSQL, Redis, ClickHouse and object store."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.compose import Container
from ansible_collections.llmops.langfuse.plugins.module_utils.containers import DIRECTORY, role_of

# Store → the role that its container has, and the port that it listens on.
STORES: Mapping[str, tuple[str, int]] = {
    "postgres": ("postgres", 5432),
    "redis": ("redis", 6379),
    "clickhouse": ("clickhouse", 8123),
    "s3": ("s3", 9000),
}
# What Docker has by itself: nobody else can join them with a name.
_NOT_JOINED = ("bridge", "host", "none")


# What the instance used of the stack, in its own `compose.yaml`: JSON as one YAML text.
_KEPT = re.compile(r"^x-langfuse-stack: '(\{.*\})'$", re.MULTILINE)


def kept(compose_file: str, project: str) -> dict[str, Any]:
    """``{project, networks, stores}`` that the instance used when it was brought up, by the text of its ``compose.yaml``."""
    found = _KEPT.search(compose_file)
    try:
        record = json.loads(found.group(1).replace("''", "'")) if found else {}
    except ValueError:
        record = {}
    return dict(record) if record.get("project") == project else {"project": project, "networks": [], "stores": {}}


def missing(project: str, found: Sequence[Container], chosen: Mapping[str, str]) -> list[dict[str, str]]:
    """What is not there of the project, as ``{variable, wrong, cure}``: its containers, or a service that was named."""
    if not found:
        return [
            {
                "variable": "langfuse_shared_project",
                "wrong": f"there is no Compose project {project} on this host, or it is down",
                "cure": "Start it, or correct the name; `docker compose ls -a` shows all",
            }
        ]
    services = sorted({container.service for container in found})
    twice = [service for service in services if len(_directories(found, service)) > 1]
    if twice:
        return [
            {
                "variable": "langfuse_shared_project",
                "wrong": f"{project} is the name of two Compose projects, with {twice[0]} in "
                f"{' and in '.join(_directories(found, twice[0]))}, and which of them is meant is not known",
                "cure": "Give one of them a name of its own (name in its compose.yaml), and remove its old containers",
            }
        ]
    return [
        {
            "variable": f"langfuse_shared_{store}_service",
            "wrong": f"the Compose project {project} has no service {service}",
            "cure": f"Correct it; there are {', '.join(services)}",
        }
        for store, service in chosen.items()
        if service and service not in services
    ]


def _directories(found: Sequence[Container], service: str) -> list[str]:
    """Where the containers of the service were made from."""
    labels = [one.details["Config"].get("Labels") or {} for one in found if one.service == service]
    return sorted({one[DIRECTORY] for one in labels if DIRECTORY in one})


def describe(project: str, found: Sequence[Container], chosen: Mapping[str, str]) -> dict[str, Any]:
    """``{project, networks, names, stores: {store: {service, host, port, network, names}}, ambiguous}``.

    ``chosen`` names the service of a store where it cannot be told by its image.
    """
    stores: dict[str, Any] = {}
    ambiguous: dict[str, list[str]] = {}
    for store, (role, port) in STORES.items():
        services = _services(found, role, chosen.get(store, ""))
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
        "names": sorted(_names(container)),
    }


def _networks(container: Container) -> list[str]:
    return sorted(name for name in container.details["NetworkSettings"]["Networks"] or {} if name not in _NOT_JOINED)


def _names(container: Container) -> set[str]:
    """What others on its networks call it."""
    names = {container.service, container.name}
    for network in (container.details["NetworkSettings"]["Networks"] or {}).values():
        names.update(network.get("Aliases") or [])
    return names
