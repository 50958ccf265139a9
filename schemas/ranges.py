"""Sets of integers (seconds, mostly) as sorted lists of inclusive ranges: pure functions."""

from __future__ import annotations

from collections.abc import Iterable

Range = tuple[int, int]
"""Lower and upper bound, both included."""


def merge(ranges: Iterable[Range]) -> list[Range]:
    """The union of ranges: sorted, disjoint, with neighbours joined (`1..2` and `3..4` are `1..4`).

    Raises:
        ValueError: a range ends before it begins.
    """
    merged: list[Range] = []
    for low, high in sorted(ranges):
        if high < low:
            raise ValueError(f"range {low}..{high} ends before it begins")
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def subtract(ranges: Iterable[Range], holes: Iterable[Range]) -> list[Range]:
    """What is in the ranges and in none of the holes, in one pass over both."""
    left: list[Range] = []
    cuts = merge(holes)
    at = 0
    for low, high in merge(ranges):
        start = low
        while at < len(cuts) and cuts[at][0] <= high:
            cut_low, cut_high = cuts[at]
            if cut_low > start:
                left.append((start, cut_low - 1))
            start = max(start, cut_high + 1)
            if cut_high > high:
                # It may reach into the next range as well.
                break
            at += 1
        if start <= high:
            left.append((start, high))
    return left


def complement(ranges: Iterable[Range], low: int, high: int) -> list[Range]:
    """What of `low..high` is in none of the ranges: the part still to be read."""
    return subtract([(low, high)], ranges)


def contains(ranges: Iterable[Range], value: int) -> bool:
    """Whether a value is in one of the ranges."""
    return any(low <= value <= high for low, high in ranges)
