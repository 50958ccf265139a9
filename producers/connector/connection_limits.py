"""Limits connections: a maximum for all relays, a reserved part for priority relays, few per host, and a duration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from weakref import WeakValueDictionary

from producers.relay_client.refusals import HOUR_S
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import RelayUrl

PRIORITY_SHARE = 4
"""One connection in so many is kept for the priority lane."""
HOST_CONNECTIONS = 2
"""To one host at once, whatever URLs name it: browsers' clients open one, and bans are by address."""
VISIT_S = 600.0
"""A regular relay that is read and has been live for so long gives its place to one that waits."""
LONGEST_VISIT_S = HOUR_S
"""One that is still being read does so too: stored events without end must not keep a place without limit."""


class ConnectionLimits:
    """Gives connection slots in the order in which they are requested."""

    def __init__(self, connections: int, *, visit_s: float = VISIT_S, longest_visit_s: float = LONGEST_VISIT_S) -> None:
        """Divide places between the lanes.

        Args:
            connections: places.
            visit_s: for so long a regular relay keeps its place once it is connected.
            longest_visit_s: for so long if it is not read before.
        """
        self._visit_s = visit_s
        self._longest_visit_s = longest_visit_s
        priority = max(1, connections // PRIORITY_SHARE)
        self._lanes = {
            "priority": asyncio.Semaphore(priority),
            "regular": asyncio.Semaphore(max(1, connections - priority)),
        }
        # A host is forgotten with the last relay of it that holds a place or waits for one.
        self._hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
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

    async def turn(self, record: RelayRecord, finished: asyncio.Event) -> None:
        """Return when a relay that waits should have this one's place; of the priority lane, never.

        Args:
            record: of the relay, which has a place.
            finished: set while all of it is read.
        """
        if record.lane == "priority":
            await asyncio.Event().wait()
        await asyncio.sleep(self._visit_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._longest_visit_s - self._visit_s):
                await finished.wait()
        await self.contended.wait()

    def _count(self, change: int) -> None:
        self.waiting += change
        if self.waiting:
            self.contended.set()
        else:
            self.contended.clear()

    def _host(self, host: str) -> asyncio.Semaphore:
        return self._hosts.setdefault(host, asyncio.Semaphore(HOST_CONNECTIONS))
