"""Queries, pages and progress of the crawl as plain values, without clock or I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.ranges import Range
from schemas.records.coverage import GapReason

BEGINNING = 0
"""Stands for the beginning of time: a REQ without `since`. Events before 1970 are asked for with it too."""
FOREVER = 2**63 - 1
"""Stands for the end of time: a REQ without `until`. Also the largest integer that relays' databases know."""


class Seen(NamedTuple):
    """An event of a page: what the next question depends on. Nothing of it is verified yet."""

    at: int
    id: str
    kind: int
    author: str


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


@dataclass(frozen=True, slots=True)
class Page:
    """What came for one query.

    Attributes:
        events: each event that fits the query, in order of arrival, no id twice.
        cut: why the answer is not whole; None after an EOSE.
        hints: what came with the EOSE (NIP-67).
        misfits: how many events came that do not fit the query.
        older: how many of them only lie before `since`.
        complaint: whether the relay said by NOTICE that something was wrong.
    """

    events: list[Seen]
    cut: GapReason | None = None
    hints: frozenset[str] = frozenset()
    misfits: int = 0
    older: int = 0
    complaint: bool = False

    @property
    def proves_nothing(self) -> GapReason | None:
        """Why nothing follows from events that are not on it; None if something may."""
        if self.misfits > self.older:
            return GapReason.FILTER_IGNORED
        if self.cut is not None:
            return self.cut
        return GapReason.WITHHELD if "more" in self.hints else None

    @property
    def finished(self) -> bool:
        """Whether the relay said that this is all (NIP-67)."""
        return self.cut is None and "finish" in self.hints


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
