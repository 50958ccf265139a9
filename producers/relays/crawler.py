"""Reads the stored events of one relay over an open connection: queries of the planner, answered page by page."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace

from core.backoff import Backoff
from producers.relays.crawl import Planner, Query
from producers.relays.dialogue import Dialogue
from producers.relays.habits import Habits
from producers.relays.ledger import Ledger
from producers.relays.refusals import HOUR_S, RelayError
from producers.relays.subscriptions import PageSubscription
from schemas.filters import Filter

CRAWL_RETRY_S = HOUR_S
"""What a relay would not give is asked for again after this long, over whatever connection there is then."""
_MOST_REFUSALS = 8
"""In a row, of one query: with the back-off below that is half an hour of rate limits."""
_RATE_LIMIT_FIRST_S = 2.0
_RATE_LIMIT_LONGEST_S = 300.0
"""Rate limits are counted per minute or per few minutes by all relays that name theirs."""
_NUMBER = re.compile(r"\d{1,9}")
_SKIP_FACTOR = 60
"""From a second to a minute, an hour, days: a frame that is too large is passed by in at most six steps."""


class Crawler:
    """One relay's crawl. Lives as long as the process keeps the relay; `run` is called for each connection."""

    def __init__(self, filters: dict[str, Filter], ledger: Ledger, habits: Habits, eose_timeout_s: float) -> None:
        """Read these filters (by their hashes), learning into `habits` and recording into `ledger`."""
        self._filters = filters
        self._ledger = ledger
        self._habits = habits
        self._eose_timeout_s = eose_timeout_s
        self._planners: dict[str, Planner] = {}
        self._skip_s = 0
        self._retry_at_s = 0.0
        self.finished = asyncio.Event()
        """Set while all that can be read now is read."""
        self.problem: str | None = None
        """Why parts were left out at the last try."""

    def position(self) -> int | None:
        """The second down to which the relay is read; None when it is read."""
        positions = [planner.position for planner in self._planners.values() if planner.position is not None]
        return max(positions, default=None)

    async def run(self, dialogue: Dialogue) -> None:
        """Crawl what is unread, then look again from time to time whether a gap can be read.

        Raises:
            RelayError: the connection has ended, or must.
        """
        while True:
            self.finished.clear()
            self.problem = None
            await self._read(dialogue)
            self.finished.set()
            await asyncio.sleep(CRAWL_RETRY_S)

    def passed_by(self) -> None:
        """Step over where a frame was too large to be received, further at each try: which event it was is unknown."""
        for name, planner in self._planners.items():
            if planner.position is not None:
                self._skip_s = max(1, self._skip_s * _SKIP_FACTOR)
                self._ledger.add(name, planner.skip(self._skip_s, "frame_too_large"), int(time.time()))
                return

    async def _read(self, dialogue: Dialogue) -> None:
        if time.monotonic() >= self._retry_at_s:
            self._ledger.retry_gaps()
            self._retry_at_s = time.monotonic() + CRAWL_RETRY_S
        now_s = int(time.time())
        self._planners = {name: Planner(self._ledger.backlog(name, now_s), self._habits) for name in self._filters}
        # In turn, so that what every filter has read grows together.
        while any(planner.position is not None for planner in self._planners.values()):
            for name, planner in self._planners.items():
                query = planner.query()
                if query is not None:
                    await self._settle(dialogue, name, planner, query, now_s)

    async def _settle(self, dialogue: Dialogue, name: str, planner: Planner, query: Query, asked_s: int) -> None:
        """Fetch one page, however often the relay has to be asked, and let planner and ledger take it in."""
        backoff = Backoff(_RATE_LIMIT_FIRST_S, _RATE_LIMIT_LONGEST_S)
        for _ in range(_MOST_REFUSALS):
            dialogue.notice = None
            page = await dialogue.request_page(_asked(self._filters[name], planner.query() or query))
            try:
                await dialogue.wait_for(page, self._eose_timeout_s)
                await dialogue.release(page)
            except RelayError:
                # What came before the end is in order: newest first, it settles what lies above it.
                if page.events and self._habits.trusted():
                    self._ledger.add(name, planner.feed(page.page(complete=False)), asked_s)
                raise
            if page.answered:
                self._ledger.add(name, planner.feed(page.page(complete=page.eose is not None)), asked_s)
                self._skip_s = 0
                return
            reason = await self._refused(dialogue, page, backoff)
            if reason is not None:
                break
        else:
            reason = "closed"
        self.problem = reason
        self._ledger.add(name, planner.abandon(reason), asked_s)

    async def _refused(self, dialogue: Dialogue, page: PageSubscription, backoff: Backoff) -> str | None:
        """Do what a refusal asks for; None if the query may be tried again, else why not."""
        closed = page.closed
        said = closed.text if closed is not None else dialogue.notice.text if dialogue.notice is not None else ""
        prefix = closed.prefix if closed is not None else ""
        if prefix == "auth-required":
            return None if await dialogue.authenticate(page) else "auth_required"
        if prefix in {"restricted", "blocked"}:
            return "restricted"
        if "limit" in said.lower() and prefix != "rate-limited" and self._lower_limit(said):
            return None
        if closed is None and not said:
            return "no_eose"
        await asyncio.sleep(backoff.next_s())
        return None

    def _lower_limit(self, said: str) -> bool:
        return self._habits.lower_limit(_number(said)) or self._habits.lower_limit()


def _asked(base: Filter, query: Query) -> Filter:
    return replace(base, since=query.since, until=query.until, limit=query.limit)


def _number(text: str) -> int | None:
    """The last number in what a relay says about its limit, as in `invalid: limitation.max_limit 300`."""
    numbers = _NUMBER.findall(text)
    return int(numbers[-1]) if numbers else None
