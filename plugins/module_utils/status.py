# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs of an instance, in a few lines. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# What is asked of an instance to say how it is. None of these writes anything.
HOPS = ("name", "port", "web", "database", "queue", "worker", "clickhouse", "gitops")
# What a hop that failed is, where it is nothing that runs.
_NOT = {"gitops": "NOT APPLIED"}
_SAID = {
    "web": "web",
    "worker": "worker",
    "database": "PostgreSQL",
    "queue": "queues",
    "clickhouse": "ClickHouse",
    "gitops": "Git",
}


def services(records: Sequence[Mapping[str, Any]], wanted: Mapping[str, int]) -> list[dict[str, Any]]:
    """``{service, ready, wanted, restarts, image, state}`` by service.

    records: containers or pods. wanted: service → number of pods, where it is known; else as many as there are.
    """
    names = sorted({*wanted, *(one["service"] for one in records if not one["oneoff"])})
    found = []
    for name in names:
        own = [one for one in records if one["service"] == name and not one["oneoff"]]
        ready = [one for one in own if one["state"] == "running" and one["health"] in ("", "healthy")]
        states = dict.fromkeys(_state(one) for one in own if one not in ready)
        found.append(
            {
                "service": name,
                "ready": len(ready),
                "wanted": wanted.get(name, len(own)),
                "restarts": sum(one["restarts"] for one in own),
                "image": ", ".join(dict.fromkeys(str(one["image"]) for one in own)),
                "state": ", ".join(map(str, states)),
            }
        )
    return found


def _state(one: Mapping[str, Any]) -> str:
    """What ended has the health of its last moment."""
    return str(one["health"] if one["state"] == "running" else one["state"])


def lines(
    found: Sequence[Mapping[str, Any]], hops: Sequence[Mapping[str, Any]], migrations: Sequence[Mapping[str, str]]
) -> list[str]:
    """For people: a line for each service, then what web, worker and the stores say of themselves."""
    rows = [
        (
            str(one["service"]),
            f"{one['ready']}/{one['wanted']}",
            str(one["image"] or "nothing runs"),
            ", ".join(filter(None, (one["state"], f"{one['restarts']} restarts" if one["restarts"] else ""))),
        )
        for one in found
    ]
    wide = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    told = ["  ".join(text.ljust(width) for text, width in zip(row, (*wide, 0))).rstrip() for row in rows]
    told = told or ["nothing of it runs here"]
    told += [f"migration: {one['name']} {one['state']}" for one in migrations]
    for hop in hops:
        if hop["name"] in _SAID and hop["status"] != "skipped":
            down = "" if hop["status"] in ("ok", "warning") else f"{_NOT.get(hop['name'], 'DOWN')}: "
            told.append(f"{_SAID[hop['name']]}: {down}{hop['detail']}")
    return told
