"""Measures speed against the bare tools and writes docs/benchmarks.md.

The bench must be up (`python -m tests.bench up`), and for `apply` the cluster (`python -m tests.bench.cluster up --with cnpg`).
A missed target is shown; only a broken measurement fails.
Names of measurements run only those, and write no page.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench.paths import find_paths
from tests.benchmarks import (
    applying,
    derivation,
    first_start,
    machine,
    no_op,
    objects,
    rendering,
    round_trip,
    second_site,
)
from tests.benchmarks.figures import Broken, Section
from tests.benchmarks.instance import ROOT, Instance
from tests.benchmarks.page import page

PAGE = ROOT / "docs" / "benchmarks.md"
# The first start leaves the instance empty, so it comes last.
MEASUREMENTS: dict[str, Callable[[Instance], Section]] = {
    "derive": lambda _instance: derivation.measure(),
    "objects": lambda _instance: objects.measure(),
    "rendering": rendering.measure,
    "apply": applying.measure,
    "second": second_site.measure,
    "trace": round_trip.measure,
    "no-op": no_op.measure,
    "first": first_start.measure,
}

# These need no instance of Compose.
_ELSEWHERE = {"derive", "objects", "rendering", "apply"}


def _say(text: str, began: float) -> None:
    print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)


def _measure(names: Sequence[str], variables: Path) -> list[Section]:
    began, sections = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="langfuse-bench-") as home:
        instance = Instance(Path(home), variables)
        try:
            instance.empty()
            if set(names) - _ELSEWHERE:
                _say("bringing an instance up, unmeasured", began)
                instance.site("--skip-tags", "verify")
            for name in names:
                _say(f"measuring {name}", began)
                sections.append(MEASUREMENTS[name](instance))
                for row in sections[-1].rows:
                    _say(f"  {row.work}: {row.figure} (at most {row.target}){'' if row.met else ' MISSED'}", began)
        finally:
            instance.empty()
    return sections


def main(arguments: Sequence[str]) -> int:
    if unknown := set(arguments) - set(MEASUREMENTS):
        print(f"unknown measurements {sorted(unknown)}; there are {', '.join(MEASUREMENTS)}")
        return 2
    variables = find_paths().variables
    if not variables.exists():
        print("The bench is not up: python -m tests.bench up")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    facts = machine.facts(variables)
    facts["load when it began"] = machine.load()
    try:
        sections = _measure([name for name in MEASUREMENTS if not arguments or name in arguments], variables)
    except Broken as broken:
        print(f"The measurement broke: {broken}", file=sys.stderr)
        return 1
    text = page(sections, facts)
    if arguments:
        print(text)
    else:
        PAGE.write_text(text)
        print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
