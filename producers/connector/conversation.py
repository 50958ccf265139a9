"""The work on one connection: live subscriptions and the crawl, together or in turns, as the relay allows."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any

from core.clock import CLOCK
from core.flag import Flag
from core.tasks import run_until_first
from producers.connector.asking import Asker
from producers.connector.coverage.claims import Claims
from producers.connector.coverage.ledger import ByKinds
from producers.connector.crawl.crawler import MOST_FEEDS, Crawler
from producers.connector.crawl.list_trial import kinds_that_are_read
from producers.connector.crawl.planning.windows import WHOLE_S
from producers.connector.kind_lists import kind_lists, name_all
from producers.connector.known_filters import REGISTERED_KINDS, RelayKnownFilters
from producers.connector.live import LiveFeed
from producers.connector.relay_model import SILENCE, Model, Name
from producers.relay_client.client import RelayClient
from producers.relay_client.connection import FrameTooLargeError, RelayConnection
from producers.relay_client.loop_clock import GRAIN_S, loop_s
from producers.relay_client.refusals import RelayError
from schemas.nostr.filters import Filter

MOST_SILENT_S = 300.0
"""From the start of a connection to the first answer: a question that nothing answers is given up after 30 s."""


class Conversation:
    """One connection to one relay. `talk` lasts until it ends."""

    def __init__(
        self,
        client: RelayClient,
        crawler: Crawler,
        model: Model,
        claims: Claims,
        known_filters: RelayKnownFilters,
        *,
        eose_timeout_s: float,
    ) -> None:
        """Ask over a client about what is to be claimed, as the model says that the relay must be asked."""
        self.client = client
        self._crawler = crawler
        self._model = model
        self._claims = claims
        self._ledger = claims.ledger
        self._known_filters = known_filters
        self._eose_timeout_s = eose_timeout_s
        self._asker = Asker(client, model, eose_timeout_s)
        self._feeds: list[LiveFeed] = []
        self._in_turns = False

    @property
    def connection(self) -> RelayConnection:
        """The connection."""
        return self.client.connection

    @property
    def started(self) -> bool:
        """Whether the crawl may have begun: every feed was answered, or there is none."""
        return self._in_turns or (bool(self._feeds) and all(feed.answered.is_set() for feed in self._feeds))

    @property
    def followed(self) -> bool:
        """Whether what the relay receives now comes by itself, or is asked for every minute."""
        return self._in_turns or (bool(self._feeds) and all(feed.open.is_set() for feed in self._feeds))

    async def talk(
        self, filters: Mapping[str, Filter], turn: Coroutine[Any, Any, None], *, backdated_s: int
    ) -> RelayError:
        """Read, ping, feed and crawl at once, until the connection ends or the relay's turn is over.

        Args:
            filters: what is to be read, by hash.
            turn: returns when another relay is to have this one's place.
            backdated_s: how old events may be that a feed brings.

        Returns:
            Why it is over. What is known of the relay, and what was claimed of it, is up to date then.
        """
        client = self.client
        ended = RelayError("resting", "another relay had its turn")
        try:
            # In this order: what the reader says is nearest to the cause.
            await run_until_first(
                client.read(),
                self.connection.keep_alive(),
                self._end_of_silence(),
                self._follow(filters, backdated_s),
                turn,
            )
        except RelayError as error:
            ended = error
        finally:
            self.note_time()
        if client.auth.pending and not client.auth.answered:
            self._model.learn(Name.AUTH, SILENCE, "was silent until the connection ended", int(CLOCK.now_s()))
        self._claims.connection_lost()
        self._crawler.pages.connection_lost(ended, self._asker.current, client.received)
        if isinstance(ended, FrameTooLargeError) and self.started:
            self._crawler.pages.passed_by()
        return ended

    def note_time(self) -> None:
        """Move the cursor to what the live feeds have certainly brought."""
        if not self._feeds or not self.followed or CLOCK.stepped:
            return
        if any(feed.identity != self._ledger.identity for feed in self._feeds):
            # Opened before AUTH was answered: what it brings is not what the present key may see.
            return
        cursor_s = self.connection.complete_until_s
        since_s = max(feed.since_s for feed in self._feeds)
        if cursor_s >= since_s:
            self._ledger.heard(since_s, int(cursor_s))

    def reopen_feeds(self) -> None:
        """What they bring is dated anew from now on."""
        for feed in self._feeds:
            feed.reopen()

    async def _end_of_silence(self) -> None:
        """Wait until the connection has been silent for too long, if it ever is.

        Raises:
            RelayError: nothing that was asked is answered.
        """
        began_s = loop_s()
        while not self.client.spoke:
            rest_s = MOST_SILENT_S - self.connection.silent_s(began_s)
            if rest_s <= 0:
                raise RelayError("silent", f"has answered nothing for {MOST_SILENT_S:.0f} s")
            await asyncio.sleep(max(rest_s, GRAIN_S))
        await Flag().wait()

    async def _sign_in_first(self) -> None:
        """Where a relay is known to demand it, sign in before anything is asked: a connection may be short."""
        auth = self.client.auth
        if self._model.text(Name.AUTH) is not None and await auth.challenged():
            await auth.sign_in(auth.session)

    async def _follow(self, filters: Mapping[str, Filter], backdated_s: int) -> None:
        await self._sign_in_first()
        await self._choose_lists(filters)
        reading = self._ledger.reading.values()
        most = self._model.subscriptions
        self._in_turns = len(reading) > MOST_FEEDS or (most is not None and most <= len(reading))
        if self._in_turns:
            await self._crawler.run(self.client, self._asker, in_turns=True)
            return
        self._feeds = [
            LiveFeed(
                base,
                self._eose_timeout_s,
                self._model,
                reopened=self._crawler.wake,
                backdated_s=backdated_s,
            )
            for base in reading
        ]
        await run_until_first(self._crawl(), *(feed.run(self.client) for feed in self._feeds))

    async def _crawl(self) -> None:
        # The feeds first: what arrives after they are open comes through them, what was stored before is crawled.
        for feed in self._feeds:
            await feed.answered.wait()
        await self._crawler.run(self.client, self._asker)

    async def _choose_lists(self, filters: Mapping[str, Filter]) -> None:
        """Read by lists of kinds what the relay does not take as it is."""
        model, behavior = self._model, self._model.behavior
        by_kinds: dict[str, ByKinds] = {}
        for name, base in filters.items():
            most = model.kinds_of(base)
            if most is None or (base.kinds is not None and len(base.kinds) <= most):
                continue
            if behavior.kinds_read is None or behavior.kinds_read > most:
                known = REGISTERED_KINDS if base.kinds is None else base.kinds
                behavior.kinds_read = await kinds_that_are_read(self._asker, model, base, known)
                behavior.most_kinds = min(behavior.most_kinds, behavior.kinds_read)
                # Lists that bring little are read in one window each.
                behavior.window_s = WHOLE_S
            new, used = self._known_filters.new_kinds(), self._ledger.kind_lists(name)
            lists = kind_lists(base, behavior.kinds_read, REGISTERED_KINDS, new, used)
            parts = [replace(base, kinds=kinds) for kinds in lists]
            besides = model.kinds_at_once is None and base.kinds is None
            by_kinds[name] = ByKinds(parts, name_all(base, lists), besides)
        self._ledger.read_by_kinds(by_kinds)
