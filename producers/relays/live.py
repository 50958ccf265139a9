"""The live feed: what a relay receives from now on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace

from core.backoff import Backoff
from producers.relays.dialogue import Dialogue
from producers.relays.refusals import HOUR_S, MINUTE_S, refused_by_relay
from schemas.filters import Filter

BACKDATED_S = 3 * 86_400
"""How far before now an event that arrives from now on may be dated: gift wraps are dated back up to two days (NIP-59).
A feed with `since` at this second would never see them. What is stored already is the crawl's work, see `_asked`."""


class LiveFeed:
    """A subscription without end on one connection, for one filter."""

    def __init__(self, base: Filter, limit: int, eose_timeout_s: float, *, backdated_s: int = BACKDATED_S) -> None:
        """Prepare the feed, of events dated at most so many seconds before it is opened; `run` opens it."""
        self._base = base
        self._backdated_s = backdated_s
        self._limit = limit
        self._eose_timeout_s = eose_timeout_s
        self.since_s = 0
        """From this second on nothing is missing while the feed is `open`."""
        self.identity: str | None = None
        """As which public key it was opened."""
        self.open = asyncio.Event()
        self.answered = asyncio.Event()
        """Set once the relay has answered for the first time, also by closing the feed."""

    async def run(self, dialogue: Dialogue) -> None:
        """Keep the feed open, answering a demand for AUTH.

        Some relays answer queries and close every subscription then. They are crawled all the same, and asked for the
        feed again from time to time.

        Raises:
            RelayError: the relay refused us, or the connection has ended.
        """
        backoff = Backoff(MINUTE_S, HOUR_S)
        while True:
            asked_s = int(time.time())
            subscription = await dialogue.subscribe(_asked(self._base, asked_s - self._backdated_s, self._limit))
            with contextlib.suppress(TimeoutError):
                # Without an EOSE it is taken for open: some relays never send one.
                async with asyncio.timeout(self._eose_timeout_s):
                    await subscription.ended.wait()
            if subscription.closed is None:
                # Asked before, open since: the crawl reads what was stored until the feed was open.
                self.since_s = int(time.time())
                self.identity = subscription.identity
                self.open.set()
                self.answered.set()
                subscription.ended.clear()
                await subscription.ended.wait()
                while subscription.closed is None:
                    # A second EOSE.
                    subscription.ended.clear()
                    await subscription.ended.wait()
            self.open.clear()
            closed = subscription.closed
            if closed.prefix == "auth-required" and await dialogue.authenticate(subscription):
                continue
            refusal = refused_by_relay(closed.prefix, closed.text)
            if refusal.wait_s:
                raise refusal
            self.answered.set()
            await asyncio.sleep(backoff.next_s())


def _asked(base: Filter, since_s: int, limit: int) -> Filter:
    """Everything that arrives, plus no more than a page of what is stored, which the crawl reads in any case."""
    return replace(base, since=since_s, until=None, limit=limit)
