"""Ratios, counts and delays against their targets; a page of them; what is read from Ansible's output."""

from __future__ import annotations

import pytest

from tests.benchmarks.figures import Broken, Row, Section, count_row, delay_row, ratio_row, seconds
from tests.benchmarks.first_start import after_the_trace
from tests.benchmarks.idle import requests_between
from tests.benchmarks.instance import recap, results
from tests.benchmarks.machine import application, memory_gib
from tests.benchmarks.page import page, table
from tests.benchmarks.second_site import slowest

OUTPUT = """
PLAY RECAP *********************************************************************
localhost                  : ok=15   changed=2    unreachable=0    failed=0    skipped=6    rescued=1    ignored=0

TASKS RECAP ********************************************************************
Saturday 21 November 2026  23:22:27 +0000 (0:00:00.123)       0:00:38.494 *****
===============================================================================
llmops.langfuse.compose : Start web, then the workers --- 8.74s
llmops.langfuse.host : Look whether the host can carry the instance ----- 3.09s
Tell where to go -------------------------------------------------------- 0.12s
"""


@pytest.mark.parametrize(
    ("ours", "floor", "figure", "met"),
    [
        ([2.5, 9.0, 1.0], [1.0], "2.50 ×", True),
        ([2.52], [1.0], "2.52 ×", False),
        ([1.0], [2.0], "0.50 ×", True),
    ],
)
def test_a_ratio_is_of_the_medians(ours: list[float], floor: list[float], figure: str, met: bool) -> None:
    row = ratio_row("work", ours, floor, 2.5)
    assert (row.figure, row.met, row.target) == (figure, met, "2.5 ×")


@pytest.mark.parametrize(("ours", "floor"), [([], [1.0]), ([1.0], []), ([1.0], [0.0])])
def test_a_ratio_of_nothing_is_broken(ours: list[float], floor: list[float]) -> None:
    with pytest.raises(Broken):
        ratio_row("work", ours, floor, 2.5)


@pytest.mark.parametrize(("counts", "met"), [([30, 21], True), ([21, 31], False), ([0], True)])
def test_the_worst_count_decides(counts: list[int], met: bool) -> None:
    row = count_row("results", counts, 30)
    assert (row.figure, row.met) == (str(max(counts)), met)


@pytest.mark.parametrize(
    ("ours", "floor", "figure", "met"),
    [
        ([1.0, 1.1, 1.25], [0.9, 1.05, 1.05], "+100 ms, at worst +200 ms", True),
        ([1.0, 1.202], [1.0, 1.0], "+101 ms, at worst +202 ms", False),
        ([1.0], [1.01], "-10 ms, at worst -10 ms", True),
    ],
)
def test_the_worst_delay_decides(ours: list[float], floor: list[float], figure: str, met: bool) -> None:
    row = delay_row("trace", ours, floor, 200)
    assert (row.figure, row.met) == (figure, met)


def test_moments_that_do_not_pair_are_broken() -> None:
    with pytest.raises(Broken):
        delay_row("trace", [1.0], [], 200)


@pytest.mark.parametrize(
    ("values", "text"),
    [([1.5], "1.50 s"), ([3.0, 1.0, 2.0], "2.00 s (1.00–3.00)"), ([0.01234], "0.0123 s")],
)
def test_seconds_show_median_and_span(values: list[float], text: str) -> None:
    assert seconds(values) == text


def test_task_results_are_all_but_the_changed_ones_twice() -> None:
    assert recap(OUTPUT)["changed"] == 2
    assert results(recap(OUTPUT)) == 22
    assert recap("nothing ran") == {}


def test_the_slowest_tasks_are_read_with_their_roles() -> None:
    assert slowest(OUTPUT, 2) == [
        ("compose : Start web, then the workers", "8.74 s"),
        ("host : Look whether the host can carry the instance", "3.09 s"),
    ]


def test_the_page_shows_a_missed_target_and_the_machine() -> None:
    rows = [Row("a", "1 s", "1 s", "1 ×", "2 ×", True), Row("b", "9 s", "1 s", "9 ×", "2 ×", False)]
    text = page([Section("Work", rows, ["How it was done."])], {"cores": "2"})
    assert "| a | 1 s | 1 s | 1 × | ≤ 2 × | met |" in text
    assert "| b | 9 s | 1 s | 9 × | ≤ 2 × | **MISSED** |" in text
    assert "## Work\n\nHow it was done.\n" in text
    assert "| cores | 2 |" in text


def test_a_table_has_its_rule() -> None:
    assert table(("x", "y"), [("1", "2")]) == "| x | y |\n| --- | --- |\n| 1 | 2 |\n"


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ("--- {}\n", "the published images"),
        (
            'langfuse_image_registry: bench.localhost\nlangfuse_version: "4.16.0-stand-in"\n',
            "the contract stand-in (4.16.0-stand-in), not Langfuse itself",
        ),
    ],
)
def test_the_page_says_which_application_ran(variables: str, text: str) -> None:
    assert application(variables) == text


def test_memory_is_told_in_gib() -> None:
    assert memory_gib("MemTotal:       25165824 kB\n") == "24 GiB"
    assert memory_gib("") == "unknown"


HOPS = """
        "trace       ok      1004  read back equal 1316 ms after the walk began, readable after 976 ms",
        "media       ok        25  uploaded to and read from http://localhost:9290; a wrong checksum was refused",
        "sign_in     ok       294  admin@example.com is OWNER of Default",
        "ports       ok         1  2 closed to others, as they should be",
        "total               2636"
"""


def test_what_follows_the_trace_is_counted_apart() -> None:
    assert after_the_trace(HOPS) == pytest.approx(1.320)


def test_a_first_start_without_a_trace_is_broken() -> None:
    with pytest.raises(Broken):
        after_the_trace(HOPS.replace("read back equal", "came back different in a.b"))


def test_the_requests_of_an_access_log_between_two_marks() -> None:
    asked = [
        "GET /early",
        "GET /realms/master?begin",
        "POST /token",
        "GET /clients?clientId=langfuse",
        "GET /x?end",
        "GET /late",
    ]
    log = "".join(f'2026-11-22 INFO [access] 172.17.0.1 - - [22/Nov/2026] "{line} HTTP/1.1" 200 7\n' for line in asked)
    assert requests_between(log, "begin", "end") == ["POST /token", "GET /clients?clientId=langfuse"]
    assert requests_between(log, "token", "clientId") == []
