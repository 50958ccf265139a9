"""Which stored events to ask a relay for next: a pure state machine over pages, without clock or I/O.

Newest first: a page is asked with `until` at the oldest second seen, that second included, because a page may end in
the middle of it (NIP-01 allows any number of events in a second). Nothing is concluded from a short page: relays cap
pages silently and count events that they then withhold (nostr-facts section 11, rules 1 to 4 and 9). Only an empty page
or the hint `finish` (NIP-67) ends a range.

A second that fills a whole page cannot be paged through: it is stepped over and reported as a gap. Splitting it by kind
would begin where `_step_over` reports that.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from producers.relays.habits import Habits
from schemas.ranges import Range

BEGINNING = 0
"""Stands for the beginning of time: a REQ without `since`. Events before 1970 are asked for with it too."""
FOREVER = 2**63 - 1
"""Stands for the end of time: a REQ without `until`. Also the largest integer that relays' databases know."""

DENSE_SECOND = "dense_second"
FILTER_IGNORED = "filter_ignored"
NO_EOSE = "no_eose"
WITHHELD = "withheld"


class Query(NamedTuple):
    """What to ask: bounds in seconds, both included, None for none; never more than `limit` events."""

    since: int | None
    until: int | None
    limit: int


@dataclass(frozen=True, slots=True)
class Page:
    """What came for one query.

    Attributes:
        events: (created_at, id) of each event that fits the query, in order of arrival, no id twice.
        complete: whether the relay said EOSE; else it fell silent.
        hints: what came with the EOSE (NIP-67).
        misfits: how many events came that do not fit the query.
    """

    events: list[tuple[int, str]]
    complete: bool = True
    hints: frozenset[str] = frozenset()
    misfits: int = 0


class Gap(NamedTuple):
    """Seconds, both bounds included, that could not be read, and why."""

    since: int
    until: int
    reason: str


@dataclass(slots=True)
class Progress:
    """What a page settled: ranges read completely, and gaps."""

    read: list[Range] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)


@dataclass(slots=True)
class _Piece:
    """A range still to be read, the ids already known of one of its seconds, and how `until` is being asked for."""

    since: int
    until: int
    known_at: int | None = None
    known: frozenset[str] = frozenset()
    probe: bool = False
    plain: bool = False


class Planner:
    """Reads ranges of one relay with one filter, newest first: ask `query`, fetch the page, `feed` it, until None."""

    def __init__(self, ranges: Iterable[Range], habits: Habits) -> None:
        """Begin with ranges of seconds (see `BEGINNING` and `FOREVER`); `habits` is learnt from and into."""
        self._pieces = [_Piece(since, until) for since, until in sorted(ranges)]
        self._habits = habits

    @property
    def position(self) -> int | None:
        """The second below which the present range is unread; None when all is read."""
        return self._pieces[-1].until if self._pieces else None

    def query(self) -> Query | None:
        """What to ask next; None when nothing is left. The same until `feed` is called."""
        if not self._pieces:
            return None
        piece = self._pieces[-1]
        until = self._asked_until(piece)
        return Query(
            since=piece.since if piece.since > BEGINNING else None,
            until=until if until < FOREVER else None,
            limit=self._habits.limit,
        )

    def abandon(self, reason: str) -> Progress:
        """Leave everything that is unread as gaps."""
        gaps = [Gap(piece.since, piece.until, reason) for piece in reversed(self._pieces)]
        self._pieces.clear()
        return Progress(gaps=gaps)

    def skip(self, seconds: int, reason: str) -> Progress:
        """Leave so many seconds, from the present position down, as a gap."""
        piece = self._pieces.pop()
        low = max(piece.since, piece.until - seconds + 1)
        if piece.since < low:
            self._pieces.append(_Piece(piece.since, low - 1))
        return Progress(gaps=[Gap(low, piece.until, reason)])

    def feed(self, page: Page) -> Progress:
        """Take in the page that answers `query`."""
        piece = self._pieces[-1]
        asked = self._asked_until(piece)
        if page.complete:
            self._habits.cap = max(self._habits.cap, len(page.events))
        events = [(min(max(at, BEGINNING), FOREVER), event_id) for at, event_id in page.events]
        if asked < FOREVER and any(at == asked for at, _ in events):
            self._habits.exclusive_until = False
        inside = [(at, event_id) for at, event_id in events if piece.since <= at <= piece.until]
        if self._asks_again(piece, inside, any_event=bool(events)):
            return Progress()
        if not inside:
            return self._end(piece, page)
        return self._advance(piece, inside, page)

    def _asked_until(self, piece: _Piece) -> int:
        """One second more where `until` is, or may be, taken as exclusive."""
        exclusive = self._habits.exclusive_until
        unsure = exclusive is None and (piece.probe or piece.known_at != piece.until) and not piece.plain
        return min(piece.until + 1, FOREVER) if exclusive or unsure else piece.until

    def _asks_again(self, piece: _Piece, inside: list[tuple[int, str]], *, any_event: bool) -> bool:
        """Whether the page only taught how to ask, so that the same range must be asked for once more."""
        at_top = any(at == piece.until for at, _ in inside)
        if piece.probe:
            # Present with one second more, absent without: exclusive. Absent with both: the events are gone.
            if at_top and self._habits.exclusive_until is None:
                self._habits.exclusive_until = True
        elif piece.known_at == piece.until and self._habits.exclusive_until is None and not at_top:
            # Events of this second are known to be there, and newest first they come first.
            piece.probe = True
            return True
        if not inside and any_event and not piece.plain:
            # The page was filled by the one second more.
            piece.plain = True
            return True
        return False

    def _end(self, piece: _Piece, page: Page) -> Progress:
        """Settle a range of which the relay gives nothing more."""
        self._pieces.pop()
        reason = None
        if page.misfits:
            reason = FILTER_IGNORED
        elif not page.complete:
            reason = NO_EOSE
        elif "more" in page.hints:
            reason = WITHHELD
        if reason is not None:
            return Progress(gaps=[Gap(piece.since, piece.until, reason)])
        return Progress(read=[(piece.since, piece.until)])

    def _advance(self, piece: _Piece, inside: list[tuple[int, str]], page: Page) -> Progress:
        seconds = [at for at, _ in inside]
        low, high = min(seconds), max(seconds)
        if "finish" in page.hints and page.complete:
            self._pieces.pop()
            return Progress(read=[(piece.since, piece.until)])
        self._learn_order(seconds, low, high)
        if not any(event_id not in piece.known for _, event_id in inside) or low == piece.until:
            # Asking the same again would bring the same: everything above `low` is settled, `low` as far as it goes.
            return self._step_over(piece, low, len(inside), page)
        self._pieces.pop()
        if self._habits.trusted():
            self._pieces.append(_continued(piece.since, low, low, inside))
            return Progress(read=[(low + 1, piece.until)])
        if not page.complete:
            # What part of the range an unfinished page in no known order covers, nobody knows.
            return Progress(gaps=[Gap(piece.since, piece.until, NO_EOSE)])
        # Maybe the oldest events came instead of the newest: what is above the page must be asked for as well.
        self._pieces.append(_continued(piece.since, low, low, inside))
        if low < high:
            self._pieces.append(_continued(high, piece.until, high, inside))
            return Progress(read=[(low + 1, high - 1)] if high - low > 1 else [])
        # A page of one second is asked for from the next on, so that each such part is smaller than the one before.
        self._pieces.append(_Piece(high + 1, piece.until))
        return Progress()

    def _learn_order(self, seconds: list[int], low: int, high: int) -> None:
        if any(later > earlier for earlier, later in itertools.pairwise(seconds)):
            self._habits.unsorted = True
        elif low < high:
            self._habits.newest_first = True

    def _step_over(self, piece: _Piece, low: int, events: int, page: Page) -> Progress:
        """Go on below a second of which the page shows all that can be read."""
        self._pieces.pop()
        progress = Progress()
        reason = None
        if not page.complete:
            reason = NO_EOSE
        elif self._habits.fills_a_page(events):
            reason = DENSE_SECOND
        if reason is not None:
            progress.gaps.append(Gap(low, low, reason))
        settled = low if reason is None else low + 1
        if settled <= piece.until:
            progress.read.append((settled, piece.until))
        if piece.since < low:
            self._pieces.append(_Piece(piece.since, low - 1))
        return progress


def _continued(since: int, until: int, at: int, inside: list[tuple[int, str]]) -> _Piece:
    """A range that shares the second `at` with the page just read."""
    return _Piece(since, until, at, frozenset(event_id for second, event_id in inside if second == at))
