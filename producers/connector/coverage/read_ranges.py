"""Sorted ranges of seconds, each with the time at which it was read: joined, cut and compared by pure functions."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from schemas.records.coverage import ReadRange

DAY_S = 86_400
_SAME_TIME_S = 600
_LONG_AGO_S = 31 * DAY_S
"""Neighbours read within ten minutes are one range; within a day, where no later pass goes by their times any more."""


def touched(spans: Sequence[tuple[Any, ...]], since: int, until: int) -> tuple[int, int]:
    """Where in sorted, disjoint spans those stand that have one of these seconds: first and behind the last."""
    first = bisect_left(spans, since, key=lambda each: each[1])
    return first, max(first, bisect_right(spans, until, key=lambda each: each[0]))


def shared(one: Sequence[ReadRange], other: Sequence[ReadRange]) -> list[ReadRange]:
    """What both have read, with the earlier of the two times."""
    shared: list[ReadRange] = []
    at = 0
    for since, until, read_at in one:
        while at < len(other) and other[at][1] < since:
            at += 1
        for low, high, its_time in other[at:]:
            if low > until:
                break
            shared.append((max(since, low), min(until, high), min(read_at, its_time)))
    return shared


def joined(ranges: Iterable[ReadRange], now_s: int, within_s: int = _SAME_TIME_S) -> list[ReadRange]:
    """Neighbours read at about the same time as one, with the earlier time: what it says must hold for all of it."""
    joined: list[ReadRange] = []
    for since, until, read_at in ranges:
        if joined and since <= joined[-1][1] + 1:
            first, last, earlier = joined[-1]
            tolerance_s = max(within_s, DAY_S if until < now_s - _LONG_AGO_S else 0)
            if abs(read_at - earlier) <= tolerance_s:
                joined[-1] = (first, max(last, until), min(earlier, read_at))
                continue
        joined.append((since, until, read_at))
    return joined
