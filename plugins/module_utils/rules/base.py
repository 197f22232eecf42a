# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rule, and the view of the evidence that its condition looks at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

ERROR, WARNING = "error", "warning"
# Log lines older than this explain nothing that is wrong now.
RECENT = 900.0


class Evidence:
    """Read-only access to what the hops and the container runtime saw. Absent subjects are empty."""

    def __init__(self, hops: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> None:
        self._status = {hop["name"]: hop["status"] for hop in hops}
        self._detail = {hop["name"]: str(hop.get("detail", "")) for hop in hops}
        self._facts = facts

    def of(self, subject: str) -> Mapping[str, Any]:
        found = self._facts.get(subject)
        return found if isinstance(found, Mapping) else {}

    def rows(self, subject: str) -> Sequence[Mapping[str, Any]]:
        found = self._facts.get(subject)
        return found if isinstance(found, list) else []

    def lines(self, subject: str) -> Sequence[str]:
        found = self._facts.get(subject)
        return found if isinstance(found, list) else []

    def text(self, subject: str) -> str:
        found = self._facts.get(subject)
        return found if isinstance(found, str) else ""

    def failed(self, *hops: str) -> bool:
        return any(self._status.get(hop) == "failed" for hop in hops)

    def only(self, hop: str) -> bool:
        """Whether this hop failed and no other of Langfuse itself did."""
        return [name for name, status in self._status.items() if status == "failed" and name != "consumers"] == [hop]

    def ok(self, hop: str) -> bool:
        return self._status.get(hop) in ("ok", "warning")

    def detail(self, hop: str) -> str:
        return self._detail.get(hop, "")

    def containers(self, role: str) -> Iterator[Mapping[str, Any]]:
        return (item for item in self.rows("containers") if item["role"] == role and not item.get("oneoff"))

    def log(self, pattern: str, *roles: str, age: float = RECENT) -> re.Match[str] | None:
        """The newest line of a role's containers that holds ``pattern`` (all roles without any), not older than ``age``."""
        expression = re.compile(pattern)
        best: tuple[float, re.Match[str]] | None = None
        for item in self.rows("containers"):
            if roles and item["role"] not in roles:
                continue
            for line in item["log"]:
                if line["age"] > age or (best is not None and line["age"] > best[0]):
                    continue
                match = expression.search(line["text"])
                if match is not None:
                    best = (line["age"], match)
        return best[1] if best is not None else None


Found = Mapping[str, Any]


class Rule(NamedTuple):
    """``when`` gives None, or the values for the texts: ``seen`` is the evidence, the others stand in braces.

    A warning becomes an error when one of the hops ``serious`` failed. ``unless`` names rules that say the same better:
    where one of them stands before, this one is silent. ``from_git`` is the cure where others apply what ``site`` writes.
    """

    code: str
    hop: str
    when: Callable[[Evidence], Found | None]
    cause: str
    cure: str
    severity: str = ERROR
    serious: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    from_git: str = ""

    def severity_for(self, evidence: Evidence) -> str:
        if self.severity == WARNING and self.serious and evidence.failed(*self.serious):
            return ERROR
        return self.severity


def line(match: re.Match[str] | None, **values: str) -> Found | None:
    """A log match as values: the whole line as ``seen``, its named groups, and what else is given."""
    if match is None:
        return None
    groups = {key: value for key, value in match.groupdict().items() if value is not None}
    return {"seen": " ".join(match.string.split())[:300], **groups, **values}


_DESCRIBE = "Look at its events with kubectl describe"


def about(subject: str, *codes: str) -> Callable[[Evidence], Found | None]:
    """The condition of a rule on all rows ``{object, code, what, cure}`` of a subject with one of these codes, told together."""

    def when(e: Evidence) -> Found | None:
        rows = [row for row in e.rows(subject) if row["code"] in codes]
        if not rows:
            return None
        cures = dict.fromkeys(row["cure"] for row in rows if row["cure"])
        return {
            "what": "; ".join(dict.fromkeys(row["what"] for row in rows)),
            "cure": ". ".join(cures)
            or (_DESCRIBE if e.of("by_git") else "Run site, which waits for it and tells more"),
            "seen": ", ".join(row["object"] for row in rows),
        }

    return when
