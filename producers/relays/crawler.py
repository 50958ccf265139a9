"""Reads the stored events of one relay over an open connection: does what the planner says, page by page."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import replace

from core.backoff import Backoff
from producers.relays.comparison import Compared, Comparing, Instead
from producers.relays.crawl import Planner
from producers.relays.dialogue import Dialogue
from producers.relays.habits import Habits
from producers.relays.ledger import Ledger
from producers.relays.pages import Difference, Progress, Query
from producers.relays.refusals import HOUR_S, MINUTE_S, RelayError, is_complaint
from producers.relays.subscriptions import PageSubscription
from producers.relays.vocabulary import Vocabulary
from schemas.coverage import GapReason
from schemas.filters import Filter

LONGEST_REST_S = HOUR_S
"""Between two looks at what is due: events may come that are dated into the future, which no feed is asked for."""
SHORTEST_REST_S = MINUTE_S
"""Gaps that are due one after another are asked for together."""
_MOST_REFUSALS = 8
"""In a row, of one query: with the back-off below that is half an hour of rate limits."""
_MOST_REFUSALS_ASIDE = 2
"""Of a query that asks in a special way, which a relay may refuse for its form."""
_RATE_LIMIT_FIRST_S = 2.0
_RATE_LIMIT_LONGEST_S = 300.0
"""Rate limits are counted per minute or per few minutes by all relays that name theirs."""
_NUMBER = re.compile(r"\d{1,9}")
_SKIP_FACTOR = 60
"""From a second to a minute, an hour, days: a frame that is too large is passed by in at most six steps."""


class Crawler:
    """One relay's crawl. Lives as long as the process keeps the relay; `run` is called for each connection."""

    def __init__(
        self,
        filters: Mapping[str, Filter],
        ledger: Ledger,
        habits: Habits,
        eose_timeout_s: float,
        *,
        vocabulary: Vocabulary | None = None,
        comparing: Comparing | None = None,
    ) -> None:
        """Read these filters (by their hashes), learning into `habits` and recording into `ledger`.

        Args:
            filters: what is read.
            ledger: says what is to be read.
            habits: of the relay.
            eose_timeout_s: so many seconds of silence end a page.
            vocabulary: of the process; None: one of its own.
            comparing: for differences with the archive; None: everything is paged through.
        """
        self._filters = filters
        self._ledger = ledger
        self._habits = habits
        self._eose_timeout_s = eose_timeout_s
        self._vocabulary = vocabulary or Vocabulary()
        self._comparing = comparing
        self._planners: dict[str, Planner] = {}
        self._skip_s = 0
        self.finished = asyncio.Event()
        """Set while all that can be read now is read."""
        self.problem: str | None = None
        """Why parts were left out at the last try."""
        self.compared = 0
        """Windows that were read by difference."""
        self.withheld = 0
        """Events that the relay said it has and did not give when it was asked for them by id."""

    def position(self) -> int | None:
        """The second down to which the relay is read; None when it is read."""
        positions = [planner.position for planner in self._planners.values() if planner.position is not None]
        return max(positions, default=None)

    async def run(self, dialogue: Dialogue) -> None:
        """Crawl what is unread, then whenever a gap or a late pass is due.

        Raises:
            RelayError: the connection has ended, or must.
        """
        while True:
            self.finished.clear()
            self.problem = None
            # An AUTH on the way changes whose coverage it is, and with it what is unread.
            while not await self._read(dialogue):
                pass
            self.finished.set()
            now_s = int(time.time())
            due_s = self._ledger.next_due_s(now_s)
            rest_s = due_s - now_s if due_s is not None else LONGEST_REST_S
            await asyncio.sleep(min(max(rest_s, SHORTEST_REST_S), LONGEST_REST_S))

    def passed_by(self) -> None:
        """Step over where a frame was too large to be received, further at each try: which event it was is unknown."""
        for name, planner in self._planners.items():
            if planner.position is not None:
                self._skip_s = max(1, self._skip_s * _SKIP_FACTOR)
                self._ledger.add(name, planner.skip(self._skip_s, GapReason.FRAME_TOO_LARGE), int(time.time()))
                return

    async def _read(self, dialogue: Dialogue) -> bool:
        """Read everything that is due; False if the relay has come to know us by another key meanwhile."""
        self._ledger.assume(dialogue.identity)
        now_s = int(time.time())
        self._planners = {
            name: Planner(
                self._ledger.backlog(name, now_s), self._habits, wanted, self._vocabulary, compares=self._may_compare
            )
            for name, wanted in self._filters.items()
        }
        # In turn, so that what every filter has read grows together.
        while any(planner.position is not None for planner in self._planners.values()):
            for name, planner in self._planners.items():
                match planner.step():
                    case Query() as query:
                        await self._ask(dialogue, name, planner, query, now_s)
                    case Difference() as difference:
                        await self._compare(dialogue, name, planner, difference, now_s)
                if dialogue.identity != self._ledger.identity:
                    return False
        return True

    def _may_compare(self) -> bool:
        return self._comparing is not None and self._comparing.possible

    async def _compare(self, dialogue: Dialogue, name: str, planner: Planner, asked: Difference, asked_s: int) -> None:
        outcome: Compared | Instead = Instead.PAGE
        if self._comparing is not None:
            outcome = await self._comparing.compare(
                dialogue,
                self._filters[name],
                asked.since,
                asked.until,
                limit=self._habits.limit,
                withheld=self._ledger.withheld(name, asked.since, asked.until),
            )
        if isinstance(outcome, Compared):
            self.compared += 1
            self.withheld += outcome.withheld
            progress = planner.compared(whole=True, withheld_in=outcome.withheld_in)
        else:
            progress = planner.compared(whole=False, too_many=outcome is Instead.SPLIT)
        self._ledger.add(name, progress, asked_s)

    def _add_page(self, name: str, progress: Progress, asked_s: int) -> None:
        """Record what a page settled: not what a relay withholds, as long as it can be asked whether it still does."""
        hopeful = self._comparing is not None and self._comparing.hopeful
        self._ledger.add(name, progress, asked_s, settles_withheld=not hopeful)

    async def _ask(self, dialogue: Dialogue, name: str, planner: Planner, query: Query, asked_s: int) -> None:
        """Fetch one page, however often the relay has to be asked, and let planner and ledger take it in."""
        backoff = Backoff(_RATE_LIMIT_FIRST_S, _RATE_LIMIT_LONGEST_S)
        reason = GapReason.CLOSED
        for _ in range(_MOST_REFUSALS if query.kinds is None else _MOST_REFUSALS_ASIDE):
            # The limit may have been lowered meanwhile.
            query = query._replace(limit=self._habits.limit)
            dialogue.notice = None
            page = await dialogue.request_page(_narrowed(self._filters[name], query))
            try:
                await dialogue.wait_for(page, self._eose_timeout_s)
                await dialogue.release(page)
            except RelayError:
                # What came before the end is in order: newest first, it settles what lies above it.
                if page.events and self._habits.trusted():
                    self._add_page(name, planner.feed(page.page()), asked_s)
                planner.connection_lost()
                raise
            complaint = dialogue.notice is not None and is_complaint(dialogue.notice.text)
            silent = page.closed is None and page.eose is None and dialogue.notice is None
            if page.answered or silent or (page.events and not _is_refusal(page)):
                if silent:
                    # It may still answer other questions: some relays say nothing where they have nothing.
                    self.problem = str(GapReason.NO_EOSE)
                self._add_page(name, planner.feed(page.page(complaint=complaint)), asked_s)
                if query.until is not None:  # The future is asked about first each time, and never has the large one.
                    self._skip_s = 0
                return
            refused = await self._refused(dialogue, page, backoff)
            if dialogue.identity != self._ledger.identity:
                return
            if refused is None:
                continue
            reason = refused
            if reason is not GapReason.RATE_LIMITED:
                break
        self.problem = str(reason)
        self._ledger.add(name, planner.refused(reason), asked_s)

    async def _refused(self, dialogue: Dialogue, page: PageSubscription, backoff: Backoff) -> GapReason | None:
        """Do what a refusal asks for; None if the query may be tried again, else why not yet."""
        closed = page.closed
        said = closed.text if closed is not None else dialogue.notice.text if dialogue.notice is not None else ""
        prefix = closed.prefix if closed is not None else ""
        if prefix == "auth-required":
            return None if await dialogue.authenticate(page) else GapReason.AUTH_REQUIRED
        if prefix in {"restricted", "blocked"}:
            return GapReason.RESTRICTED
        if "limit" in said.lower() and prefix != "rate-limited" and self._lower_limit(said):
            return None
        await asyncio.sleep(backoff.next_s())
        return GapReason.RATE_LIMITED if prefix == "rate-limited" else None

    def _lower_limit(self, said: str) -> bool:
        return self._habits.lower_limit(_number(said)) or self._habits.lower_limit()


def _is_refusal(page: PageSubscription) -> bool:
    """Whether a page was closed for who we are or how often we ask; else what came of it counts."""
    return page.closed is not None and page.closed.prefix in {
        "auth-required",
        "restricted",
        "blocked",
        "rate-limited",
    }


def _narrowed(base: Filter, query: Query) -> Filter:
    return replace(
        base,
        since=query.since,
        until=query.until,
        limit=query.limit,
        kinds=query.kinds if query.kinds is not None else base.kinds,
        authors=query.authors if query.authors is not None else base.authors,
    )


def _number(text: str) -> int | None:
    """The last number in what a relay says about its limit, as in `invalid: limitation.max_limit 300`."""
    numbers = _NUMBER.findall(text)
    return int(numbers[-1]) if numbers else None
