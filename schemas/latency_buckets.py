"""Times as counts in buckets of half an octave, which can be summed over days.

A percentile of summed buckets is the middle of one, on a logarithmic scale: it is wrong by 19 % at most, a factor of
the fourth root of 2, which is less than what a relay varies by from hour to hour. The archive computes the same in SQL
(`latency_percentile`, `sinks/migrations/0013_health.sql`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import accumulate
from math import ceil

Counts = tuple[tuple[int, int], ...]
"""(bucket, how many), by bucket."""

LAST_BUCKET = 40
"""Holds all from 2^20 ms, 17 minutes: no check lasts as long."""


def bucket(took_ms: int) -> int:
    """The bucket of a time: `b` holds 2^(b/2) ms up to 2^((b+1)/2) ms; what is below 1 ms is in 0."""
    return min(max(took_ms * took_ms, 1).bit_length() - 1, LAST_BUCKET)


def middle_ms(number: int) -> float:
    """The geometric middle of a bucket."""
    return float(2 ** ((number + 0.5) / 2))


def percentile_ms(counts: Iterable[Counts], share: float) -> float | None:
    """The time that this share (0 to 1) of all probes did not exceed, by nearest rank; None where there are none.

    Args:
        counts: of any days.
        share: such as 0.5 for the median.
    """
    summed: Counter[int] = Counter()
    for of_day in counts:
        summed.update(dict(of_day))
    total = summed.total()
    if not total:
        return None
    rank = max(1, ceil(share * total))
    upto = accumulate(summed[number] for number in sorted(summed))
    return middle_ms(next(number for number, most in zip(sorted(summed), upto, strict=True) if most >= rank))
