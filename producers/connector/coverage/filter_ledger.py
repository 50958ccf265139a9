"""Coverage of one relay for one filter and identity (AUTH key): ranges with their time, gaps with reason and retry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from core.clock import TOLERANCE_S
from producers.connector.coverage.open_gaps import CORRECTS, FIRST_RETRY_S, MAX_GAPS, OpenGap, OpenGaps
from producers.connector.coverage.progress import Progress
from producers.connector.coverage.read_ranges import joined, shared, touched
from producers.relay_client.page import BEGINNING, FOREVER
from schemas.ranges import Range, complement, merge, subtract
from schemas.records.coverage import FilterCoverage, GapReason, ReadRange

MAX_RANGES = 2000
"""Of all sets of a relay together, 40 bytes each in a record. Beyond it what was read at different times is joined, and
the oldest are forgotten: read again."""


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
        self._gaps = OpenGaps(stored.filter, stored.gaps)

    @property
    def end_s(self) -> int | None:
        """The second after the newest one that was read."""
        return self._read[-1][1] + 1 if self._read else None

    @property
    def ranges(self) -> list[Range]:
        """What was read."""
        return [(since, until) for since, until, _ in self._read]

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
        return subtract(complement(subtract(self.ranges, again), BEGINNING, now_s), self._gaps.waiting(now_s))

    def next_due_s(self, passes: Iterable[LatePass], now_s: int) -> int | None:
        """When a gap or a late pass is due next."""
        due = [self._gaps.next_due_s, *[self._pass_due_s(late, now_s) for late in passes]]
        return min((due_s for due_s in due if due_s is not None), default=None)

    def withheld(self, since: int, until: int) -> bool:
        """Whether the relay is known to withhold something of these seconds."""
        return bool(self._gaps.touching(since, until, GapReason.WITHHELD))

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
            if gap.reason in CORRECTS:
                self.forget(parts)
            else:
                first, last = touched(self._read, gap.since, gap.until)
                parts = subtract(parts, [(since, until) for since, until, _ in self._read[first:last]])
            if gap.reason is not GapReason.WITHHELD:
                # Another failure says nothing about what is withheld.
                parts = subtract(parts, self._gaps.touching(gap.since, gap.until, GapReason.WITHHELD))
                self._gaps.put_off([(gap.since, gap.until)], asked_s)
            for since, until in parts:
                self._gaps.open(since, until, gap.reason, asked_s)
        self._join_oldest_gaps(MAX_GAPS)
        if settles_withheld:
            for since, until in read:
                self._gaps.close(since, until)
        else:
            self._gaps.put_off(read, asked_s)
        if read:
            self.mark_read(read, asked_s)
        return bool(read or gaps)

    def mark_read(self, read: Sequence[Range], at_s: int) -> None:
        """These were read completely, but for what is known to be withheld."""
        withheld = [gap for since, until in read for gap in self._gaps.touching(since, until, GapReason.WITHHELD)]
        read = subtract(read, withheld)
        self.forget(read)
        self._read = joined(sorted([*self._read, *[(since, until, at_s) for since, until in merge(read)]]), at_s)
        if len(self._read) > MAX_RANGES:
            self._read = joined(self._read, at_s, within_s=FOREVER)[-MAX_RANGES:]
        for since, until in read:
            self._gaps.close(since, until)

    def heard(self, since: int, until: int, at_s: int) -> None:
        """A feed brought all that came; what a crawl has found to lack in these seconds lacks still."""
        self.mark_read(subtract([(since, until)], self._gaps.touching(since, until, *CORRECTS)), at_s)

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
        self._gaps.drop(GapReason.BY_KINDS)
        if whole:
            for since, until, read_at in common:
                self.mark_read([(since, until)], read_at)
            return
        named = [(since, until) for since, until, _ in common]
        for since, until in subtract(named, [*self.ranges, *self._gaps.ranges]):
            self._gaps.insert(OpenGap(since, until, GapReason.BY_KINDS, 1, 0))

    def check(self, now_s: int) -> None:
        """Drop what claims to have been read, or to be asked, later than may be: a clock was ahead."""
        checked_s, self._checked_s = self._checked_s, now_s
        if checked_s is not None and checked_s <= now_s + TOLERANCE_S:
            return
        latest_s = int(now_s + TOLERANCE_S)
        self._passed_s = {late: min(passed_s, latest_s) for late, passed_s in self._passed_s.items()}
        self._read = [
            (since, min(until, latest_s), read_at)
            for since, until, read_at in self._read
            if since <= latest_s and read_at <= latest_s
        ]
        self._gaps.cut_off(latest_s)

    def record(self, sets: int) -> FilterCoverage:
        """The set as one of so many in a record."""
        self._join_oldest_gaps(MAX_GAPS // sets)
        return FilterCoverage(
            filter=self.filter,
            wire=self.wire,
            identity=self.identity,
            read=self._read[-(MAX_RANGES // sets) :],
            gaps=self._gaps.record(),
        )

    def _pass_due_s(self, late: LatePass, now_s: int) -> int | None:
        """When a late pass is due; one that was begun and not finished is not begun again at once."""
        read = [read_at for _, until, read_at in self._read if until >= now_s - late.span_s]
        if not read:
            return None
        return max(min(read) + late.every_s, self._passed_s.get(late, 0) + int(FIRST_RETRY_S))

    def _join_oldest_gaps(self, most: int) -> None:
        """Keep so many gaps. What lies between those that are joined is to be read again."""
        span = self._gaps.join_oldest(most)
        if span is not None:
            self.forget([span])
