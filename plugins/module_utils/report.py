# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MARKS = {"ok": "ok", "failed": "FAILED", "skipped": "-", "warning": "warning"}
WIDTH = 110


def table(hops: Sequence[Mapping[str, Any]], causes: Sequence[Mapping[str, Any]], total_ms: float) -> list[str]:
    """Aligned lines: hop, status, milliseconds, detail; then every cause with its cure.

    `total_ms` is what the walk took; hops may have worked at the same time.
    """
    rows = [("hop", "status", "ms", "detail")]
    rows += [(str(h["name"]), MARKS[h["status"]], f"{h['ms']:.0f}", _cut(h["detail"])) for h in hops]
    wide = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{name:<{wide[0]}}  {status:<{wide[1]}}  {ms:>{wide[2]}}  {detail}".rstrip()
        for name, status, ms, detail in rows
    ]
    lines.append(f"{'total':<{wide[0]}}  {'':<{wide[1]}}  {total_ms:>{wide[2]}.0f}")
    for cause in causes:
        lines += ["", f"{cause['code']} ({cause['severity']}): {cause['cause']}", f"  cure: {cause['cure']}"]
        if cause["evidence"]:
            lines.append(f"  seen: {_cut(cause['evidence'])}")
    return lines


def verdict(hops: Sequence[Mapping[str, Any]], causes: Sequence[Mapping[str, Any]], first: str) -> str:
    """One message: the first broken hop, why, and what to do."""
    if not first:
        warnings = [cause["code"] for cause in causes]
        return (
            "Langfuse is healthy." if not warnings else f"Langfuse is healthy; to be looked at: {', '.join(warnings)}."
        )
    hop = next(hop for hop in hops if hop["name"] == first)
    cause = next((cause for cause in causes if cause["severity"] == "error"), None)
    text = f"Langfuse is not healthy: hop {first} failed ({hop['detail']})."
    return text if cause is None else f"{text} Cause: {cause['cause']} Cure: {cause['cure']}"


def _cut(text: Any) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
