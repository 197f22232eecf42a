# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Job of the migration: made, waited for, left alone, or made anew. Pure.

Its name holds a fingerprint of what goes into it, so a Job of the same name is the same migration. A migration that was
cut off leaves a schema that a human has to look at, so one that runs is never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .objects import Object, identity_of

CREATE, WAIT, DONE, REPLACE, BUSY = "create", "wait", "done", "replace", "busy"


class Decision(NamedTuple):
    """``action``: make it, wait for it, it is done, remove and make it, or wait for another one first."""

    action: str
    why: str


def _condition(job: Object, name: str) -> Mapping[str, Any] | None:
    for one in (job.get("status") or {}).get("conditions") or ():
        if one.get("type") == name and one.get("status") == "True":
            found: Mapping[str, Any] = one
            return found
    return None


def succeeded(job: Object) -> bool:
    return _condition(job, "Complete") is not None


def failed(job: Object) -> str | None:
    """Why it failed; None where it did not."""
    condition = _condition(job, "Failed") or _condition(job, "FailureTarget")
    return None if condition is None else str(condition.get("message") or condition.get("reason") or "without a word")


def is_running(job: Object) -> bool:
    """Whether a pod of it works. One that waits for its image or a node has not begun."""
    status = job.get("status") or {}
    if succeeded(job) or failed(job) is not None:
        return False
    # Older servers do not tell how many are ready; then an active one is taken for working.
    return bool(status.get("ready", status.get("active", 0)))


def decide(wanted: Object, live: Object | None, others: Iterable[Object], same: bool) -> Decision:
    """wanted: the Job. live: the one of its name. others: further Jobs of migrations. same: whether the live one is as wanted.

    A Job cannot be changed, so `same` is whether the server took the dry run.
    """
    busy = [str(identity_of(one)) for one in others if identity_of(one) != identity_of(wanted) and is_running(one)]
    if busy:
        return Decision(BUSY, f"{busy[0]}, another migration, is running")
    if live is None:
        return Decision(CREATE, "has not run yet")
    if live["metadata"].get("deletionTimestamp"):
        return Decision(REPLACE, "is being removed")
    if succeeded(live):
        return Decision(DONE, "has run with the same input")
    if (why := failed(live)) is not None:
        return Decision(REPLACE, f"failed: {why}")
    if is_running(live):
        return Decision(WAIT, "is running")
    if not same:
        return Decision(REPLACE, "has not begun, and is made differently now")
    return Decision(WAIT, "has not begun")
