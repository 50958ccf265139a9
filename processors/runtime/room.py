"""A bound on bytes: what is in memory between taking a record and its acknowledgement."""

from __future__ import annotations

import asyncio


class Room:
    """Lets one taker at a time wait until there is room.

    Args:
        limit_bytes: most bytes in use at once. Something larger is let in alone.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._freed = asyncio.Event()
        self.used_bytes = 0

    async def acquire(self, size_bytes: int) -> None:
        """Take room, waiting until there is enough."""
        while self.used_bytes and self.used_bytes + size_bytes > self._limit_bytes:
            self._freed.clear()
            await self._freed.wait()
        self.used_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        """Give room back."""
        self.used_bytes -= size_bytes
        self._freed.set()
