# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of the walk, for people."""

from __future__ import annotations

from ansible_collections.llmops.langfuse.plugins.module_utils import report


def test_the_table_is_aligned_and_names_the_causes() -> None:
    hops = [
        {"name": "port", "status": "ok", "ms": 1.26, "detail": "open"},
        {"name": "clickhouse", "status": "failed", "ms": 1234.5, "detail": "x" * 300},
        {"name": "ports", "status": "skipped", "ms": 0, "detail": "not asked"},
    ]
    cause = {
        "code": "c",
        "severity": "error",
        "hop": "clickhouse",
        "cause": "It is down.",
        "cure": "Start it.",
        "evidence": "e",
    }
    lines = report.table(hops, [cause], 1236)
    assert lines[0] == "hop         status    ms  detail"
    assert lines[1] == "port        ok         1  open"
    assert lines[3] == "ports       -          0  not asked"
    assert lines[4] == "total               1236"
    assert lines[5:] == ["", "c (error): It is down.", "  cure: Start it.", "  seen: e"]
    assert all(len(line) <= report.WIDTH + 30 for line in lines)
    assert report.verdict(hops, [cause], "clickhouse").endswith("Cause: It is down. Cure: Start it.")
    assert report.verdict(hops, [], "") == "Langfuse is healthy."
