# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker networks of others that an instance joins. `look` looks, `findings` judges (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import compose
from ansible_collections.llmops.langfuse.plugins.module_utils.containers import PROJECT
from ansible_collections.llmops.langfuse.plugins.module_utils.finding import finding


@dataclass(frozen=True)
class Joined:
    """What the instance joins: `networks`.

    application: names that others find it by there. stores: names that it must find on its own network.
    """

    networks: Sequence[str] = ()
    application: Sequence[str] = ()
    stores: Sequence[str] = ()


@dataclass(frozen=True)
class Found:
    """Which of the networks are `missing`, and which names have others there: (network, name) → container."""

    missing: tuple[str, ...] = ()
    taken: Mapping[tuple[str, str], str] = field(default_factory=dict)


def look(project: str, wanted: Joined) -> Found:
    """Look at the networks; containers of the `project` itself are no others. Raises Failure."""
    if not wanted.networks:
        return Found()
    _status, output, _errors = compose.docker("network", "ls", "--format", "{{.Name}}")
    there = [name for name in wanted.networks if name in output.split()]
    filters = [word for name in there for word in ("--filter", f"network={name}")]
    identifiers = compose.docker("ps", "--all", "--quiet", "--no-trunc", *filters)[1].split() if there else []
    inspected = json.loads(compose.docker("inspect", *identifiers)[1] or "[]") if identifiers else []
    missing = tuple(name for name in wanted.networks if name not in there)
    return Found(missing, taken(inspected, project, wanted))


def taken(inspected: Sequence[Mapping[str, Any]], project: str, wanted: Joined) -> dict[tuple[str, str], str]:
    """(network, name) → container of another project that is called so there, running or not. Pure."""
    found: dict[tuple[str, str], str] = {}
    for details in inspected:
        if (details["Config"].get("Labels") or {}).get(PROJECT) == project:
            continue
        container = details["Name"].lstrip("/")
        for network, settings in (details["NetworkSettings"]["Networks"] or {}).items():
            for name in {container, *(settings.get("Aliases") or [])}.intersection(
                [*wanted.application, *wanted.stores]
            ):
                if network in wanted.networks:
                    found.setdefault((network, name), container)
    return found


def findings(wanted: Joined, found: Found) -> list[dict[str, str]]:
    """What stands in the way."""
    missing = [
        finding(
            "network_missing",
            f"There is no Docker network {name} on this host, which langfuse_compose_networks names",
            "Start the stack that it is part of, or correct the name: `docker network ls` shows all, Compose's as <project>_<network>",
        )
        for name in found.missing
    ]
    return missing + [
        finding(
            "name_taken",
            f"On the network {network} the name {name} is the container {container} of somebody else, and which of two answers is chance",
            "Give the stores that both use a network of this instance's own (external, in their Compose file) and name that one in "
            "langfuse_compose_networks and them in langfuse_<store>_host, without langfuse_shared_project"
            if name in wanted.application
            else "Rename it there, or use it: the store's langfuse_*_source: existing",
        )
        for (network, name), container in sorted(found.taken.items())
    ]
