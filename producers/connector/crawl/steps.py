"""What the crawl asks, and what an answer settles. Plain values, without clock or I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.ranges import Range
from schemas.records.coverage import GapReason


class Query(NamedTuple):
    """What to ask: bounds in seconds, both included, None for none; never more than `limit` events.

    `kinds` and `authors` narrow the filter that is crawled; None leaves them as they are there.
    """

    since: int | None
    until: int | None
    limit: int
    kinds: tuple[int, ...] | None = None
    authors: tuple[str, ...] | None = None


class Difference(NamedTuple):
    """Seconds, both included, that are to be compared with the archive instead of paged through (NIP-77)."""

    since: int
    until: int


Step = Query | Difference


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
