"""The live feed: a subscription for the events that a relay receives from now on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from core.backoff import Backoff
from core.clock import CLOCK
from core.flag import Flag
from core.tasks import first_of
from producers.connector.asking import raise_if_learnt, slow_down
from producers.connector.relay_model import SILENCE, Model, Name
from producers.relay_client.client import AFTER_REFUSAL_S, RelayClient
from producers.relay_client.refusals import HOUR_S, MINUTE_S, RelayError
from producers.relay_client.subscriptions import Subscription
from producers.relay_client.wording import Meaning, Said
from schemas.nostr.filters import Filter

BACKDATED_S = 3 * 86_400
"""How far before now an event that arrives from now on may be dated: gift wraps are dated back up to two days (NIP-59).
A feed with `since` at this second would never see them. What is stored already is the crawl's work, see `_asked`."""
_STORED = 1
"""Stored events with which a feed begins, the `limit` of its REQ: all are copies of what the crawl asks for, at every
connection. Not 0, which relays take for no limit, or refuse."""


class LiveFeed:
    """A subscription without end on one connection, for one filter."""

    def __init__(
        self,
        base: Filter,
        eose_timeout_s: float,
        model: Model,
        *,
        reopened: Callable[[], None],
        backdated_s: int = BACKDATED_S,
    ) -> None:
        """Prepare the feed, of events dated at most so many seconds before it is opened; `run` opens it.

        `reopened` is called each time that it is open again after it was closed.
        """
        self._base = base
        self._backdated_s = backdated_s
        self._eose_timeout_s = eose_timeout_s
        self._model = model
        self._reopened = reopened
        self._again = Flag()
        self.since_s = 0
        """From this second on nothing is missing while the feed is `open`."""
        self.identity: str | None = None
        """As which public key it was opened."""
        self.open = Flag()
        """Set from the relay's first answer until the feed is closed or doubted."""
        self.answered = Flag()
        """Set once the relay has answered for the first time, also by closing the feed, or has had its time to."""

    def reopen(self) -> None:
        """Begin anew: what the feed brought until now says nothing about the times between."""
        self.open.clear()
        self._again.set()

    async def run(self, client: RelayClient) -> None:
        """Keep the feed open, answering a demand for AUTH.

        Some relays answer queries and close every subscription then. They are crawled all the same, and asked for the
        feed again from time to time.

        Raises:
            AskOtherwiseError: the relay does not take such a subscription, and there is another way.
            RelayError: the relay refused us, or the connection has ended.
        """
        backoff = Backoff(MINUTE_S, HOUR_S)
        while True:
            self._again.clear()
            client.forget_notices()
            since_s = int(CLOCK.now_s()) - self._backdated_s
            subscription = await client.subscribe(_asked(self._base, max(0, since_s)))
            said = await self._follow(client, subscription)
            self.open.clear()
            await client.end(subscription)
            if said is not None and not await self._otherwise(client, subscription, said):
                self.answered.set()
                await asyncio.sleep(backoff.next_s())

    async def _follow(self, client: RelayClient, subscription: Subscription) -> Said | None:
        """Wait until the feed is refused, for the reason that is returned, or is to be opened again (None)."""
        if not await first_of(subscription.answered, client.refusal, timeout_s=client.patience_s(self._eose_timeout_s)):
            # Silence is no feed: it opens with the first word. Until then the crawl may begin.
            self.answered.set()
            session = subscription.session
            if client.auth.pending and await client.auth.sign_in(session):
                self._model.learn(Name.AUTH, SILENCE, "answered only after AUTH", int(CLOCK.now_s()))
                return None
            await first_of(subscription.answered, self._again)
        if not subscription.answered.is_set() and not self._again.is_set():
            # A notice names no subscription: this one may still be answered, and others forget what was said.
            said = client.said(subscription)
            if not await first_of(subscription.answered, timeout_s=AFTER_REFUSAL_S):
                return said
        if subscription.closed is None and not self._again.is_set():
            # Asked before, open since: the crawl reads what was stored until the feed was open.
            if self.since_s:
                self._reopened()
            # The answer was the last frame or came before it; a stop in this moment still records that.
            self.since_s = int(client.connection.heard_s)
            self.identity = subscription.identity
            self.open.set()
            self.answered.set()
            client.auth.of_use()
            await self._until_over(client, subscription)
        return client.said(subscription) or Said(Meaning.OTHER) if subscription.closed is not None else None

    async def _until_over(self, client: RelayClient, subscription: Subscription) -> None:
        """Wait until the relay closes the feed, it is to be opened again, or the session has expired."""
        await first_of(subscription.over, self._again, client.auth.renewal)
        if client.auth.expired and subscription.closed is None:
            # Some relays say no more than that to a feed that they do not serve any longer.
            self.open.clear()
            await client.auth.sign_in(subscription.session)

    async def _otherwise(self, client: RelayClient, subscription: Subscription, said: Said) -> bool:
        """Do what a refusal asks for; whether the feed may be opened again at once.

        Raises:
            RelayError: the relay is left alone, or asked in another way.
        """
        closed, notice = subscription.closed, client.notice
        words = closed.text if closed is not None else notice.text if notice is not None else ""
        match said.meaning:
            case Meaning.AUTH:
                if not await client.auth.sign_in(subscription.session):
                    raise RelayError("auth_required", f"the relay said: {words}", HOUR_S)
                self._model.learn(Name.AUTH, "closed" if closed is not None else "notice", words, int(CLOCK.now_s()))
                return True
            case Meaning.RESTRICTED:
                raise RelayError("restricted", f"the relay said: {words}", HOUR_S)
            case Meaning.RATE:
                slow_down(client, self._model, said, words)
                self.answered.set()
                return True
            case Meaning.SUBSCRIPTIONS | Meaning.FILTER | Meaning.KINDS:
                raise_if_learnt(self._model, said, words, self._base, open_at_once=client.open + 1)
        return False


def _asked(base: Filter, since_s: int) -> Filter:
    """Everything that arrives, and as little as can be asked for of what is stored, which the crawl reads."""
    return replace(base, since=since_s, until=None, limit=_STORED)
