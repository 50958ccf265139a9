"""Lets the connections of one client take turns: the archive answers a bounded number of its queries at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """The turns of all clients. A connection waits with one request at most, so that those who wait are bounded.

    Args:
        at_once: turns of one client.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._shares: dict[str, asyncio.Semaphore] = {}
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for a turn of a client, and have it."""
        share = self._shares.setdefault(client, asyncio.Semaphore(self._at_once))
        self._users[client] += 1
        try:
            async with share:
                yield
        finally:
            self._users[client] -= 1
            if not self._users[client]:
                del self._users[client], self._shares[client]
