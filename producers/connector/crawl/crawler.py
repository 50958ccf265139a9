"""Reads the stored events of one relay over an open connection, page by page, as the planner decides."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from core.clock import CLOCK
from producers.connector.asking import Answer, Asker
from producers.connector.coverage.claims import Claims
from producers.connector.coverage.ledger import Ledger
from producers.connector.coverage.progress import Progress
from producers.connector.crawl.late_answers import LateAnswers
from producers.connector.crawl.list_trial import try_closing_list
from producers.connector.crawl.plan import Plan
from producers.connector.crawl.planner import Planner
from producers.connector.crawl.steps import Difference, Query
from producers.connector.known_filters import RelayKnownFilters
from producers.connector.reconcile.comparison import Compared, Comparing, Instead
from producers.connector.relay_model import Model, Name
from producers.relay_client.client import RelayClient
from producers.relay_client.page import Page
from producers.relay_client.refusals import HOUR_S, MINUTE_S, RelayError
from producers.relay_client.subscriptions import PageSubscription
from schemas.nostr.filters import Filter
from schemas.records.coverage import GapReason

LONGEST_REST_S = HOUR_S
"""Between two looks at what is due: events may come that are dated into the future, which no feed is asked for."""
SHORTEST_REST_S = MINUTE_S
"""Gaps that are due one after another are asked for together; also the rhythm of a relay that is read in turns."""
MOST_FEEDS = 10
"""Live feeds of one relay: all kinds in long lists. Shorter lists are asked in turns, so many a minute."""
_SKIP_FACTOR = 60
"""From a second to a minute, an hour, days: a frame that is too large is passed by in at most six steps."""
_CUTS = 2
"""Connections that ended in the middle of a page, before pages are made smaller: one may be chance."""
_CUT_STATES = frozenset({"disconnected", "silent"})


class _Asking(NamedTuple):
    """A page that is under way."""

    name: str
    asked_s: int


class Crawler:
    """One relay's crawl. Lives as long as the process keeps the relay; `run` is called for each connection."""

    def __init__(
        self,
        ledger: Ledger,
        model: Model,
        known_filters: RelayKnownFilters,
        claims: Claims,
        *,
        comparing: Comparing | None = None,
    ) -> None:
        """Read what `ledger` says, learning into `model` and `known_filters`, recording by `claims`.

        Args:
            ledger: says what is to be read.
            model: of the relay.
            known_filters: what the relay may be asked for.
            claims: of the present visit.
            comparing: for differences with the archive; None: everything is paged through.
        """
        self._ledger = ledger
        self._model = model
        self._claims = claims
        self._comparing = comparing
        self._plan = Plan(model, known_filters, claims, compares=self._may_compare)
        self._asking: _Asking | None = None
        self._skip_s = 0
        self._cuts = 0
        self._cut_ids: frozenset[str] = frozenset()
        self._woken = asyncio.Event()
        self.finished = asyncio.Event()
        """Set while all that can be read now is read."""
        self.problem: str | None = None
        """Why parts were left out at the last try."""
        self.compared = 0
        """Windows that were read by difference."""
        self.withheld = 0
        """Events that the relay said it has and did not give when it was asked for them by id."""
        self.advances = 0
        """Lost connections that left something behind all the same: new events of a page, or a frame passed by."""

    def position(self) -> int | None:
        """The second down to which the relay is read; None when it is read."""
        return self._plan.position

    async def run(self, client: RelayClient, asker: Asker, *, in_turns: bool = False) -> None:
        """Crawl what is unread, then whenever a gap or a late pass is due.

        Args:
            client: an open one, being read.
            asker: asks over it.
            in_turns: there is no live feed: what is new is read once a minute.

        Raises:
            RelayError: the connection has ended, or must.
        """
        verify = partial(try_closing_list, asker, self._model, self._claims)
        late = LateAnswers(client, asker, self._model, self._claims, verify)
        while True:
            self.finished.clear()
            self.problem = None
            # An AUTH on the way, or answers that were late, change what is unread.
            while not await self._read(client, asker, late):
                pass
            self.finished.set()
            now_s = int(CLOCK.now_s())
            due_s = self._ledger.next_due_s(now_s)
            rest_s = due_s - now_s if due_s is not None else LONGEST_REST_S
            longest_s = SHORTEST_REST_S * -(-len(self._ledger.reading) // MOST_FEEDS) if in_turns else LONGEST_REST_S
            await self._rest(min(max(rest_s, SHORTEST_REST_S), longest_s))

    def wake(self) -> None:
        """Look soon again at what is due: a feed was closed, and what came until it was open again is not read."""
        self._woken.set()

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
                await asyncio.sleep(SHORTEST_REST_S)
        self._woken.clear()

    def passed_by(self) -> None:
        """Step over where a frame was too large to be received, further at each try: which event it was is unknown."""
        for name, planner in self._plan.planners.items():
            if planner.position is not None:
                self.advances += 1
                self._skip_s = max(1, self._skip_s * _SKIP_FACTOR)
                self._ledger.add(name, planner.skip(self._skip_s, GapReason.FRAME_TOO_LARGE), int(CLOCK.now_s()))
                return

    async def _read(self, client: RelayClient, asker: Asker, late: LateAnswers) -> bool:
        """Read everything that is due; False if that has changed meanwhile."""
        plan = self._plan
        plan.begin(client.identity, int(CLOCK.now_s()))
        if await late.begin():
            plan.drop()
            return False
        # In turn, so that what every filter has read grows together.
        while plan.position is not None:
            for name, planner in plan.planners.items():
                match planner.step():
                    case Query() as query:
                        answer = await self._page(asker, name, query, plan.made_s)
                        if answer is not None:
                            await client.release(answer.asked)
                    case Difference() as difference:
                        await self._compare(client, name, planner, difference, plan.made_s)
                if await late.found() or client.identity != self._ledger.identity:
                    plan.drop()
                    return False
        plan.drop()
        return await late.none_to_come()

    async def _page(self, asker: Asker, name: str, query: Query, asked_s: int) -> Answer | None:
        """Fetch one page and let planner and ledger take it in."""
        planner, behavior = self._plan.planners[name], self._model.behavior
        asked = _narrowed(self._ledger.reading[name], query._replace(limit=min(query.limit, behavior.limit)))
        self._asking = _Asking(name, asked_s)
        answer = await asker.ask(asked, aside=query.kinds is not None)
        self._asking = None
        if isinstance(answer, GapReason):
            self.problem = str(answer)
            self._claims.add(name, planner.refused(answer), asked_s)
            return None
        if answer.page.cut is GapReason.NO_EOSE and not answer.page.events:
            # It may still answer other questions: some relays say nothing where they have nothing.
            self.problem = str(GapReason.NO_EOSE)
        # Where no EOSE came, silence was waited for.
        self._add_page(name, planner.feed(answer.page), asked_s, at_once=answer.page.cut is not None)
        if query.until is not None:  # The future is asked about first each time, and never has the large one.
            self._skip_s = 0
        if len(answer.page.events) >= len(self._cut_ids):
            self._cuts = 0
        return answer

    def connection_lost(self, error: RelayError, page: PageSubscription | None, received: int) -> None:
        """The connection has ended, after so many events: keep what the page under way had brought."""
        asking, self._asking = self._asking, None
        brought = page.page() if page is not None and page.events else None
        self._cuts += brought is not None and brought.cut is not None and error.state in _CUT_STATES
        if asking is not None:
            self._keep(asking, brought, error)
        elif brought is not None:
            self._claims.narrow(brought.events)
        if self._cuts >= _CUTS and received // 2 < self._model.behavior.limit:
            self._cuts = 0
            self._model.behavior.limit = max(1, received // 2)
            words = f"connections end after about {received} events"
            self._model.learn(Name.PAGE_EVENTS, self._model.behavior.limit, words, int(CLOCK.now_s()))

    def _keep(self, asking: _Asking, brought: Page | None, error: RelayError) -> None:
        """Take in what a page had brought when the connection ended."""
        planner = self._plan.planners[asking.name]
        if brought is not None:
            ids = frozenset(seen.id for seen in brought.events)
            self.advances += not ids <= self._cut_ids
            self._cut_ids = ids
        if brought is not None and error.state == "flood":
            self._model.learn(Name.IGNORES_LIMIT, len(brought.events), "sent far more than `limit`", int(CLOCK.now_s()))
            progress = planner.flooded(brought)
        else:
            # Of an answer that comes late, anything may lack.
            progress = planner.connection_lost(brought if not self._model.late_s else None)
        self._add_page(asking.name, progress, asking.asked_s)

    def _may_compare(self) -> bool:
        return self._comparing is not None and self._comparing.possible

    async def _compare(self, client: RelayClient, name: str, planner: Planner, asked: Difference, asked_s: int) -> None:
        outcome: Compared | Instead = Instead.PAGE
        if self._comparing is not None:
            outcome = await self._comparing.compare(
                client,
                self._ledger.reading[name],
                asked.since,
                asked.until,
                limit=self._model.behavior.limit,
                withheld=self._ledger.withheld(name, asked.since, asked.until),
            )
        if isinstance(outcome, Compared):
            self.compared += 1
            self.withheld += outcome.withheld
            progress = planner.compared(whole=True, withheld_in=outcome.withheld_in)
        else:
            progress = planner.compared(whole=False, too_many=outcome is Instead.SPLIT)
        self._claims.add(name, progress, asked_s, at_once=True)

    def _add_page(self, name: str, progress: Progress, asked_s: int, *, at_once: bool = False) -> None:
        """Record what a page settled: not what a relay withholds, as long as it can be asked whether it still does."""
        hopeful = self._comparing is not None and self._comparing.hopeful
        at_once = at_once or bool(self._model.late_s)
        self._claims.add(name, progress, asked_s, settles_withheld=not hopeful, at_once=at_once)


def _narrowed(base: Filter, query: Query) -> Filter:
    return replace(
        base,
        since=query.since,
        until=query.until,
        limit=query.limit,
        kinds=query.kinds if query.kinds is not None else base.kinds,
        authors=query.authors if query.authors is not None else base.authors,
    )
