"""Detects whether a relay sends the newest events first: from its pages, and by one test before it is relied upon."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from producers.connector.crawl.planning.pending_range import PendingRange
from producers.connector.crawl.planning.steps import Query
from producers.connector.relay_behavior import RelayBehavior
from producers.relay_client.page import Page, Seen
from schemas.ranges import Range

MOST_FACTORIAL = 20
"""Events of one page that count as evidence; ten are enough, and factorials of thousands are costly."""


class PageOrder:
    """What is relied upon while one window is read.

    A page that is sorted newest first may still hold the oldest events, or any. So the relay is asked for the newer
    half of a page, then for the other half without its oldest second: if both are what the page has, the page is taken
    as the newest. Half of an answer is room for what was left out, also where some are withheld. The second of the
    middle, which both halves have, tells that the relay answers, and whether it takes `until` as exclusive.
    """

    def __init__(self, behavior: RelayBehavior) -> None:
        """Rely on what is known of the relay so far."""
        self.on_trial: Page | None = None
        """A page that is not taken in yet."""
        self._half_passed = False
        self._one_more = False
        self.distrusted = False
        """The relay has contradicted itself in this window."""
        self._behavior = behavior
        self._vouched: Range | None = None

    def trusted(self, pending: PendingRange) -> bool:
        """Whether pages of a range are taken as beginning with the newest."""
        # A page that was whole passes any trial, so a trial is evidence for its own page only.
        return not self.distrusted and self._behavior.trusted(vouched=self._vouched == (pending.since, pending.until))

    def learn(self, events: Sequence[Seen]) -> None:
        """Look at the order in which a page came."""
        seconds = [seen.at for seen in events]
        if any(later > earlier for earlier, later in itertools.pairwise(seconds)):
            self._behavior.unsorted = True
        else:
            self._behavior.order_bits += math.log2(math.factorial(min(len(set(seconds)), MOST_FACTORIAL)))

    def wants_trial(self, page: Page) -> bool:
        """Whether the relay is to be asked for what is newer than this page. A short page is not worth it."""
        return (
            not self.distrusted
            and not self._behavior.is_short(len(page.events))
            and self._behavior.trusted(vouched=True)
        )

    def trial(self, page: Page, asked: Query) -> Query:
        """What to ask for its newer half, or for the other half without the oldest second."""
        if self._behavior.ignores_since:
            count = len(page.events)
            return asked._replace(limit=max(1, count - 1 if self._half_passed else count // 2))
        if not self._asks_below:
            return asked._replace(since=_middle(page))
        one_more = self._one_more or self._behavior.exclusive_until is True
        return asked._replace(since=_above_oldest(page), until=_middle(page) + one_more)

    def begin_trial(self, page: Page) -> None:
        """Ask about a page before it is taken in."""
        self.on_trial, self._half_passed, self._one_more = page, False, False

    def judge(self, pending: PendingRange, answer: Page) -> Page | None:
        """Take in the answer for the page on trial; that page, if the trial is over."""
        page = self.on_trial
        if page is None:
            raise RuntimeError("no page is on trial")
        ids = {seen.id for seen in page.events}
        since = _above_oldest(page) if self._half_passed else _middle(page)
        newer = [seen for seen in answer.events if since <= seen.at <= pending.until]
        if any(seen.id not in ids for seen in newer):
            # Not for good: an event may just have come.
            self._behavior.contradictions += 1
            self.distrusted = True
        elif answer.cut is not None:
            self.distrusted = True
        elif not self._telling(page) <= {seen.id for seen in newer}:
            if self._asks_below and self._behavior.exclusive_until is None and not self._one_more:
                self._one_more = True
                return None
            self.distrusted = True
        elif not self._half_passed and _middle(page) != _above_oldest(page):
            self._half_passed = True
            return None
        else:
            self._vouched = pending.since, pending.until
            if self._asks_below and self._behavior.exclusive_until is None:
                self._behavior.exclusive_until = self._one_more
        self.on_trial = None
        return page

    @property
    def _asks_below(self) -> bool:
        """Whether what is asked for ends with the middle of the page."""
        return self._half_passed and not self._behavior.ignores_since

    def _telling(self, page: Page) -> set[str]:
        """What the answer shows in any case, if it is one: the newest second that was asked for."""
        newest = _middle(page) if self._asks_below else max(seen.at for seen in page.events)
        return {seen.id for seen in page.events if seen.at == newest}

    def descended(self, pending: PendingRange, inside: Sequence[Seen]) -> None:
        """Look at what came below a page that had nothing above: one picked at random would rarely be the newest."""
        if pending.above and any(seen.at == pending.until for seen in inside):
            below = len(pending.fresh(inside))
            self._behavior.proof_bits += math.log2(math.comb(pending.above + below, below))


def _above_oldest(page: Page) -> int:
    """The oldest second of which the page must have all; of a page of one second, that second."""
    oldest, newest = min(seen.at for seen in page.events), max(seen.at for seen in page.events)
    return min(oldest + 1, newest)


def _middle(page: Page) -> int:
    """A second above the oldest, if there is one: then more events than those of the page fit the answer."""
    seconds = sorted(seen.at for seen in page.events)
    return next((second for second in seconds[len(seconds) // 2 :] if second > seconds[0]), seconds[-1])
