"""Fetches pages, and has planner and ledger take them in: also what one had brought when the connection ended."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from core.clock import Clock
from producers.connector.asking import Answer, Asker
from producers.connector.coverage.claims import Claims
from producers.connector.coverage.ledger import Ledger
from producers.connector.coverage.progress import Progress
from producers.connector.crawl.plan import Plan
from producers.connector.crawl.planning.steps import Query
from producers.connector.reconcile.comparison import Comparing
from producers.connector.relay_model import Model, Name
from producers.relay_client.page import Page
from producers.relay_client.page_subscription import PageSubscription
from producers.relay_client.refusals import RelayError
from schemas.nostr.filters import Filter
from schemas.records.coverage import GapReason

_SKIP_FACTOR = 60
"""From a second to a minute, an hour, days: a frame that is too large is passed by in at most six steps."""
_CUTS = 2
"""Connections that ended in the middle of a page, before pages are made smaller: one may be chance."""
_CUT_STATES = frozenset({"disconnected", "silent"})


class _Asking(NamedTuple):
    """A page that is under way."""

    name: str
    asked_s: int


class Pages:
    """One relay's pages, over all of its connections."""

    def __init__(
        self,
        ledger: Ledger,
        model: Model,
        claims: Claims,
        plan: Plan,
        *,
        comparing: Comparing | None,
        clock: Clock,
    ) -> None:
        """Nothing is asked yet; the arguments are the crawler's."""
        self._ledger = ledger
        self._model = model
        self._claims = claims
        self._plan = plan
        self._comparing = comparing
        self._clock = clock
        self._asking: _Asking | None = None
        self._skip_s = 0
        self._cuts = 0
        self._cut_ids: frozenset[str] = frozenset()
        self.problem: str | None = None
        """Why parts were left out at the last try."""
        self.advances = 0
        """Lost connections that left something behind all the same: new events of a page, or a frame passed by."""

    async def fetch(self, asker: Asker, name: str, query: Query, asked_s: int) -> Answer | None:
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
            self._model.learn(Name.PAGE_EVENTS, self._model.behavior.limit, words, int(self._clock.now_s()))

    def _keep(self, asking: _Asking, brought: Page | None, error: RelayError) -> None:
        """Take in what a page had brought when the connection ended."""
        planner = self._plan.planners[asking.name]
        if brought is not None:
            ids = frozenset(seen.id for seen in brought.events)
            self.advances += not ids <= self._cut_ids
            self._cut_ids = ids
        if brought is not None and error.state == "flood":
            self._model.learn(
                Name.IGNORES_LIMIT, len(brought.events), "sent far more than `limit`", int(self._clock.now_s())
            )
            progress = planner.flooded(brought)
        else:
            # Of an answer that comes late, anything may lack.
            progress = planner.connection_lost(brought if not self._model.late_s else None)
        self._add_page(asking.name, progress, asking.asked_s)

    def passed_by(self) -> None:
        """Step over where a frame was too large to be received, further at each try: which event it was is unknown."""
        for name, planner in self._plan.planners.items():
            if planner.position is not None:
                self.advances += 1
                self._skip_s = max(1, self._skip_s * _SKIP_FACTOR)
                self._ledger.add(name, planner.skip(self._skip_s, GapReason.FRAME_TOO_LARGE), int(self._clock.now_s()))
                return

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
