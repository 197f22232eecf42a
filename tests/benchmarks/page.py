"""docs/benchmarks.md. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.benchmarks.figures import Row, Section

_HEAD = """\
# Benchmarks

Written by `make bench`. Each piece of work is held against a floor: the bare tool doing the same on the same machine,
in the same run, taking turns with it. The ratios carry over to another machine, the seconds do not.
Seconds are medians, with the fastest and the slowest run in brackets.
"""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _line(row: Row) -> list[str]:
    return [row.work, row.ours, row.floor, row.figure, f"≤ {row.target}", "met" if row.met else "**MISSED**"]


def page(sections: Sequence[Section], facts: Mapping[str, str]) -> str:
    """The whole page."""
    rows = [_line(row) for section in sections for row in section.rows]
    parts = [_HEAD, table(("work", "ours", "floor", "figure", "target", ""), rows)]
    for section in sections:
        parts.append(f"## {section.title}\n\n" + "\n\n".join(note.rstrip() for note in section.notes) + "\n")
    parts.append("## The machine\n\n" + table(("what", "value"), [list(fact) for fact in facts.items()]))
    return "\n".join(parts)
