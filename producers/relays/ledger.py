"""What has been read from one relay, in memory: filled by live feed and crawl, written to `coverage` when durable."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from producers.relays.crawl import BEGINNING, FOREVER, Gap, Progress
from schemas.coverage import Coverage, FilterCoverage, GapReason
from schemas.coverage import Gap as GapRecord
from schemas.ranges import Range, complement, merge, subtract

DAY_S = 86_400
REVISIT_S = 3 * DAY_S
"""Each visit reads so far below the end of the last again: events arrive late, gift wraps are dated back up to two days
(NIP-59)."""
SAME_VISIT_S = 3600
"""A relay that was away for longer begins a new visit."""
RECONNECT_OVERLAP_S = 600
"""A reconnect within a visit reads so far back again: clocks differ by minutes and relays store late."""
MAX_GAPS = 1000
"""The oldest are joined beyond it, so that a hostile relay cannot outgrow the memory or Kafka's limit for a record."""
MAX_RANGES = 2000
"""Likewise: 40 bytes each in a record. The oldest are forgotten, which costs reading them again."""
JOINED = "joined"


class Ledger:
    """One relay's coverage. With several filters a second counts as read when every one of them has read it."""

    def __init__(self, relay: str, filter_hashes: Sequence[str], stored: Coverage | None) -> None:
        """Begin with what was stored, if it was for the same filters."""
        self.relay = relay
        sets = {each.filter: each for each in stored.sets} if stored is not None else {}
        usable = sets.get(filter_hashes[0]) if all(name in sets for name in filter_hashes) else None
        self._read_at = list(usable.read) if usable else []
        stored_ranges = merge((since, until) for since, until, _ in self._read_at)
        self._read = {name: list(stored_ranges) for name in filter_hashes}
        self._gaps = [Gap(gap.since, gap.until, gap.reason) for gap in usable.gaps] if usable else []
        self._met: list[Range] = []
        self.cursor_s = stored.cursor_s if usable and stored else None
        if usable is not None:
            self._begin_visit()
        self.changes = 0
        """Counts changes, so that a writer knows whether there is something new."""
        self.crawled = 0
        """Counts those that are more than a moved cursor."""

    @property
    def gaps(self) -> int:
        """How many gaps are known."""
        return len(self._gaps)

    def backlog(self, filter_hash: str, now_s: int) -> list[Range]:
        """What is to be crawled: everything until now that was not read, and what a reconnect reads again.

        The range from now on is always part of it: events may be dated into the future, and no reading settles those.
        Gaps met since the last call of `retry_gaps` are left out.
        """
        self._visit(now_s)
        read = self._read[filter_hash]
        last_s = min(self._last_s(default=now_s), now_s)
        unread = complement(subtract(read, [(last_s - RECONNECT_OVERLAP_S, FOREVER)]), BEGINNING, now_s)
        left = subtract(unread, self._met)
        return [*left, (now_s, FOREVER)]

    def retry_gaps(self) -> None:
        """Let the next crawl try the gaps again."""
        self._met.clear()

    def add(self, filter_hash: str, progress: Progress, asked_s: int) -> None:
        """Take in what a page settled.

        Args:
            filter_hash: the filter that was asked.
            progress: of the crawl.
            asked_s: when it was asked; neither a reading nor a gap says anything about what is dated later.
        """
        read = [(since, min(until, asked_s)) for since, until in progress.read if since <= asked_s]
        gaps = [gap._replace(until=min(gap.until, asked_s)) for gap in progress.gaps if gap.since <= asked_s]
        if read:
            self._read[filter_hash] = merge([*self._read[filter_hash], *read])[-MAX_RANGES:]
            self._settle(asked_s)
        if gaps:
            self._met = merge([*self._met, *[(gap.since, gap.until) for gap in gaps]])[-MAX_GAPS:]
            self._gaps = _bounded([*self._gaps, *gaps])
        if read or gaps:
            self.changes += 1
            self.crawled += 1

    def heard(self, live_since_s: int, cursor_s: int) -> None:
        """The live feed was complete from `live_since_s` until `cursor_s`."""
        if self.cursor_s is not None and cursor_s <= self.cursor_s:
            return
        self._visit(cursor_s)
        self.cursor_s = cursor_s
        if live_since_s < cursor_s:
            for name, read in self._read.items():
                self._read[name] = merge([*read, (live_since_s, cursor_s - 1)])
            self._settle(cursor_s)
        self.changes += 1

    def record(self, now_ms: int) -> Coverage:
        """The record for `coverage`. It may be published once everything received until now is durable."""
        gaps = [
            GapRecord(since=gap.since, until=gap.until, reason=GapReason(gap.reason)) for gap in _bounded(self._gaps)
        ]
        sets = [FilterCoverage(filter=name, read=list(self._read_at), gaps=gaps) for name in self._read]
        return Coverage(relay=self.relay, cursor_s=self.cursor_s, sets=sets, updated_at_ms=now_ms)

    def _last_s(self, default: int) -> int:
        """When the relay was last followed or, if it never was, read."""
        if self.cursor_s is not None:
            return self.cursor_s
        return max((read[-1][1] for read in self._read.values() if read), default=default)

    def _visit(self, now_s: int) -> None:
        if now_s - self._last_s(default=now_s) > SAME_VISIT_S:
            self._begin_visit()

    def _begin_visit(self) -> None:
        """Take back what each visit reads again: it is unread until that was done, however often the relay is lost."""
        since = self._last_s(default=FOREVER) - REVISIT_S
        self._read = {name: subtract(read, [(since, FOREVER)]) for name, read in self._read.items()}
        self._read_at = [(low, min(high, since - 1), at_s) for low, high, at_s in self._read_at if low < since]

    def _settle(self, read_at_s: int) -> None:
        """Bring `_read_at` and the gaps up to what every filter has read."""
        common = self._common()
        known = [(since, until) for since, until, _ in self._read_at]
        fresh = [(since, until, read_at_s) for since, until in subtract(common, known)]
        self._read_at = _joined(sorted([*self._read_at, *fresh]))[-MAX_RANGES:]
        self._gaps = [left for gap in self._gaps for left in _outside(gap, common)]

    def _common(self) -> list[Range]:
        first, *others = self._read.values()
        for read in others:
            first = subtract(first, complement(read, BEGINNING, FOREVER))
        return first


def _outside(gap: Gap, ranges: list[Range]) -> list[Gap]:
    """What of a gap is in none of the ranges, which are sorted and apart from each other."""
    first = bisect_left(ranges, gap.since, key=lambda each: each[1])
    last = bisect_right(ranges, gap.until, key=lambda each: each[0])
    if first >= last:
        return [gap]
    left = subtract([(gap.since, gap.until)], ranges[first:last])
    return [Gap(since, until, gap.reason) for since, until in left]


def _bounded(gaps: list[Gap]) -> list[Gap]:
    gaps = sorted(set(gaps))
    if len(gaps) <= MAX_GAPS:
        return gaps
    surplus = gaps[: len(gaps) - MAX_GAPS + 1]
    joined = Gap(surplus[0].since, max(gap.until for gap in surplus), JOINED)
    return [joined, *gaps[len(surplus) :]]


def _joined(ranges: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Neighbouring ranges as one, with the earlier of the two times: what it says must hold for all of it."""
    joined: list[tuple[int, int, int]] = []
    for since, until, read_at_s in ranges:
        if joined and since <= joined[-1][1] + 1:
            first, last, earlier = joined[-1]
            joined[-1] = (first, max(last, until), min(earlier, read_at_s))
        else:
            joined.append((since, until, read_at_s))
    return joined
