# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory and processors: what each size means, and the least that each service starts with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .plan import Settings
from .sources import bundled_services

MIB = 1024**2
_UNITS = {"m": MIB, "g": 1024 * MIB}

# Service → MiB, by size.
_LIMITS: Mapping[str, Mapping[str, int]] = {
    "small": {
        "web": 2048,
        "worker": 1024,
        "postgres": 512,
        "clickhouse": 4096,
        "keeper": 512,
        "valkey": 512,
        "seaweedfs": 512,
    },
    "medium": {
        "web": 3072,
        "worker": 2048,
        "postgres": 2048,
        "clickhouse": 8192,
        "keeper": 1024,
        "valkey": 1024,
        "seaweedfs": 1024,
    },
    "large": {
        "web": 4096,
        "worker": 4096,
        "postgres": 4096,
        "clickhouse": 16384,
        "keeper": 2048,
        "valkey": 4096,
        "seaweedfs": 2048,
    },
}
# Node takes about half of the limit as heap and cannot start below the first two.
MINIMUM: Mapping[str, int] = {
    "web": 1536,
    "worker": 768,
    "postgres": 256,
    "clickhouse": 2048,
    "keeper": 256,
    "valkey": 128,
    "seaweedfs": 256,
}

# Service → thousandths of a processor that a node must have free for it, by size.
_REQUESTS: Mapping[str, Mapping[str, int]] = {
    "small": {
        "web": 200,
        "worker": 200,
        "postgres": 100,
        "clickhouse": 500,
        "keeper": 100,
        "valkey": 50,
        "seaweedfs": 50,
    },
    "medium": {
        "web": 500,
        "worker": 500,
        "postgres": 250,
        "clickhouse": 1000,
        "keeper": 250,
        "valkey": 100,
        "seaweedfs": 100,
    },
    "large": {
        "web": 1000,
        "worker": 1000,
        "postgres": 1000,
        "clickhouse": 4000,
        "keeper": 500,
        "valkey": 250,
        "seaweedfs": 250,
    },
}


def mebibytes(text: str) -> int | None:
    """`"2g"` → 2048; None where the text is no whole number of `m` or `g`."""
    match = re.fullmatch(r"(\d+)([mg])i?b?", text.strip().lower())
    return int(match[1]) * _UNITS[match[2]] // MIB if match else None


def memory(settings: Settings) -> dict[str, int]:
    """Memory limit of each service in MiB. Unreadable overrides fall back (a rule reports them)."""
    limits, services = _LIMITS[settings["langfuse_size"]], ("web", "worker", *bundled_services(settings))
    return {
        service: (mebibytes(str(settings[f"langfuse_{service}_memory"] or "")) or limit)
        for service, limit in limits.items()
        if service in services
    }


def total(settings: Settings) -> int:
    """Sum of the limits in MiB, every worker counted."""
    limits = memory(settings)
    return sum(limits.values()) + limits["worker"] * (int(settings["langfuse_worker_replicas"]) - 1)


def resources(settings: Settings, overrides: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, dict[str, str]]]:
    """Requests and limits of each service as pods have them, with what the user wants otherwise.

    Processors have no limit: it would slow down what the node has time for. A store gets all of its memory
    for itself; Node needs half of its limit but when it is busy.
    """
    found = {}
    for service, limit in memory(settings).items():
        request = limit // 2 if service in ("web", "worker") else limit
        cpu = _REQUESTS[settings["langfuse_size"]][service]
        given = overrides.get(service, {})
        found[service] = {
            "requests": {"cpu": f"{cpu}m", "memory": f"{request}Mi", **given.get("requests", {})},
            "limits": {"memory": f"{limit}Mi", **given.get("limits", {})},
        }
    return found
