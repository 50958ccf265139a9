"""What the archive has at any moment and the new events from there on are all events, each once."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections import Counter
from contextlib import AsyncExitStack, suppress

import psutil
import pytest

from api.live.feed import Feed, LiveEvent, NotKeptError
from core.archive.connection import Pool
from core.settings import Settings
from core.tasks import running
from schemas.nostr.filters import Filter
from tests.broker.api.live.conftest import following, snapshot
from tests.broker.sinks.material import Feed as Topics
from tests.broker.sinks.material import all_read, event, feed, running_sink
from tests.waiting import until

pytestmark = pytest.mark.broker

KEPT_BYTES = 16 * 1024 * 1024
SMALL_BYTES = 60_000
"""Some twenty events: less than the sink takes for a batch."""
TOGETHER = 5
"""Events that are written at once: several may be in one partition."""
READERS = 50


class Reader:
    """One who reads the archive and then follows."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()

    def take(self, live: LiveEvent) -> None:
        """A new event."""
        self.ids[live.event.id] += 1

    def has(self, wanted: set[str]) -> bool:
        """Whether so many events of a test were read and came."""
        return sum(count for each, count in self.ids.items() if each in wanted) >= len(wanted)

    def had_once(self, wanted: set[str]) -> bool:
        """Whether each was read or came once."""
        return all(self.ids[each] == 1 for each in wanted)


class Writer:
    """Writes events without a pause."""

    def __init__(self, topics: Topics, first: int) -> None:
        self.ids: set[str] = set()
        self._first = first
        self._topics = topics
        self._stopping = False
        self._stopped = asyncio.Event()

    async def write(self) -> None:
        """Until it is stopped."""
        while not self._stopping:
            await self.write_some()
            await asyncio.sleep(0.01)  # each goes to some hundred readers
        self._stopped.set()

    async def stop(self) -> None:
        """Return when all is written."""
        self._stopping = True
        await self._stopped.wait()

    async def write_some(self) -> None:
        """A few."""
        made = [event(self._first + len(self.ids) + number) for number in range(TOGETHER)]
        self.ids |= {each.id for each in made}
        await self._topics.events(made)


async def begin_reading(settings: Settings, pool: Pool, followed: Feed) -> Reader:
    """Read the archive, and a moment later follow, as the relay does; again where that took too long."""
    while True:
        reader = Reader()
        async with pool.acquire() as connection:
            read = await snapshot(connection, settings)
        reader.ids.update(read.ids)
        await asyncio.sleep(random.random() * 0.02)  # other work of the process
        with suppress(NotKeptError):
            followed.subscribe(read.offsets, [Filter(), Filter(kinds=(1,))], reader.take)
            return reader


def cut_connections(settings: Settings) -> None:
    """Cut all connections of this process to Kafka."""
    port = int((settings.kafka.bootstrap_servers or "").rpartition(":")[2])
    for found in psutil.Process().net_connections("tcp"):
        if found.raddr and found.raddr.port == port:
            with socket.socket(fileno=os.dup(found.fd)) as connection, suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


async def test_nothing_is_missing_and_nothing_comes_twice(settings: Settings, pool: Pool) -> None:
    followed = Feed(KEPT_BYTES)
    readers: list[Reader] = []
    async with feed(settings) as topics, AsyncExitStack() as live:
        writer = Writer(topics, 0)
        await writer.write_some()
        async with running_sink(settings):
            await all_read(settings, pool)
            await live.enter_async_context(following(settings, followed))
            await live.enter_async_context(running(writer.write()))
            readers += [await begin_reading(settings, pool, followed) for _ in range(READERS)]
            cut_connections(settings)
            readers += [await begin_reading(settings, pool, followed) for _ in range(READERS)]
        # The archive stays behind, until another sink goes on.
        readers += [await begin_reading(settings, pool, followed) for _ in range(READERS)]
        async with running_sink(settings):
            readers += [await begin_reading(settings, pool, followed) for _ in range(READERS)]
        await writer.stop()
        await until(lambda: all(reader.has(writer.ids) for reader in readers), "all events")
    assert all(reader.had_once(writer.ids) for reader in readers)


async def test_what_the_archive_lacks_is_kept_however_little_is_kept(settings: Settings, pool: Pool) -> None:
    followed = Feed(SMALL_BYTES)
    async with feed(settings) as topics, running_sink(settings):
        writer = Writer(topics, 1_000_000)
        await writer.write_some()
        await all_read(settings, pool)
        async with following(settings, followed), running(writer.write()):
            readers = [await begin_reading(settings, pool, followed) for _ in range(READERS)]
            await writer.stop()
            await until(lambda: all(reader.has(writer.ids) for reader in readers), "all events")
    assert all(reader.had_once(writer.ids) for reader in readers)
