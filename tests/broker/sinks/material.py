"""Signed events made up by the test, what the processor would say of them, and a sink that runs beside the test."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager

from core import kafka
from core.archive.connection import Pool
from core.settings import Settings
from schemas.digest import Digest
from schemas.nostr.event import Event, encode_event
from schemas.nostr.event_id import compute_id, id_form
from schemas.nostr.facts import facts
from schemas.partition import event_partition
from schemas.records import event_record, sighting
from schemas.records.sighting import Sighting
from schemas.topics import physical
from sinks.service import SinkService
from sinks.tables import contents
from sinks.writing.stored_offsets import stored_offsets
from tests.waiting import until

START_S = 1_790_000_000
SEEN_MS = 1_795_000_000_000


def event(number: int, *, content: str | None = None, tags: list[list[str]] | None = None, kind: int = 1) -> Event:
    """An event with a right id; its signature is 64 bytes of no key, which the sink does not look at."""
    rng = random.Random(number)
    unnamed = Event(
        "",
        rng.randbytes(32).hex(),
        START_S + number,
        kind,
        [["t", f"topic{number % 7}"], ["p", rng.randbytes(32).hex()]] if tags is None else tags,
        f"event {number}" if content is None else content,
        rng.randbytes(64).hex(),
    )
    return unnamed._replace(id=compute_id(unnamed))


class Feed:
    """Writes to the sink's topics as the processor would, and adds up the digest that the archive must have."""

    def __init__(self, settings: Settings, publisher: kafka.Publisher) -> None:
        self._settings = settings
        self._publisher = publisher
        self._events: set[str] = set()
        self._pairs: set[tuple[str, str]] = set()

    async def events(self, events: Iterable[Event], raws: Iterable[bytes] | None = None) -> None:
        """Publish events; returns once they are acknowledged."""
        events = list(events)
        pairs = zip(events, raws if raws is not None else map(encode_event, events), strict=True)
        await asyncio.gather(*[await self._event(made, raw) for made, raw in pairs])

    async def sightings(self, events: Iterable[Event], relay: str, seen_at_ms: int) -> None:
        """Publish that a relay had events at a moment, one record for each partition."""
        by_partition: dict[int, list[tuple[str, int]]] = {}
        for made in events:
            by_partition.setdefault(self._partition(made), []).append((made.id, made.created_at))
            self._pairs.add((made.id, relay))
        for partition, ids in by_partition.items():
            await self.raw("sightings", partition, sighting.encode([Sighting(relay, seen_at_ms, ids)]))

    async def raw(self, topic: str, partition: int, value: bytes | None, key: bytes | None = None) -> None:
        """Publish any bytes."""
        name = physical(self._settings.kafka.topic_prefix, topic)
        await (await self._publisher.send(name, value, key, partition))

    def digest(self) -> Digest:
        """What the archive's digest must be after everything that was fed."""
        digest = Digest()
        for event_id in self._events:
            digest.add_event(event_id)
        for event_id, relay in self._pairs:
            digest.add_pair(event_id, relay)
        return digest

    def _partition(self, made: Event) -> int:
        return event_partition(made.id, self._settings.kafka.partitions)

    async def _event(self, made: Event, raw: bytes) -> Awaitable[object]:
        form = id_form(made)
        assert form is not None
        self._events.add(made.id)
        return await self._publisher.send(
            physical(self._settings.kafka.topic_prefix, "events"),
            event_record.encode(raw, "wss://relay.example", SEEN_MS, facts(made, form, SEEN_MS)),
            bytes.fromhex(made.id),
            self._partition(made),
        )


@asynccontextmanager
async def feed(settings: Settings) -> AsyncIterator[Feed]:
    """A feed that is closed at the end."""
    publisher = await kafka.open_publisher(settings)
    try:
        yield Feed(settings, publisher)
    finally:
        await publisher.close()


@asynccontextmanager
async def running_sink(settings: Settings) -> AsyncIterator[SinkService]:
    """A started sink, stopped, drained and closed at the end; what ended it early is raised."""
    service = SinkService(settings)
    try:
        await service.start()
        run = asyncio.create_task(service.run())
        try:
            yield service
        finally:
            service.stopping.set()
            await run
        await service.drain()
        service.background.check()
    finally:
        await service.close()


async def has_read_all(settings: Settings, pool: Pool) -> bool:
    """Whether the sink's group has committed every record that its topics have now, also those that change nothing."""
    ends = await kafka.end_offsets(settings, contents(settings))
    async with pool.acquire() as connection:
        stored = await stored_offsets(connection, settings.sink.group_id)
    return all(tp in stored and stored[tp].next_offset == end for tp, end in ends.items())


async def all_read(settings: Settings, pool: Pool) -> None:
    """Wait until the sink's group has read all."""
    await until(lambda: has_read_all(settings, pool), "the sink has read all")
