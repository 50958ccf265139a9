"""A sample in three numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_MOST_ARE = 0.99


class Spread(NamedTuple):
    """Median, 99th percentile (nearest rank) and maximum; None of an empty sample."""

    p50: float | None
    p99: float | None
    max: float | None


def spread(values: Sequence[float]) -> Spread:
    """Sum up, to a millisecond where the values are seconds."""
    if not values:
        return Spread(None, None, None)
    ranked = sorted(values)
    last = len(ranked) - 1
    return Spread(*(round(ranked[min(last, int(share * len(ranked)))], 3) for share in (0.5, _MOST_ARE, 1)))
