"""Messages that wait until a client reads them, up to a bound in bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from api.relay.outgoing import Outgoing
from api.relay.unsent import Unsent

_ROOM_BYTES = 256 * 1024
"""Stored events are put while less than this waits: enough to keep a fast reader busy."""


class Outbox:
    """What one connection is to be sent, in order.

    Args:
        limit_bytes: how much may wait beside one message; with more the client is too slow.
        unsent: counts what waits for all readers, and ends what waits for one of them where that is too much.

    Attributes:
        own_bytes: of messages, and of what they are made of later, beside texts of new events.
        shared_bytes: those texts, once for each message.
    """

    def __init__(self, limit_bytes: int, unsent: Unsent) -> None:
        self.is_full: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done as soon as more waited than may, or `end` was called: the connection is to be ended."""
        self.own_bytes = 0
        self.shared_bytes = 0
        self._limit = limit_bytes
        self._unsent = unsent
        self._messages: deque[Outgoing] = deque()
        self._others: dict[int, Outgoing] = {}
        """By identity, those that were charged for and are not queued yet, and the one that is being sent."""
        self._queued = 0
        self._reserved = 0
        self._has_messages = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        unsent.add(self)

    def put(self, answer: bytes) -> None:
        """Queue a message without an event."""
        self.put_event(Outgoing(answer))

    def put_event(self, message: Outgoing) -> None:
        """Queue a message."""
        if self.reserve(message):
            self.put_reserved(message)

    def can_hold(self, size: int) -> bool:
        """Whether a message of so many bytes can be held and others be sent before it, which have half of the bound."""
        return self._queued + self._reserved + size <= self._limit // 2

    def reserve(self, message: Outgoing) -> bool:
        """Charge for a message that is queued later; False: there is no room, now and later."""
        size = message.size_bytes
        if self._queued + self._reserved and self._queued + self._reserved + size > self._limit:
            self.end()
        if self.is_full.done():
            return False
        self._reserved += size
        self._others[id(message)] = message
        if message.shared is not None:
            self.shared_bytes += len(message.text)
            self._unsent.hold(message.shared)
        self.charge(message.own_bytes)
        return not self.is_full.done()  # it may have been the most of all that waits

    def release(self, message: Outgoing) -> None:
        """Take a charge back."""
        self._reserved -= message.size_bytes
        self._forget_other(message)

    def charge(self, size: int) -> None:
        """Count what messages are made of later, beside this outbox's own bound; negative: no longer."""
        if not self.is_full.done():
            self.own_bytes += size
            self._unsent.charge(size)

    def put_reserved(self, message: Outgoing) -> None:
        """Queue a message that was charged for."""
        if self._others.pop(id(message), None) is None:
            return
        size = message.size_bytes
        self._reserved -= size
        self._messages.append(message)
        self._queued += size
        self._has_messages.set()
        if self._queued >= _ROOM_BYTES:
            self._has_room.clear()

    async def room(self) -> None:
        """Wait until little is queued."""
        await self._has_room.wait()

    async def send_all(self, send: Callable[[Sequence[bytes]], Awaitable[None]]) -> None:
        """Send what is queued, without end; `send` is given the buffers of a message, and waits for a slow client."""
        while True:
            await self._has_messages.wait()
            if not self._messages:  # all are sent, or `end` came first
                self._has_messages.clear()
                continue
            message = self._messages.popleft()
            self._others[id(message)] = message
            await send(message.buffers)
            self._queued -= message.size_bytes
            self._forget_other(message)
            if self._queued < _ROOM_BYTES:
                self._has_room.set()

    def end(self) -> None:
        """Drop what waits, and take nothing more; may be called again."""
        if not self.is_full.done():
            self.is_full.set_result(None)
            self._unsent.remove(self)
        for message in (*self._messages, *self._others.values()):
            self._forget(message)
        self._messages.clear()
        self._others.clear()
        self._has_messages.clear()

    def _forget(self, message: Outgoing) -> None:
        """Count a message no longer, which waits no more."""
        self.charge(-message.own_bytes)
        if message.shared is not None:
            self.shared_bytes -= len(message.text)
            self._unsent.let_go(message.shared)

    def _forget_other(self, message: Outgoing) -> None:
        """The same of one that is not queued, unless `end` was first."""
        if self._others.pop(id(message), None) is not None:
            self._forget(message)
