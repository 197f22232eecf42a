"""What a measurement found, and whether it is within its target. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


class Broken(Exception):
    """A measurement that says nothing: a run failed, or was not the work it was meant to be."""


@dataclass(frozen=True)
class Row:
    """One line of the table: our work, the floor it is held against, the figure and its target."""

    work: str
    ours: str
    floor: str
    figure: str
    target: str
    met: bool


@dataclass(frozen=True)
class Section:
    """One measurement: its rows, how it was done, and what the reader may want beside them."""

    title: str
    rows: Sequence[Row]
    notes: Sequence[str]


def seconds(values: Sequence[float]) -> str:
    """Median and span: `1.23 s (1.10–1.41)`."""
    if not values:
        raise Broken("nothing was measured")
    digits = 4 if max(values) < 0.1 else 2
    middle = f"{statistics.median(values):.{digits}f} s"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def ratio_row(work: str, ours: Sequence[float], floor: Sequence[float], at_most: float) -> Row:
    """Median against median."""
    below = statistics.median(floor) if floor else 0.0
    if not ours or below <= 0:
        raise Broken(f"{work}: nothing was measured")
    ratio = statistics.median(ours) / below
    return Row(work, seconds(ours), seconds(floor), f"{ratio:.2f} ×", f"{at_most:g} ×", ratio <= at_most)


def count_row(work: str, counts: Sequence[int], at_most: int) -> Row:
    """A count that has no floor; the worst run decides."""
    if not counts:
        raise Broken(f"{work}: nothing was counted")
    return Row(work, "", "", str(max(counts)), str(at_most), max(counts) <= at_most)


def delay_row(work: str, ours: Sequence[float], floor: Sequence[float], at_most_ms: float) -> Row:
    """Each of ours against its own floor, both in seconds; the worst pair decides."""
    if not ours or len(ours) != len(floor):
        raise Broken(f"{work}: {len(ours)} and {len(floor)} moments do not pair")
    late = [(a - b) * 1000 for a, b in zip(ours, floor, strict=True)]
    figure = f"{statistics.median(late):+.0f} ms, at worst {max(late):+.0f} ms"
    return Row(work, seconds(ours), seconds(floor), figure, f"+{at_most_ms:g} ms", max(late) <= at_most_ms)
