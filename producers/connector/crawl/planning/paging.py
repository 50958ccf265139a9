"""Reads one window page by page, and detects when it is complete.

A page of a relay that is known to send the newest first is followed by a question for what lies below it
(`newest_first`); any other relay is asked for parts of the window, until each fits a page (`any_order`). A range ends
with the hint `finish` (NIP-67), or when a second question, which names the kinds that are known, shows nothing that the
first had not shown (`range_end`).
"""

from __future__ import annotations

from producers.connector.coverage.progress import Gap, Progress
from producers.connector.crawl.planning.any_order import after_any_order
from producers.connector.crawl.planning.newest_first import Top, after_lost_connection, after_newest_first, compare_top
from producers.connector.crawl.planning.page_order import PageOrder
from producers.connector.crawl.planning.pending_range import Mode, Outcome, PendingRange, apart
from producers.connector.crawl.planning.range_end import after_check, after_nothing
from producers.connector.crawl.planning.steps import Query
from producers.connector.known_filters import RelayKnownFilters, readable_kinds, says_kinds
from producers.connector.relay_behavior import RelayBehavior
from producers.relay_client.page import FOREVER, Page, Seen
from schemas.nostr.filters import Filter
from schemas.ranges import Range
from schemas.records.coverage import GapReason


class WindowReader:
    """One window: ask `query`, feed the page, until `query` is None."""

    def __init__(self, window: Range, base: Filter, known_filters: RelayKnownFilters, behavior: RelayBehavior) -> None:
        """Read a window with the filter `base`, learning into `behavior` how the relay answers."""
        self.queries = 0
        self.largest_page = 0
        self.full_second: tuple[int, list[Seen]] | None = None
        """A second with more events than a page, and those shown of it. The caller that splits it sets this to None."""
        self._window = window
        self._base = base
        self._known_filters = known_filters
        self._behavior = behavior
        self._pending = [PendingRange(*window)]
        self._order = PageOrder(behavior)
        self._asks_for_all = says_kinds(base) or not readable_kinds(base, known_filters, 1)

    @property
    def left(self) -> list[Range]:
        """What is unread, the newest first."""
        return [(pending.since, pending.until) for pending in reversed(self._pending)]

    def query(self) -> Query | None:
        """What to ask next; None when the window is settled. The same until `feed` is called."""
        if not self._pending:
            return None
        pending = self._pending[-1]
        asked = pending.query(self._behavior, self._kinds(pending), trusted=self._order.trusted(pending))
        page = self._order.on_trial
        return asked if page is None else self._order.trial(page, asked)

    def skip(self, seconds: int, reason: GapReason) -> Progress:
        """Leave so many seconds, from the newest unread one down, as a gap."""
        pending = self._pending.pop()
        self._order.on_trial = None
        low = max(pending.since, pending.until - seconds + 1)
        if pending.since < low:
            self._pending.append(PendingRange(pending.since, low - 1))
        return Progress(gaps=[Gap(low, pending.until, reason)])

    def refused(self, reason: GapReason) -> Progress | None:
        """The relay does not answer the present question. None if it is the open one: then it answers nothing."""
        pending = self._pending[-1]
        if self._order.on_trial is not None:
            self._behavior.unsorted = True
            self._order.on_trial = None
            return Progress()
        if pending.mode is Mode.OPEN:
            return None
        if self._behavior.lower_kinds():
            return Progress()
        return self._take(Outcome(pending.unread(reason)))

    def feed(self, page: Page) -> Progress:
        """Take in the page that answers `query`."""
        pending = self._pending[-1]
        # A trial says nothing about the length of the window.
        self.queries += self._order.on_trial is None
        self.largest_page = max(self.largest_page, sum(1 for seen in page.events if seen.at >= pending.since))
        if page.older and not self._behavior.ignores_since:
            self._behavior.ignores_since = True
            return Progress()
        self._learn_bounds(pending, page)
        if pending.mode is not Mode.CHECK:
            self._order.learn(page.events)
        # A page that was tried, or asked for with another bound, was looked at before.
        first = self._order.on_trial is None and not pending.probe
        if self._order.on_trial is not None:
            tried = self._order.judge(pending, page)
            if tried is None:
                return Progress()
            page = tried
        inside = [seen for seen in page.events if pending.since <= seen.at <= pending.until]
        if any(seen.at > pending.until for seen in page.events) and not (
            inside and self._behavior.is_short(len(page.events))
        ):
            # The one second more may have filled the page, and has shown that it need not be asked for.
            return Progress()
        if pending.mode is not Mode.CHECK:
            if first:
                self._order.descended(pending, inside)
            return self._taken(pending, inside, page)
        trusted, kinds = self._order.trusted(pending), self._kinds(pending) or ()
        return self._take(after_check(pending, inside, page, self._behavior, trusted=trusted, kinds=kinds))

    def cut(self, page: Page) -> Progress:
        """Take in the beginning of an answer, the rest of which went with the connection: it may be asked again."""
        pending = self._pending[-1]
        inside = [seen for seen in page.events if pending.since <= seen.at <= pending.until]
        on_trial = self._order.on_trial is not None
        if on_trial or pending.mode is Mode.CHECK or not inside or not self._order.trusted(pending):
            return Progress()
        return self._take(after_lost_connection(pending, inside, self._behavior))

    def flooded(self, page: Page) -> Progress:
        """Take in the beginning of an answer that was cut off for its length: more than fits was asked for."""
        self.queries += 1
        self.largest_page = max(self.largest_page, len(page.events))
        pending = self._pending[-1]
        self._order.on_trial = None
        inside = [seen for seen in page.events if pending.since <= seen.at <= pending.until]
        if not inside or pending.mode is Mode.CHECK:
            return self._take(Outcome(pending.unread(GapReason.FILTER_IGNORED)))
        self._order.learn(page.events)
        if not self._order.trusted(pending):
            return self._take(apart(pending, inside))
        shows_all = self._shows_all(pending)
        return self._take(after_newest_first(pending, inside, page, self._behavior, shows_all=shows_all))

    def _learn_bounds(self, pending: PendingRange, page: Page) -> None:
        """How much fits a page, and whether the second `until` is part of what is asked."""
        self._behavior.ignores_limit |= len(page.events) > self._behavior.limit
        if page.cut is None:
            self._behavior.cap = max(self._behavior.cap, len(page.events))
        asked = pending.asked_until(self._behavior, trusted=self._order.trusted(pending))
        if asked < FOREVER and any(seen.at == asked for seen in page.events):
            self._behavior.exclusive_until = False

    def _taken(self, pending: PendingRange, inside: list[Seen], page: Page) -> Progress:
        """Take in the answer to the filter as it is, or to the one with kinds that stands for it."""
        trusted = self._order.trusted(pending)
        # The newest come first, also of an answer that broke off later.
        if trusted and (page.cut is None or inside):
            match compare_top(pending, inside, self._behavior):
                case Top.CONTRADICTS:
                    return self._contradicted(pending)
                case Top.UNCLEAR:
                    pending.probe = True
                    return Progress()
        if page.finished:
            return self._take(Outcome(pending.settled()))
        shows_all = self._shows_all(pending)
        if not inside:
            return self._take(after_nothing(pending, page, self._behavior, trusted=trusted, shows_all=shows_all))
        if not trusted and self._order.wants_trial(page):
            self._order.begin_trial(page)
            return Progress()
        after = after_newest_first if trusted else after_any_order
        return self._take(after(pending, inside, page, self._behavior, shows_all=shows_all))

    def _take(self, outcome: Outcome) -> Progress:
        """Go on with what is left of the range that was asked about."""
        self._pending[-1:] = outcome.left
        if outcome.full_second is not None:
            self.full_second = outcome.full_second
        return outcome.progress

    def _contradicted(self, pending: PendingRange) -> Progress:
        """The relay does not show again what it has shown: read the window again, without trust in its order."""
        self._behavior.contradictions += 1
        self._order.distrusted = True
        self._pending = [PendingRange(*self._window)]
        return Progress(gaps=[Gap(pending.until, self._window[1], GapReason.DISAGREEMENT)])

    def _shows_all(self, pending: PendingRange) -> bool:
        """Whether a question with kinds could show nothing else: there is nothing else to ask for, or it was asked."""
        return self._asks_for_all or pending.mode is Mode.EXPLICIT

    def _kinds(self, pending: PendingRange) -> tuple[int, ...] | None:
        if pending.mode is Mode.OPEN:
            return None
        return readable_kinds(self._base, self._known_filters, self._behavior.most_kinds)
