"""How long checks take, as counts in buckets of half an octave, which can be summed over days.

A percentile of summed buckets is the middle of one, on a logarithmic scale: it is wrong by 19 % at most, a factor of
the fourth root of 2, which is less than what a relay varies by from hour to hour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import accumulate
from math import ceil

from schemas.records.probe import Checks
from schemas.records.relay_health import MOST_LATENCIES, Latency

Counts = tuple[tuple[int, int], ...]

_LAST = 40
"""Holds all from 2^20 ms, 17 minutes: no check lasts as long."""


def bucket(took_ms: int) -> int:
    """The bucket of a time: `b` holds 2^(b/2) ms up to 2^((b+1)/2) ms; what is below 1 ms is in 0."""
    return min(max(took_ms * took_ms, 1).bit_length() - 1, _LAST)


def middle_ms(number: int) -> float:
    """The geometric middle of a bucket."""
    return float(2 ** ((number + 0.5) / 2))


def add(latencies: Iterable[Latency], day: int, checks: Checks) -> tuple[Latency, ...]:
    """Return the latencies with those of one more probe, of a day that is none before the last one's."""
    kept = [each for each in latencies if day - MOST_LATENCIES < each.day]
    opened = checks.open.took_ms if checks.open is not None and checks.open.ok else None
    read = checks.read.took_ms if checks.read is not None and checks.read.ok else None
    if opened is None and read is None:
        return tuple(kept)
    of_day = kept.pop() if kept and kept[-1].day == day else Latency(day, (), ())
    kept.append(Latency(day, _counted(of_day.open, opened), _counted(of_day.read, read)))
    return tuple(kept)


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


def _counted(counts: Counts, took_ms: int | None) -> Counts:
    if took_ms is None:
        return counts
    counted = Counter(dict(counts))
    counted[bucket(took_ms)] += 1
    return tuple(sorted(counted.items()))
