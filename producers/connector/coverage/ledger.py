"""Coverage of one relay in memory: filled by live feed and crawl, written to `coverage` when it is durable.

A filter that is read by lists of kinds has a set for each list, and is read itself as far as the lists name every kind
and all are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from core.clock import TOLERANCE_S
from producers.connector.coverage.filter_ledger import FilterLedger, LatePass
from producers.connector.coverage.filter_sets import FilterSets
from producers.connector.coverage.progress import Gap, Progress
from producers.connector.coverage.read_ranges import DAY_S
from producers.relay_client.page import FOREVER
from schemas.nostr.filters import Filter
from schemas.ranges import Range
from schemas.records.coverage import Coverage, GapReason

LOOKBACK_DAYS = 3
"""Events arrive late; gift wraps are dated back up to two days (NIP-59)."""
LATE_DAYS = 30
"""A month of a relay is read in minutes; what was imported later than that only shows in a crawl from the start."""
LATE_EVERY_DAYS = 7
SAME_VISIT_S = 3600
"""A relay that was away for longer begins a new visit."""
RECONNECT_OVERLAP_S = 600
"""A reconnect within a visit reads so far back again: clocks differ by minutes and relays store late."""


class ByKinds(NamedTuple):
    """How a filter is read that a relay does not take as it is.

    Attributes:
        parts: the filters that are asked instead.
        whole: whether together they ask for the same.
        besides: whether the filter is asked as it is too: what it shows is welcome, and does not tell where it ends.
    """

    parts: Sequence[Filter]
    whole: bool
    besides: bool = False


class Ledger:
    """One relay's coverage."""

    def __init__(
        self,
        relay: str,
        filters: Mapping[str, Filter],
        stored: Coverage | None,
        *,
        lookback_days: int = LOOKBACK_DAYS,
        late_days: int = LATE_DAYS,
    ) -> None:
        """Begin with what was stored.

        Args:
            relay: normalised URL.
            filters: the configured ones, by their hashes.
            stored: what was read before, with whatever filters.
            lookback_days: so far below its end the last visit is read again by each, and once a day.
            late_days: so far back everything is read again once a week; 0: never.
        """
        self.relay = relay
        self.cursor_s = stored.cursor_s if stored is not None else None
        self.identity: str | None = None
        self._filters = filters
        self._by_kinds: dict[str, ByKinds] = {}
        self.reading = dict(filters)
        """What is asked, by hash: the filters, or lists of kinds instead."""
        self._passes = [
            LatePass(days * DAY_S, every * DAY_S)
            for days, every in ((lookback_days, 1), (late_days, LATE_EVERY_DAYS))
            if days
        ]
        self._sets = FilterSets(stored.sets if stored is not None else [], lookback_days * DAY_S)
        self._updated_at_ms = stored.updated_at_ms if stored is not None else 0
        self.changes = 0
        """Counts changes, so that a writer knows whether there is something new."""
        self.crawled = 0
        """Counts those that are more than a moved cursor."""
        self.assume(None)

    @property
    def gaps(self) -> int:
        """How many gaps are known."""
        return sum(each.gaps for each in self._active())

    def assume(self, identity: str | None) -> None:
        """From now on everything is read as this public key; None: without AUTH."""
        self.identity = identity
        for name, wanted in {**self._filters, **self.reading}.items():
            self._sets.open(name, wanted, identity)

    def read_by_kinds(self, by_kinds: Mapping[str, ByKinds]) -> None:
        """From now on these filters (by their hashes) are read by lists of kinds, and all others as they are."""
        self._by_kinds = dict(by_kinds)
        besides = {name for name, each in by_kinds.items() if each.besides}
        self.reading = {
            name: wanted for name, wanted in self._filters.items() if name in besides or name not in by_kinds
        }
        self.reading |= {part.filter_hash(): part for each in by_kinds.values() for part in each.parts}
        self.assume(self.identity)

    def kind_lists(self, filter_hash: str) -> list[tuple[int, ...]]:
        """The lists of kinds by which a filter without kinds was read before, as far as the record shows them."""
        wire = self._filters[filter_hash].to_wire()
        lists = (
            shown.get("kinds") for shown in self._sets.wires() if {**shown, "kinds": None} == {**wire, "kinds": None}
        )
        return [tuple(kinds) for kinds in lists if kinds]

    def backlog(self, filter_hash: str, now_s: int) -> list[Range]:
        """What is to be crawled: what was not read until now, what a reconnect and late passes read again, gaps due.

        The range from now on is always part of it: events may be dated into the future, and no reading settles those.
        """
        self._check(now_s)
        self._visit(now_s)
        overlap_s = min(self._last_s(default=now_s), now_s) - RECONNECT_OVERLAP_S
        return [*self._set(filter_hash).backlog(overlap_s, now_s, self._passes), (now_s, FOREVER)]

    def read(self, filter_hash: str) -> list[Range]:
        """What counts as read of a filter."""
        return self._set(filter_hash).ranges

    def next_due_s(self, now_s: int) -> int | None:
        """When a gap or a late pass is due next."""
        due = [each.next_due_s(self._passes, now_s) for each in self._active()]
        return min((second for second in due if second is not None), default=None)

    def withheld(self, filter_hash: str, since: int, until: int) -> bool:
        """Whether the relay is known to withhold something of these seconds."""
        return self._set(filter_hash).withheld(since, until)

    def add(self, filter_hash: str, progress: Progress, asked_s: int, *, settles_withheld: bool = True) -> None:
        """Take in what a page settled.

        Args:
            filter_hash: the filter that was asked.
            progress: of the crawl.
            asked_s: when it was asked; neither a reading nor a gap says anything about what is dated later.
            settles_withheld: whether what was withheld would have come or been named.
        """
        if filter_hash in self._by_kinds:
            gaps = [Gap(since, until, GapReason.BY_KINDS) for since, until in progress.read]
            progress = Progress(gaps=[*progress.gaps, *gaps])
        if self._set(filter_hash).add(progress, asked_s, settles_withheld=settles_withheld):
            self.changes += 1
            self.crawled += 1

    def take_back(self, filter_hash: str, ranges: Iterable[Range]) -> None:
        """What was called read is not: it was concluded from answers that were not whole."""
        self._set(filter_hash).forget(ranges)
        self.changes += 1
        self.crawled += 1

    def heard(self, live_since_s: int, cursor_s: int) -> None:
        """The live feed of every filter was complete from `live_since_s` until `cursor_s`."""
        self._check(cursor_s)
        if self.cursor_s is not None and cursor_s <= self.cursor_s:
            return
        self._visit(cursor_s)
        # Only what is new: a feed says nothing again of the days before, which late passes go by.
        since_s = max(live_since_s, self.cursor_s or live_since_s)
        self.cursor_s = cursor_s
        if since_s < cursor_s:
            for name in self.reading:
                if name not in self._by_kinds:
                    self._set(name).heard(since_s, cursor_s - 1, cursor_s)
        self.changes += 1

    def record(self, now_ms: int) -> Coverage:
        """The record for `coverage`. It may be published once everything received until now is durable."""
        for name, by_kinds in self._by_kinds.items():
            if by_kinds.whole or not by_kinds.besides:
                parts = [self._set(part.filter_hash()) for part in by_kinds.parts]
                self._set(name).follow(parts, whole=by_kinds.whole)
        kept = self._sets.keep({**self._filters, **self.reading}, self.identity)
        sets = [each.record(len(kept)) for each in kept]
        # Readers keep the record that is dated last, which a clock that was ahead may have written.
        self._updated_at_ms = max(now_ms, self._updated_at_ms + 1)
        return Coverage(relay=self.relay, cursor_s=self.cursor_s, sets=sets, updated_at_ms=self._updated_at_ms)

    def _set(self, filter_hash: str) -> FilterLedger:
        return self._sets.of(filter_hash, self.identity)

    def _active(self) -> list[FilterLedger]:
        return [self._set(name) for name in self.reading]

    def _check(self, now_s: int) -> None:
        """Believe nothing that claims to be of later than now: the host's clock was ahead when it was noted."""
        if self.cursor_s is not None and self.cursor_s > now_s + TOLERANCE_S:
            self.cursor_s = None
            self.changes += 1
        self._sets.check(now_s)

    def _last_s(self, default: int) -> int:
        """When the relay was last followed or, if it never was, read."""
        if self.cursor_s is not None:
            return self.cursor_s
        return max((each.end_s - 1 for each in self._active() if each.end_s is not None), default=default)

    def _visit(self, now_s: int) -> None:
        if now_s - self._last_s(default=now_s) > SAME_VISIT_S:
            for each in self._active():
                self._sets.begin_visit(each)
