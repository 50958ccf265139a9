"""Messages that wait until a client reads them, up to a bound in bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from api.relay.unsent import Unsent

_ROOM_BYTES = 256 * 1024
"""Stored events are put while less than this waits: enough to keep a fast reader busy."""


class Outbox:
    """What one connection is to be sent, in order.

    Args:
        limit_bytes: how much may wait beside one message; with more the client is too slow.
        unsent: counts what waits for all readers, and ends what waits for one of them where that is too much.

    Attributes:
        waiting_bytes: of messages, and of what they are made of later.
    """

    def __init__(self, limit_bytes: int, unsent: Unsent) -> None:
        self.is_full: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done as soon as more waited than may, or `end` was called: the connection is to be ended."""
        self.waiting_bytes = 0
        self._limit = limit_bytes
        self._unsent = unsent
        self._frames: deque[bytes] = deque()
        self._queued = 0
        self._reserved = 0
        self._has_frames = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        unsent.add(self)

    def put(self, frame: bytes) -> None:
        """Queue a message."""
        if self.reserve(len(frame)):
            self.put_reserved(frame)

    def can_hold(self, size: int) -> bool:
        """Whether a message of so many bytes can be held and others be sent before it, which have half of the bound."""
        return self._queued + self._reserved + size <= self._limit // 2

    def reserve(self, size: int) -> bool:
        """Charge for a message that is queued later; False: there is no room, now and later."""
        if self._queued + self._reserved and self._queued + self._reserved + size > self._limit:
            self.end()
        self.charge(size)
        if self.is_full.done():
            return False
        self._reserved += size
        return True

    def release(self, size: int) -> None:
        """Take a charge back."""
        self._reserved -= size
        self.charge(-size)

    def charge(self, size: int) -> None:
        """Count what messages are made of later, beside this outbox's own bound; negative: no longer."""
        if not self.is_full.done():
            self.waiting_bytes += size
            self._unsent.charge(size)

    def put_reserved(self, frame: bytes) -> None:
        """Queue a message that was charged for."""
        self._reserved -= len(frame)
        if self.is_full.done():
            return
        self._frames.append(frame)
        self._queued += len(frame)
        self._has_frames.set()
        if self._queued >= _ROOM_BYTES:
            self._has_room.clear()

    async def room(self) -> None:
        """Wait until little is queued."""
        await self._has_room.wait()

    async def send_all(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Send what is queued, without end; `send` waits for a client that reads slowly."""
        while True:
            await self._has_frames.wait()
            frame = self._frames.popleft()
            await send(frame)
            self._queued -= len(frame)
            self.charge(-len(frame))
            if not self._frames:
                self._has_frames.clear()
            if self._queued < _ROOM_BYTES:
                self._has_room.set()

    def end(self) -> None:
        """Drop what waits, and take nothing more; may be called again."""
        if not self.is_full.done():
            self.is_full.set_result(None)
            self._unsent.remove(self)
        self._frames.clear()
        self._has_frames.clear()
