"""Who may be connected: a bound for all relays, a part of it for the priority lane, and few at once to one host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from schemas.relay_record import RelayRecord
from schemas.relay_url import RelayUrl

PRIORITY_SHARE = 4
"""One connection in so many is kept for the priority lane."""
HOST_CONNECTIONS = 2
"""To one host at once, whatever URLs name it: browsers' clients open one, and bans are by address."""


class Slots:
    """Hands out places in the order in which they are asked for."""

    def __init__(self, connections: int) -> None:
        """Divide so many places between the lanes."""
        priority = max(1, connections // PRIORITY_SHARE)
        self._lanes = {
            "priority": asyncio.Semaphore(priority),
            "regular": asyncio.Semaphore(max(1, connections - priority)),
        }
        self._hosts: dict[str, asyncio.Semaphore] = {}
        self.waiting = 0
        """Regular relays that wait for a place."""
        self.contended = asyncio.Event()
        """Set while there are any."""

    @asynccontextmanager
    async def place(self, record: RelayRecord, url: RelayUrl) -> AsyncIterator[None]:
        """Hold a place for a relay. The operator's own relays are not bound by their host: it may be his machine."""
        lane = self._lanes[record.lane]
        host = nullcontext() if record.allow_private else self._host(url.host)
        async with host:
            counted = record.lane == "regular"
            self._count(counted)
            try:
                await lane.acquire()
            finally:
                self._count(-counted)
            try:
                yield
            finally:
                lane.release()

    def _count(self, change: int) -> None:
        self.waiting += change
        if self.waiting:
            self.contended.set()
        else:
            self.contended.clear()

    def _host(self, host: str) -> asyncio.Semaphore:
        if host not in self._hosts:
            self._hosts[host] = asyncio.Semaphore(HOST_CONNECTIONS)
        return self._hosts[host]
