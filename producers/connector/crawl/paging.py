"""Reads one window page by page, and knows when it is read.

A page of a relay that is known to send the newest first is followed by a question for what lies below it
(`newest_first`); any other relay is asked for parts of the window, until each fits a page (`any_order`). A range ends
with the hint `finish` (NIP-67), or when a second question, which names the kinds that are known, shows nothing that the
first had not shown (`range_end`).
"""

from __future__ import annotations

from producers.connector.crawl.any_order import after_any_order
from producers.connector.crawl.newest_first import Top, after_lost_connection, after_newest_first, compare_top
from producers.connector.crawl.page_order import Order
from producers.connector.crawl.pages import FOREVER, Gap, Page, Progress, Query, Seen
from producers.connector.crawl.pending_range import Mode, Outcome, Piece, apart
from producers.connector.crawl.range_end import after_check, after_nothing
from producers.connector.known_filters import RelayVocabulary, readable_kinds, says_kinds
from producers.connector.relay_behavior import Habits
from schemas.nostr.filters import Filter
from schemas.ranges import Range
from schemas.records.coverage import GapReason


class WindowReader:
    """One window: ask `query`, feed the page, until `query` is None."""

    def __init__(self, window: Range, base: Filter, vocabulary: RelayVocabulary, habits: Habits) -> None:
        """Read a window with the filter `base`, learning into `habits` how the relay answers."""
        self.queries = 0
        self.largest_page = 0
        self.full_second: tuple[int, list[Seen]] | None = None
        """A second with more events than a page, and those shown of it. Whoever takes it apart sets this to None."""
        self._window = window
        self._base = base
        self._vocabulary = vocabulary
        self._habits = habits
        self._pieces = [Piece(*window)]
        self._order = Order(habits)
        self._asks_for_all = says_kinds(base) or not readable_kinds(base, vocabulary, 1)

    @property
    def left(self) -> list[Range]:
        """What is unread, the newest first."""
        return [(piece.since, piece.until) for piece in reversed(self._pieces)]

    def query(self) -> Query | None:
        """What to ask next; None when the window is settled. The same until `feed` is called."""
        if not self._pieces:
            return None
        piece = self._pieces[-1]
        asked = piece.query(self._habits, self._kinds(piece), trusted=self._order.trusted(piece))
        page = self._order.on_trial
        return asked if page is None else self._order.trial(page, asked)

    def skip(self, seconds: int, reason: GapReason) -> Progress:
        """Leave so many seconds, from the newest unread one down, as a gap."""
        piece = self._pieces.pop()
        self._order.on_trial = None
        low = max(piece.since, piece.until - seconds + 1)
        if piece.since < low:
            self._pieces.append(Piece(piece.since, low - 1))
        return Progress(gaps=[Gap(low, piece.until, reason)])

    def refused(self, reason: GapReason) -> Progress | None:
        """The relay does not answer the present question. None if it is the open one: then it answers nothing."""
        piece = self._pieces[-1]
        if self._order.on_trial is not None:
            self._habits.unsorted = True
            self._order.on_trial = None
            return Progress()
        if piece.mode is Mode.OPEN:
            return None
        if self._habits.lower_kinds():
            return Progress()
        return self._take(Outcome(piece.unread(reason)))

    def feed(self, page: Page) -> Progress:
        """Take in the page that answers `query`."""
        self.queries += 1
        piece = self._pieces[-1]
        self.largest_page = max(self.largest_page, sum(1 for seen in page.events if seen.at >= piece.since))
        if page.older and not self._habits.ignores_since:
            self._habits.ignores_since = True
            return Progress()
        self._learn_bounds(piece, page)
        if piece.mode is not Mode.CHECK:
            self._order.learn(page.events)
        if self._order.on_trial is not None:
            tried = self._order.judge(piece, page)
            if tried is None:
                return Progress()
            page = tried
        inside = [seen for seen in page.events if piece.since <= seen.at <= piece.until]
        if any(seen.at > piece.until for seen in page.events) and not (
            inside and self._habits.is_short(len(page.events))
        ):
            # The one second more may have filled the page, and has shown that it need not be asked for.
            return Progress()
        if piece.mode is not Mode.CHECK:
            return self._taken(piece, inside, page)
        trusted, kinds = self._order.trusted(piece), self._kinds(piece) or ()
        return self._take(after_check(piece, inside, page, self._habits, trusted=trusted, kinds=kinds))

    def cut(self, page: Page) -> Progress:
        """Take in the beginning of an answer, the rest of which went with the connection: it may be asked again."""
        piece = self._pieces[-1]
        inside = [seen for seen in page.events if piece.since <= seen.at <= piece.until]
        on_trial = self._order.on_trial is not None
        if on_trial or piece.mode is Mode.CHECK or not inside or not self._order.trusted(piece):
            return Progress()
        return self._take(after_lost_connection(piece, inside, self._habits))

    def flooded(self, page: Page) -> Progress:
        """Take in the beginning of an answer that was cut off for its length: more than fits was asked for."""
        self.queries += 1
        self.largest_page = max(self.largest_page, len(page.events))
        piece = self._pieces[-1]
        self._order.on_trial = None
        inside = [seen for seen in page.events if piece.since <= seen.at <= piece.until]
        if not inside or piece.mode is Mode.CHECK:
            return self._take(Outcome(piece.unread(GapReason.FILTER_IGNORED)))
        self._order.learn(page.events)
        if not self._order.trusted(piece):
            return self._take(apart(piece, inside))
        shows_all = self._shows_all(piece)
        return self._take(after_newest_first(piece, inside, page, self._habits, shows_all=shows_all))

    def _learn_bounds(self, piece: Piece, page: Page) -> None:
        """How much fits a page, and whether the second `until` is part of what is asked."""
        self._habits.ignores_limit |= len(page.events) > self._habits.limit
        if page.cut is None:
            self._habits.cap = max(self._habits.cap, len(page.events))
        asked = piece.asked_until(self._habits, trusted=self._order.trusted(piece))
        if asked < FOREVER and any(seen.at == asked for seen in page.events):
            self._habits.exclusive_until = False

    def _taken(self, piece: Piece, inside: list[Seen], page: Page) -> Progress:
        """Take in the answer to the filter as it is, or to the one with kinds that stands for it."""
        self._order.descended(piece, inside)
        trusted = self._order.trusted(piece)
        # The newest come first, also of an answer that broke off later.
        if trusted and (page.cut is None or inside):
            match compare_top(piece, inside, self._habits):
                case Top.CONTRADICTS:
                    return self._contradicted(piece)
                case Top.UNCLEAR:
                    piece.probe = True
                    return Progress()
        if page.finished:
            return self._take(Outcome(piece.settled()))
        shows_all = self._shows_all(piece)
        if not inside:
            return self._take(after_nothing(piece, page, self._habits, trusted=trusted, shows_all=shows_all))
        if not trusted and self._order.wants_trial(page):
            self._order.begin_trial(page)
            return Progress()
        after = after_newest_first if trusted else after_any_order
        return self._take(after(piece, inside, page, self._habits, shows_all=shows_all))

    def _take(self, outcome: Outcome) -> Progress:
        """Go on with what is left of the range that was asked about."""
        self._pieces[-1:] = outcome.left
        if outcome.full_second is not None:
            self.full_second = outcome.full_second
        return outcome.progress

    def _contradicted(self, piece: Piece) -> Progress:
        """The relay does not show again what it has shown: read the window again, without trust in its order."""
        self._habits.contradictions += 1
        self._order.distrusted = True
        self._pieces = [Piece(*self._window)]
        return Progress(gaps=[Gap(piece.until, self._window[1], GapReason.DISAGREEMENT)])

    def _shows_all(self, piece: Piece) -> bool:
        """Whether a question with kinds could show nothing else: there is nothing else to ask for, or it was asked."""
        return self._asks_for_all or piece.mode is Mode.EXPLICIT

    def _kinds(self, piece: Piece) -> tuple[int, ...] | None:
        if piece.mode is Mode.OPEN:
            return None
        return readable_kinds(self._base, self._vocabulary, self._habits.most_kinds)
