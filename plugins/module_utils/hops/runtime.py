# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The containers of the project: all of them run, and none says that it is unhealthy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import (
    FAILED,
    OK,
    SKIPPED,
    Context,
    Finding,
)

States = Sequence[Mapping[str, Any]]
# A container that was started again more often than this will not come up by waiting.
_RESTARTS = 2
# Seconds for one that is unhealthy because of an outage that is over.
_UNHEALTHY = 30


def unsound(found: States) -> list[str]:
    """Containers that do not run or say that they are unhealthy, each as a sentence without its end."""
    told = []
    for item in found:
        if item["oneoff"] or _done(item):
            continue
        if item["state"] != "running":
            told.append(f"{item['name']} is {item['state']} (exit code {item['exit_code']})")
        elif item["health"] == "unhealthy":
            told.append(f"{item['name']} is unhealthy")
    return told


def _done(item: Mapping[str, Any]) -> bool:
    """A service that has ended well and is not meant to start again."""
    return bool(item["state"] == "exited" and not item["exit_code"] and item["restart_policy"] in ("", "no"))


def settled(found: States) -> bool:
    """Whether all run and none is still starting."""
    return not unsound(found) and not any(item["health"] == "starting" for item in found)


def lost(item: Mapping[str, Any]) -> bool:
    """Whether waiting for this container is in vain: it ended, starts again and again, or stays unhealthy."""
    if item["oneoff"]:
        return False
    if item["state"] not in ("running", "restarting", "created"):
        return True
    if item["restarts"] > _RESTARTS:
        return not (item["state"] == "running" and item["health"] in ("", "healthy"))
    return bool(item["health"] == "unhealthy" and item["unhealthy"] > _UNHEALTHY)


def hopeless(found: States, role: str) -> bool:
    """Whether no container of this role can come up any more. Unknown without a runtime, so False."""
    own = [item for item in found if item["role"] == role and not item["oneoff"]]
    return bool(found) and all(lost(item) for item in own)


def containers(ctx: Context) -> Finding:
    if not ctx.params["runtime"]:
        return Finding(SKIPPED, "no runtime given")
    found = ctx.states()
    if not found:
        return Finding(SKIPPED, "no containers of this project are seen here")
    if not settled(found):
        ctx.wait(
            lambda: settled(ctx.states()), lambda: any(lost(item) and not _done(item) for item in ctx.states()), 0.2
        )
        found = ctx.states()
    told = ctx.evidence["unsound"] = unsound(found)
    if told:
        return Finding(FAILED, "; ".join(told))
    starting = sum(item["health"] == "starting" for item in found)
    return Finding(OK, f"{len(found)} run" + (f", {starting} still starting" if starting else ", none is unhealthy"))
