"""Reads the stored events of one relay over an open connection: what is due, when, and by pages or differences."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

from core.clock import CLOCK, Clock
from core.flag import Flag
from producers.connector.asking import Asker
from producers.connector.coverage.claims import Claims
from producers.connector.coverage.ledger import Ledger
from producers.connector.crawl.late_answers import LateAnswers
from producers.connector.crawl.list_trial import try_closing_list
from producers.connector.crawl.pages import Pages
from producers.connector.crawl.plan import Plan
from producers.connector.crawl.planning.planner import Planner
from producers.connector.crawl.planning.steps import Difference, Query
from producers.connector.known_filters import RelayKnownFilters
from producers.connector.reconcile.comparison import Compared, Comparing, Instead
from producers.connector.relay_model import Model
from producers.relay_client.client import RelayClient
from producers.relay_client.refusals import HOUR_S, MINUTE_S

LONGEST_REST_S = HOUR_S
"""Between two looks at what is due: events may come that are dated into the future, which no feed is asked for."""
SHORTEST_REST_S = MINUTE_S
"""Gaps that are due one after another are asked for together; also the rhythm of a relay that is read in turns."""
MOST_FEEDS = 10
"""Live feeds of one relay: all kinds in long lists. Shorter lists are asked in turns, so many a minute."""


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
        clock: Clock = CLOCK,
    ) -> None:
        """Read what `ledger` says, learning into `model` and `known_filters`, recording by `claims`.

        Args:
            ledger: says what is to be read.
            model: of the relay.
            known_filters: what the relay may be asked for.
            claims: of the present visit.
            comparing: for differences with the archive; None: everything is paged through.
            clock: says what is due.
        """
        self._ledger = ledger
        self._model = model
        self._claims = claims
        self._comparing = comparing
        self._clock = clock
        self._plan = Plan(model, known_filters, claims, compares=self._may_compare)
        self.pages = Pages(ledger, model, claims, self._plan, comparing=comparing, clock=clock)
        self._woken = Flag()
        self.finished = Flag()
        """Set while all that can be read now is read."""
        self.compared = 0
        """Windows that were read by difference."""
        self.withheld = 0
        """Events that the relay said it has and did not give when it was asked for them by id."""

    @property
    def advances(self) -> int:
        """Lost connections that left something behind all the same: new events of a page, or a frame passed by."""
        return self.pages.advances

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
            self.pages.problem = None
            # An AUTH on the way, or answers that were late, change what is unread.
            while not await self._read(client, asker, late):
                pass
            self.finished.set()
            now_s = int(self._clock.now_s())
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

    async def _read(self, client: RelayClient, asker: Asker, late: LateAnswers) -> bool:
        """Read everything that is due; False if that has changed meanwhile."""
        plan = self._plan
        plan.begin(client.identity, int(self._clock.now_s()))
        if await late.begin():
            plan.drop()
            return False
        # In turn, so that what every filter has read grows together.
        while plan.position is not None:
            for name, planner in plan.planners.items():
                match planner.step():
                    case Query() as query:
                        answer = await self.pages.fetch(asker, name, query, plan.made_s)
                        if answer is not None:
                            await client.release(answer.asked)
                    case Difference() as difference:
                        await self._compare(client, name, planner, difference, plan.made_s)
                if await late.found() or client.identity != self._ledger.identity:
                    plan.drop()
                    return False
        plan.drop()
        return await late.none_to_come()

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
