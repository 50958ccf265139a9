"""What an answer settles. Plain values, without clock or I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.ranges import Range
from schemas.records.coverage import GapReason


class Gap(NamedTuple):
    """Seconds, both bounds included, that could not be read, and why."""

    since: int
    until: int
    reason: GapReason


@dataclass(slots=True)
class Progress:
    """What a page settled: ranges read completely, and gaps."""

    read: list[Range] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
