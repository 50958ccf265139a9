"""Parts of the archive's time, newest first: a statement that names one literally is planned for its months alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from core.archive.months import Month

MOST_MONTHS = 32
"""Of a window. A plan takes 50 µs for each, and a window of so many is only reached where little was found."""
FIRST_EVENTS = 1_000
"""Of the first window by events at least. Reading them all takes a few milliseconds."""
_EVENTS_A_RESULT = 4
"""Of the first window by events, for each event that is wanted: a tag of every fourth event needs one window."""
GROWTH = 16
"""By which windows by events grow where little is found: five steps from the first to a thousand million."""
_DATES_END_S = 32_503_680_000
"""The year 3000: all later times are one month."""
_EVENTS_A_PAGE = 8
"""Where no statistics were made yet."""


class Window(NamedTuple):
    """A part of time in Unix seconds.

    Attributes:
        from_s: included.
        to_s: not included.
        months: how many that are not empty it touches.
        events: about how many lie in it.
    """

    from_s: int
    to_s: int
    months: int
    events: int

    @property
    def where(self) -> str:
        """The condition by which the planner leaves out all other months."""
        # Quoted: -2^63 without quotes would be a numeric, and no index serves that.
        return f"created_at >= '{self.from_s}'::bigint AND created_at < '{self.to_s}'::bigint"


def whole_months(times_s: Iterable[int]) -> Window:
    """The calendar months (UTC) from the first of some times to the last; whole ones, so that few statements differ."""
    times_s = list(times_s)
    return Window(_start_of_month(min(times_s)), _start_of_next_month(max(times_s)), 0, 0)


def _start_of_month(at_s: int) -> int:
    return int(_first_day(min(at_s, _DATES_END_S)).timestamp())


def _start_of_next_month(at_s: int) -> int:
    if at_s >= _DATES_END_S:
        return 2**63 - 1
    return int(_first_day(int((_first_day(at_s) + timedelta(days=31)).timestamp())).timestamp())


def _first_day(at_s: int) -> datetime:
    return datetime.fromtimestamp(at_s, UTC).replace(day=1, hour=0, minute=0, second=0)


class Walk:
    """Gives windows of the months that are not empty, newest first.

    Args:
        months: in any order.
        since_s: only those that reach to this time; None: all.
        until_s: only those that begin by this time.
        by_events: begin with few events, and take as many further ones as the next result needs by what was found, none
            outside of the times; otherwise 1, 2, 4 … months, whole ones, so that few statements differ.
    """

    def __init__(self, months: Sequence[Month], since_s: int | None, until_s: int, *, by_events: bool) -> None:
        self._months = sorted((month for month in months if month.meets(since_s, until_s)), reverse=True)
        self._since_s = since_s if since_s is not None and by_events else None
        self._to_s = until_s + 1 if by_events else None
        self._by_events = by_events
        self._events = 0
        self._most_months = MOST_MONTHS if by_events else 1
        self._last: Window | None = None

    def next(self, found: int, wanted: int) -> Window | None:
        """The next window; None: there is none.

        Args:
            found: rows that the one before gave.
            wanted: how many are still missing.
        """
        if self._last is not None:
            self._grow(self._last, found, wanted)
        elif self._by_events:
            self._events = max(FIRST_EVENTS, _EVENTS_A_RESULT * wanted)
        if not self._months:
            return None
        newest = self._months[0]
        to_s = newest.to_s if self._to_s is None else min(newest.to_s, self._to_s)
        too_many = self._by_events and _share(newest, newest.from_s, to_s) > self._events
        window = self._piece(newest, to_s) if too_many and newest.name[0].isdigit() else self._whole(to_s)
        if self._since_s is not None and window.from_s <= self._since_s:
            window = window._replace(from_s=self._since_s)
            self._months.clear()
        if self._by_events:
            self._to_s = window.from_s
        self._last = window
        return window

    def _piece(self, month: Month, to_s: int) -> Window:
        """The newest part of a month that has more events than a window."""
        length_s = (to_s - month.from_s) * self._events // _share(month, month.from_s, to_s)
        from_s = to_s - max(length_s, 1)
        if from_s <= month.from_s:
            self._months.pop(0)
        return Window(from_s, to_s, 1, self._events)

    def _whole(self, to_s: int) -> Window:
        """One month, and as many further ones as fit."""
        from_s, taken, events = to_s, 0, 0
        while self._months and taken < self._most_months:
            month = self._months[0]
            rest = _share(month, month.from_s, min(month.to_s, to_s))
            # Not over a gap: the planner would take its empty months too.
            if taken and (month.to_s < from_s or (self._by_events and events + rest > self._events)):
                break
            self._months.pop(0)
            from_s, taken, events = month.from_s, taken + 1, events + rest
        return Window(from_s, to_s, taken, events)

    def _grow(self, last: Window, found: int, wanted: int) -> None:
        if not self._by_events:
            self._most_months = min(2 * self._most_months, MOST_MONTHS)
            return
        # Twice what the density of the last one would need, so that the next is likely to be enough.
        needed = 2 * wanted * max(last.events, 1) // found if found else GROWTH * self._events
        self._events = min(max(needed, self._events), GROWTH * self._events)


def _share(month: Month, from_s: int, to_s: int) -> int:
    """About how many events of a month lie in a part of it."""
    events = month.estimate or month.pages * _EVENTS_A_PAGE
    return events * (to_s - from_s) // (month.to_s - month.from_s)
