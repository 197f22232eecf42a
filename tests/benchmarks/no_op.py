"""Modules that have nothing to do: what their servers are asked, what is written, and how long it takes against one login."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import idle
from tests.benchmarks.figures import Broken, Section, count_row, seconds
from tests.benchmarks.idle import Case, Cases
from tests.benchmarks.instance import Instance
from tests.benchmarks.page import table
from tests.integration.modules import conftest

ROUNDS = 5


@dataclass(frozen=True)
class Result:
    """One line of the table; times in seconds."""

    case: Case
    asked: list[str]
    wrote: list[str]
    ours: list[float]
    floor: list[float]

    @property
    def line(self) -> list[str]:
        ratio = statistics.median(self.ours) / statistics.median(self.floor)
        wrote = f"{len(self.wrote)}{': ' if self.wrote else ''}{', '.join(self.wrote)}"
        times = [seconds(self.ours), seconds(self.floor), f"{ratio:.1f} ×"]
        return [f"`{self.case.module}`", self.case.engine, str(len(self.asked)), wrote, self.case.witness, *times]


def _timed(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _measure(case: Case) -> Result:
    def run(changed: bool, **where: str) -> None:
        result = conftest.call(case.module, **{**case.options, **where})
        if result.get("failed") or result["changed"] != changed:
            raise Broken(f"{case.module}: {result}")

    def again(**where: str) -> None:
        run(False, **where)

    run(True)
    asked, wrote = case.seen(again)
    if not asked:
        raise Broken(f"{case.module}: {case.witness} of {case.engine} has nothing of it")
    ours, floor = [], []
    case.login()
    for _round in range(ROUNDS):
        floor.append(_timed(case.login))
        ours.append(_timed(again))
    print(f"          {case.module}: {len(asked)} requests, {len(wrote)} writes", flush=True)
    return Result(case, asked, wrote, ours, floor)


def _results(cases: Cases) -> list[Result]:
    with contextlib.closing(cases):
        return [_measure(case) for case in cases]


def measure(instance: Instance) -> Section:
    """The instance must be up."""
    results = []
    with tempfile.TemporaryDirectory(prefix="langfuse-no-op-") as home:
        for engine in idle.ENGINES:
            place = Path(home) / engine.__name__
            place.mkdir(mode=0o755)
            results += _results(engine(place))
    results += _results(idle.web(instance))
    writes = [len(one.wrote) for one in results]
    head = ("module", "engine", "requests", "writes", "seen by", "seconds", "one login", "ratio")
    return Section(
        "Modules with nothing to do",
        [count_row("modules with nothing to do: writes that their servers saw", writes, 0)],
        [
            f"Each module a second time on its engine, {ROUNDS} runs, in turns with one login of the bare client library and the "
            "least that it can ask. Both are in one process, so neither pays for Python's start. Requests are what the server's "
            "own log or statistics had of one more run; where they do not have all, a proxy in front of it counted, and "
            "times are taken without the proxy. Logins are among them, and trials of a known-bad password.",
            table(head, [one.line for one in results]),
        ],
    )
