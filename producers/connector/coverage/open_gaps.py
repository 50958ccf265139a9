"""The gaps of one set of `coverage`: reason, number of tries, and time of the next retry."""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

from core.backoff import ceiling_s
from producers.connector.coverage.read_ranges import DAY_S, touched
from producers.relay_client.refusals import HOUR_S
from schemas.ranges import Range, subtract
from schemas.records.coverage import Gap as GapRecord
from schemas.records.coverage import GapReason

MAX_GAPS = 1000
"""Of all sets of a relay together, 110 bytes each in a record. The oldest are joined beyond it, so that a hostile relay
cannot outgrow memory or Kafka's limit for a record."""
FIRST_RETRY_S = HOUR_S
LONGEST_RETRY_S = 7 * DAY_S
"""A gap is asked for after an hour, two, four, up to a week: what a relay did not give ten times it may give after a
change of its software."""
_LATEST_RETRY_S = LONGEST_RETRY_S * 5 // 4
"""With its spread."""
CORRECTS = frozenset({GapReason.DISAGREEMENT, GapReason.DENSE_SECOND, GapReason.WITHHELD})
"""Reasons that tell that an earlier reading was not complete, and not only that this one failed."""


class OpenGap(NamedTuple):
    """As in the record."""

    since: int
    until: int
    reason: GapReason
    tries: int
    retry_at_s: int


class OpenGaps:
    """Sorted and disjoint."""

    def __init__(self, filter_hash: str, stored: Iterable[GapRecord]) -> None:
        """Begin with the gaps of a stored set."""
        self._filter = filter_hash
        self._gaps = [OpenGap(gap.since, gap.until, gap.reason, gap.tries, gap.retry_at_s or 0) for gap in stored]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._gaps)

    @property
    def ranges(self) -> list[Range]:
        """Their seconds."""
        return [(gap.since, gap.until) for gap in self._gaps]

    @property
    def next_due_s(self) -> int | None:
        """When one is due next."""
        return min((gap.retry_at_s for gap in self._gaps), default=None)

    def waiting(self, now_s: int) -> list[Range]:
        """Those that are not due yet."""
        return [(gap.since, gap.until) for gap in self._gaps if gap.retry_at_s > now_s]

    def touching(self, since: int, until: int, *reasons: GapReason) -> list[Range]:
        """Those with one of these reasons that have some of these seconds, each whole."""
        first, last = touched(self._gaps, since, until)
        return [(gap.since, gap.until) for gap in self._gaps[first:last] if gap.reason in reasons]

    def open(self, since: int, until: int, reason: GapReason, asked_s: int) -> None:
        """These seconds could not be read when they were asked for; each try that fails makes the wait longer."""
        same = self.close(since, until)
        tries = 1 + max((gap.tries for gap in same), default=0)
        # The spread keeps gaps that were opened together from being retried together each time.
        spread = 1 + (zlib.crc32(f"{self._filter}{since}".encode()) % 25) / 100
        wait_s = ceiling_s(tries - 1, FIRST_RETRY_S, LONGEST_RETRY_S) * spread
        self.insert(OpenGap(since, until, reason, tries, asked_s + int(wait_s)))

    def insert(self, gap: OpenGap) -> None:
        """Take in a gap of seconds that are in no other."""
        self._gaps.insert(bisect_left(self._gaps, gap), gap)

    def close(self, since: int, until: int) -> list[OpenGap]:
        """Take these seconds out of all gaps; those that had some of them."""
        first, last = touched(self._gaps, since, until)
        cut = self._gaps[first:last]
        self._gaps[first:last] = [
            gap._replace(since=low, until=high)
            for gap in cut
            for low, high in subtract([(gap.since, gap.until)], [(since, until)])
        ]
        return cut

    def put_off(self, read: Iterable[Range], asked_s: int) -> None:
        """What is withheld, was due, and could not be settled by a reading of some of its seconds, waits again."""
        for since, until in read:
            first, last = touched(self._gaps, since, until)
            for gap in self._gaps[first:last]:
                if gap.reason is GapReason.WITHHELD and gap.retry_at_s <= asked_s:
                    self.open(gap.since, gap.until, gap.reason, asked_s)

    def drop(self, reason: GapReason) -> None:
        """Drop those with this reason."""
        self._gaps = [gap for gap in self._gaps if gap.reason is not reason]

    def cut_off(self, latest_s: int) -> None:
        """Keep nothing of later than this, nor waits that would begin later: a clock was ahead."""
        self._gaps = [
            gap._replace(until=min(gap.until, latest_s), retry_at_s=min(gap.retry_at_s, latest_s + _LATEST_RETRY_S))
            for gap in self._gaps
            if gap.since <= latest_s
        ]

    def join_oldest(self, most: int) -> Range | None:
        """Keep so many: join the oldest if there are more. What was joined, all of which is to be read again."""
        if len(self._gaps) <= most:
            return None
        surplus, rest = self._gaps[: len(self._gaps) - most + 1], self._gaps[len(self._gaps) - most + 1 :]
        joined = OpenGap(
            surplus[0].since,
            surplus[-1].until,
            GapReason.JOINED,
            max(gap.tries for gap in surplus),
            max(gap.retry_at_s for gap in surplus),
        )
        self._gaps = [joined, *rest]
        return joined.since, joined.until

    def record(self) -> list[GapRecord]:
        """As in the record."""
        return [
            GapRecord(since=gap.since, until=gap.until, reason=gap.reason, tries=gap.tries, retry_at_s=gap.retry_at_s)
            for gap in self._gaps
        ]
