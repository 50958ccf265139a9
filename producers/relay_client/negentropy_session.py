"""Reconciliations on a connection (NIP-77): the messages of each, one at a time, as the parties take turns."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from core.flag import Flag
from producers.relay_client.connection import RelayConnection
from producers.relay_client.names import Names
from schemas.nostr.filters import Filter
from schemas.nostr.messages import Closed, NegErr, NegMsg, Notice, neg_close, neg_msg, neg_open

Said = NegMsg | NegErr | Closed | Notice
Say = Callable[[bytes], Awaitable[None]]
"""Sends a message when it is its turn."""
_REFUSAL = re.compile(
    r"error|invalid|unrecogni[sz]ed|bad msg|bad message|could not parse|disabled|not supported|unsupported|unknown"
    r"|negentropy|envelope|neg-",
    re.IGNORECASE,
)
"""In a notice that comes before the first answer: relays that do not know the message say so in any of these ways."""


class Exchange:
    """What was said to one NEG-OPEN."""

    def __init__(self, subid: str, say: Say, connection: RelayConnection) -> None:
        """Bind a subscription id; nothing is sent here."""
        self.subid = subid
        self.ended = False
        """Whether the relay has ended it."""
        self._say = say
        self._connection = connection
        self._answered = False
        self._said: Said | None = None
        self._came = Flag()

    def take(self, message: Said) -> bool:
        """Take what the relay says. False if that is out of turn, or a notice about something else."""
        if self._said is not None:
            return False
        if isinstance(message, Notice) and (self._answered or _REFUSAL.search(message.text) is None):
            return False
        self._answered = True
        self.ended = not isinstance(message, NegMsg)
        self._said = message
        self._came.set()
        return True

    async def next(self, idle_s: float) -> Said | None:
        """Wait for what the relay says next; None: nothing for so many seconds while we were reading.

        A notice comes only where it seems to refuse the exchange.
        """
        while self._said is None:
            try:
                async with asyncio.timeout(idle_s):
                    await self._came.wait()
            except TimeoutError:
                if not self._connection.paused:
                    return None
        said, self._said = self._said, None
        self._came.clear()
        return said

    async def reply(self, payload: bytes) -> None:
        """Send our next message."""
        await self._say(neg_msg(self.subid, payload))


class Exchanges:
    """All that are open on a connection."""

    def __init__(self, say: Say, connection: RelayConnection, names: Names) -> None:
        """Send with `say` over `connection`, under subscription ids of `names`."""
        self._say = say
        self._connection = connection
        self._open: dict[str, Exchange] = {}
        self._names = names

    @asynccontextmanager
    async def opened(self, asked: Filter, first: bytes) -> AsyncIterator[Exchange]:
        """Send NEG-OPEN with our first message, and NEG-CLOSE at the end."""
        exchange = Exchange(self._names.new("neg"), self._say, self._connection)
        self._open[exchange.subid] = exchange
        try:
            await self._say(neg_open(exchange.subid, asked.to_wire(), first))
            try:
                yield exchange
            except Exception:
                await self._close(exchange)
                raise
            await self._close(exchange)
        finally:
            del self._open[exchange.subid]

    async def _close(self, exchange: Exchange) -> None:
        if not exchange.ended:
            await self._connection.send(neg_close(exchange.subid))

    def hear(self, message: NegMsg | NegErr | Closed) -> bool:
        """Take a message that names an exchange; False if none waits for it."""
        exchange = self._open.get(message.subid)
        return exchange is not None and exchange.take(message)

    def notice(self, message: Notice) -> None:
        """Take a notice: it names nothing, and may be a refusal."""
        for exchange in self._open.values():
            exchange.take(message)
