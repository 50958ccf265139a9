"""Finds again the relays that archived events name: after a change of what counts, or where `relays.found` forgot them.

Reads the topic `events` beside running processors, from its beginning to where it ends at the start. Nothing is
committed: it can be repeated, and interrupted at any moment.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol

from core import kafka
from core.erasures import ErasureFollower, into
from core.kafka import ProducerRecord, Publisher
from core.kafka.reading import partitions_of
from core.settings import Settings
from processors.validate.discovery.findings import Findings
from schemas.nostr.relay_mentions import mentions
from schemas.records.erasure import Erasures
from schemas.records.event_record import decode
from schemas.topics import physical

_MOST_RELAYS = 10_000
"""Relays that are added up before they are published: as many as are in use, in 20 MB. Beyond, some come twice."""
_TOLD_EVERY = 1000
"""Records between two words on progress; 50 ms."""


class Watcher(Protocol):
    """Receives progress."""

    def progress(self, done: int, total: int) -> None:
        """Receive how many of the records were read; fewer may come than there were, as compaction removes some."""


@dataclass(slots=True)
class Report:
    """What was read and published.

    Attributes:
        events: that were read; more than there are, where the topic still has former records of some.
        erased: those of them that were left out, because they are erased.
        unreadable: records that hold no event.
        published: records of `relays.found`, one for each relay unless there are very many.
    """

    events: int = 0
    erased: int = 0
    unreadable: int = 0
    published: int = 0


async def rediscover(settings: Settings, watcher: Watcher) -> Report:
    """Publish to `relays.found` what the events of the topic `events` say of relays, whatever `discovery.enabled` is.

    Returns when all of it is durable.

    Raises:
        PublishError: Kafka refused a record for good.
        ServerAwayError: Kafka was away for too long.
    """
    async with AsyncExitStack() as stack:
        erased = Erasures()
        follower = ErasureFollower(settings, into(erased))
        stack.push_async_callback(follower.close)
        await follower.start()
        publisher = await stack.enter_async_context(kafka.publishing(settings))
        run = _Run(settings, erased, publisher)
        await run.read(watcher)
        return run.report


class _Run:
    """Adds up what events say, and publishes it whenever it is of many relays."""

    def __init__(self, settings: Settings, erased: Erasures, publisher: Publisher) -> None:
        self.report = Report()
        self._settings = settings
        self._erased = erased
        self._publisher = publisher
        self._relays = Findings()

    async def read(self, watcher: Watcher) -> None:
        """Go through the topic, and wait until everything is durable."""
        bounds = await self._bounds()
        total, done = kafka.lag(bounds.ends, bounds.begins, {}), 0
        async for record in kafka.read_between(self._settings, bounds.begins, bounds.ends):
            self._add(record.value)
            if len(self._relays) >= _MOST_RELAYS:
                await self._publish()
            done += 1
            if done % _TOLD_EVERY == 0:
                watcher.progress(done, total)
        await self._publish()
        watcher.progress(total, total)

    async def _bounds(self) -> kafka.Bounds:
        client = await kafka.consumer(self._settings)
        try:
            topic = physical(self._settings.kafka.topic_prefix, "events")
            return await kafka.bounds(client, await partitions_of(client, topic))
        finally:
            await kafka.stop_client(client)

    def _add(self, value: bytes | None) -> None:
        if value is None:  # erased
            return
        try:
            event, _, _, seen_at_ms, _ = decode(value)
        except ValueError:
            self.report.unreadable += 1
            return
        self.report.events += 1
        if self._erased.covers(event) is not None:
            self.report.erased += 1
            return
        found = mentions(event, allow_private=self._settings.discovery.allow_private)
        self._relays.add(found, event.pubkey, seen_at_ms)

    async def _publish(self) -> None:
        topic = physical(self._settings.kafka.topic_prefix, "relays.found")
        partitions = await self._publisher.partition_count(topic)
        await self._publisher.deliver(
            ProducerRecord(topic, relay.encode(), relay.key(), relay.partition(partitions)) for relay in self._relays
        )
        self.report.published += len(self._relays)
        self._relays = Findings()
