"""What has been read from one relay with one filter as one identity: ranges with when, gaps with why and when again."""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from core.clock import TOLERANCE_S
from producers.relays.pages import BEGINNING, FOREVER, Progress
from producers.relays.read_ranges import DAY_S, joined, shared, touched
from producers.relays.refusals import HOUR_S
from schemas.coverage import FilterCoverage, GapReason, ReadRange
from schemas.coverage import Gap as GapRecord
from schemas.ranges import Range, complement, merge, subtract

MAX_GAPS = 1000
"""Of all sets of a relay together, 110 bytes each in a record. The oldest are joined beyond it, so that a hostile relay
cannot outgrow memory or Kafka's limit for a record."""
MAX_RANGES = 2000
"""Likewise: 40 bytes each. What was read at other times is joined, and the oldest are forgotten: read again."""
FIRST_RETRY_S = HOUR_S
LONGEST_RETRY_S = 7 * DAY_S
"""A gap is asked for after an hour, two, four, up to a week: what a relay did not give ten times it may give after a
change of its software."""
_LATEST_RETRY_S = LONGEST_RETRY_S * 5 // 4
"""With its spread."""
_CORRECTS = frozenset({GapReason.DISAGREEMENT, GapReason.DENSE_SECOND, GapReason.WITHHELD})
"""Reasons that tell that an earlier reading was not complete, and not only that this one failed."""


class OpenGap(NamedTuple):
    """As in the record."""

    since: int
    until: int
    reason: GapReason
    tries: int
    retry_at_s: int


class LatePass(NamedTuple):
    """What is dated within `span_s` before now is read again every `every_s`, for events that arrived late."""

    span_s: int
    every_s: int


class FilterLedger:
    """One set of `coverage`. No second is in `read` and in a gap."""

    def __init__(self, stored: FilterCoverage) -> None:
        """Begin with a stored set, or an empty one."""
        self.filter = stored.filter
        self.identity = stored.identity
        self.wire = stored.wire
        self._checked_s: int | None = None
        self._read: list[ReadRange] = list(stored.read)
        self._passed_s: dict[LatePass, int] = {}
        self._gaps = [OpenGap(gap.since, gap.until, gap.reason, gap.tries, gap.retry_at_s or 0) for gap in stored.gaps]

    @property
    def end_s(self) -> int | None:
        """The second after the newest one that was read."""
        return self._read[-1][1] + 1 if self._read else None

    @property
    def gaps(self) -> int:
        """How many gaps are known."""
        return len(self._gaps)

    def backlog(self, since_s: int, now_s: int, passes: Iterable[LatePass]) -> list[Range]:
        """What is to be asked until now: all that was not read, all from `since_s`, and what a late pass reads again.

        Gaps are left out until they are due.
        """
        again = [(max(since_s, BEGINNING), FOREVER)]
        for late in passes:
            due_s = self._pass_due_s(late, now_s)
            if due_s is not None and due_s <= now_s:
                self._passed_s[late] = now_s
                again.append((max(now_s - late.span_s, BEGINNING), FOREVER))
        later = [(gap.since, gap.until) for gap in self._gaps if gap.retry_at_s > now_s]
        return subtract(complement(subtract(self.ranges, again), BEGINNING, now_s), later)

    def next_due_s(self, passes: Iterable[LatePass], now_s: int) -> int | None:
        """When a gap or a late pass is due next."""
        due = [gap.retry_at_s for gap in self._gaps]
        due += [due_s for late in passes if (due_s := self._pass_due_s(late, now_s)) is not None]
        return min(due, default=None)

    def withheld(self, since: int, until: int) -> bool:
        """Whether the relay is known to withhold something of these seconds."""
        return bool(self._withheld(since, until))

    def add(self, progress: Progress, asked_s: int, *, settles_withheld: bool = True) -> bool:
        """Take in what was settled; what is dated after it was asked is not settled by it.

        Args:
            progress: of the crawl.
            asked_s: when it was asked.
            settles_withheld: whether what was withheld would have come or been named. Otherwise what is known to be
                withheld is so still, and is asked for again later than before.

        Returns:
            Whether anything changed.
        """
        gaps = [gap._replace(until=min(gap.until, asked_s)) for gap in progress.gaps if gap.since <= asked_s]
        read = [(since, min(until, asked_s)) for since, until in progress.read if since <= asked_s]
        for gap in gaps:
            parts = [(gap.since, gap.until)]
            if gap.reason in _CORRECTS:
                self.forget(parts)
            else:
                first, last = touched(self._read, gap.since, gap.until)
                parts = subtract(parts, [(since, until) for since, until, _ in self._read[first:last]])
            if gap.reason is not GapReason.WITHHELD:
                # Another failure says nothing about what is withheld.
                parts = subtract(parts, self._withheld(gap.since, gap.until))
                self._put_off([(gap.since, gap.until)], asked_s)
            for since, until in parts:
                self._open_gap(since, until, gap.reason, asked_s)
        self._gaps = self._bounded(MAX_GAPS)
        if settles_withheld:
            for since, until in read:
                self._close_gaps(since, until)
        else:
            self._put_off(read, asked_s)
        if read:
            self.mark_read(read, asked_s)
        return bool(read or gaps)

    def mark_read(self, read: Sequence[Range], at_s: int) -> None:
        """These were read completely, but for what is known to be withheld."""
        read = subtract(read, [gap for since, until in read for gap in self._withheld(since, until)])
        self.forget(read)
        self._read = joined(sorted([*self._read, *[(since, until, at_s) for since, until in merge(read)]]), at_s)
        if len(self._read) > MAX_RANGES:
            self._read = joined(self._read, at_s, within_s=FOREVER)[-MAX_RANGES:]
        for since, until in read:
            self._close_gaps(since, until)

    def heard(self, since: int, until: int, at_s: int) -> None:
        """A feed brought all that came; what a crawl has found to lack in these seconds lacks still."""
        first, last = touched(self._gaps, since, until)
        lacking = [(gap.since, gap.until) for gap in self._gaps[first:last] if gap.reason in _CORRECTS]
        self.mark_read(subtract([(since, until)], lacking), at_s)

    def forget(self, ranges: Iterable[Range]) -> None:
        """These do not count as read any more."""
        for low, high in ranges:
            first, last = touched(self._read, low, high)
            self._read[first:last] = [
                (since, until, read_at)
                for begin, end, read_at in self._read[first:last]
                for since, until in subtract([(begin, end)], [(low, high)])
            ]

    def follow(self, parts: Sequence[FilterLedger], *, whole: bool) -> None:
        """Take over what was read by lists of kinds: what all of them have read.

        Args:
            parts: the sets of the lists, at least one.
            whole: whether the lists name every kind that this filter asks for; otherwise those seconds are a gap.
        """
        common = parts[0]._read  # noqa: SLF001 - of the same class
        for part in parts[1:]:
            common = shared(common, part._read)  # noqa: SLF001
        self._gaps = [gap for gap in self._gaps if gap.reason is not GapReason.BY_KINDS]
        if whole:
            for since, until, read_at in common:
                self.mark_read([(since, until)], read_at)
            return
        named = [(since, until) for since, until, _ in common]
        for since, until in subtract(named, [*self.ranges, *[(gap.since, gap.until) for gap in self._gaps]]):
            gap = OpenGap(since, until, GapReason.BY_KINDS, 1, 0)
            self._gaps.insert(bisect_left(self._gaps, gap), gap)

    def check(self, now_s: int) -> None:
        """Forget what claims to have been read, or to be asked, later than may be: a clock was ahead."""
        checked_s, self._checked_s = self._checked_s, now_s
        if checked_s is not None and checked_s <= now_s + TOLERANCE_S:
            return
        latest_s = int(now_s + TOLERANCE_S)
        self._read = [
            (since, min(until, latest_s), read_at)
            for since, until, read_at in self._read
            if since <= latest_s and read_at <= latest_s
        ]
        self._gaps = [
            gap._replace(until=min(gap.until, latest_s), retry_at_s=min(gap.retry_at_s, latest_s + _LATEST_RETRY_S))
            for gap in self._gaps
            if gap.since <= latest_s
        ]

    def record(self, sets: int) -> FilterCoverage:
        """The set as one of so many in a record."""
        self._gaps = self._bounded(MAX_GAPS // sets)
        return FilterCoverage(
            filter=self.filter,
            wire=self.wire,
            identity=self.identity,
            read=self._read[-(MAX_RANGES // sets) :],
            gaps=[
                GapRecord(
                    since=gap.since, until=gap.until, reason=gap.reason, tries=gap.tries, retry_at_s=gap.retry_at_s
                )
                for gap in self._gaps
            ],
        )

    def _withheld(self, since: int, until: int) -> list[Range]:
        first, last = touched(self._gaps, since, until)
        return [(gap.since, gap.until) for gap in self._gaps[first:last] if gap.reason is GapReason.WITHHELD]

    def _put_off(self, read: Iterable[Range], asked_s: int) -> None:
        """Gaps that were due, and that a reading of some of their seconds could not settle, wait again."""
        for since, until in read:
            first, last = touched(self._gaps, since, until)
            for gap in self._gaps[first:last]:
                if gap.reason is GapReason.WITHHELD and gap.retry_at_s <= asked_s:
                    self._open_gap(gap.since, gap.until, gap.reason, asked_s)

    def _pass_due_s(self, late: LatePass, now_s: int) -> int | None:
        """When a late pass is due; one that was begun and not finished is not begun again at once."""
        read = [read_at for _, until, read_at in self._read if until >= now_s - late.span_s]
        if not read:
            return None
        return max(min(read) + late.every_s, self._passed_s.get(late, 0) + int(FIRST_RETRY_S))

    @property
    def ranges(self) -> list[Range]:
        """What was read."""
        return [(since, until) for since, until, _ in self._read]

    def _open_gap(self, since: int, until: int, reason: GapReason, asked_s: int) -> None:
        same = self._close_gaps(since, until)
        tries = 1 + max((gap.tries for gap in same), default=0)
        # The spread keeps gaps that were opened together from being asked for together for ever.
        spread = 1 + (zlib.crc32(f"{self.filter}{since}".encode()) % 25) / 100
        wait_s = min(FIRST_RETRY_S * 2.0 ** min(tries - 1, 20), LONGEST_RETRY_S) * spread
        gap = OpenGap(since, until, reason, tries, asked_s + int(wait_s))
        self._gaps.insert(bisect_left(self._gaps, gap), gap)

    def _close_gaps(self, since: int, until: int) -> list[OpenGap]:
        """Take these seconds out of all gaps; those that had some of them."""
        first, last = touched(self._gaps, since, until)
        cut = self._gaps[first:last]
        self._gaps[first:last] = [
            gap._replace(since=low, until=high)
            for gap in cut
            for low, high in subtract([(gap.since, gap.until)], [(since, until)])
        ]
        return cut

    def _bounded(self, most: int) -> list[OpenGap]:
        """The gaps, the oldest of them joined if there are too many. What lies between those is to be read again."""
        if len(self._gaps) <= most:
            return self._gaps
        surplus, rest = self._gaps[: len(self._gaps) - most + 1], self._gaps[len(self._gaps) - most + 1 :]
        joined = OpenGap(
            surplus[0].since,
            surplus[-1].until,
            GapReason.JOINED,
            max(gap.tries for gap in surplus),
            max(gap.retry_at_s for gap in surplus),
        )
        self.forget([(joined.since, joined.until)])
        return [joined, *rest]
