"""Follows the topics of the partitions that are assigned: the records of relays, and what connectors met of them.

Information documents lie by their hashes, so that all of them are followed. The topics know of an assignment a moment
later than the processor: until they have read what is new in it, no record is handled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from core.kafka.state_change import Change
from core.kafka.state_topic import StateTopic
from core.settings import Settings
from processors.assess.assessor import Assessor
from processors.assess.beside import Met, met_in
from processors.assess.book import Entry, entry_of
from processors.relay_keys import read_key
from schemas.partition import relay_partition
from schemas.records.coverage import Coverage
from schemas.records.relay_document import RelayDocumentRecord
from schemas.records.relay_health import RelayHealth
from schemas.topics import physical


class Following:
    """What the assess agent must have read before it takes a probe.

    Args:
        settings: of the process.
        assessor: takes what is read.
        partitions: the count of the topics that are partitioned by relay host.
    """

    def __init__(self, settings: Settings, assessor: Assessor, partitions: int) -> None:
        def name(topic: str) -> str:
            return physical(settings.kafka.topic_prefix, topic)

        self._assessor = assessor
        self._wanted: frozenset[int] = frozenset()
        self._followed: frozenset[int] = frozenset()
        self._rewanted = asyncio.Event()
        self._read = asyncio.Event()
        self._documents = StateTopic(settings, name("relays.documents"), _document, self._documented)
        # In this order: what connectors met is written where there is a record to write it to.
        self._by_host: tuple[StateTopic[Entry], StateTopic[Met]] = (
            StateTopic(settings, name("relays.health"), _entry(partitions), self._heard),
            StateTopic(settings, name("coverage"), _met, self._met),
        )
        self._topics = (*self._by_host, self._documents)

    async def open(self) -> None:
        """Read all information documents."""
        await self._documents.assign()

    async def close(self) -> None:
        """Stop following."""
        await asyncio.gather(*[topic.close() for topic in self._topics])

    def want(self, partitions: Collection[int]) -> None:
        """Follow these partitions from now on."""
        self._wanted = frozenset(partitions)
        self._rewanted.set()

    async def run(self) -> None:
        """Follow what is wanted, until cancelled."""
        while True:
            self._rewanted.clear()
            if (wanted := self._wanted) != self._followed:
                self._assessor.keep(wanted)
                for topic in self._by_host:
                    await topic.assign(wanted)
                self._followed = wanted
                self._read.set()
            else:
                await self._rewanted.wait()

    async def until_current(self) -> None:
        """Return at once where everything of a few seconds ago was taken; wait otherwise."""
        while self._wanted != self._followed:
            self._read.clear()
            await self._read.wait()
        for topic in self._topics:
            await topic.until_current()

    def ready(self) -> str | None:
        """Return what is still being read, or None."""
        if self._wanted != self._followed:
            return "reading the health of relays"
        return next((reading for topic in self._topics if (reading := topic.ready()) is not None), None)

    def check(self) -> None:
        """Raise what ended the following, if anything did."""
        for topic in self._topics:
            topic.check()

    async def _heard(self, changes: Sequence[Change[Entry]]) -> None:
        for change in changes:
            if change.value is None or change.value.partition == change.partition:
                self._assessor.heard(change.key.decode("utf-8", "replace"), change.value)

    async def _met(self, changes: Sequence[Change[Met]]) -> None:
        for change in changes:
            self._assessor.met(change.partition, change.key.decode("utf-8", "replace"), change.value)

    async def _documented(self, changes: Sequence[Change[RelayDocumentRecord]]) -> None:
        for change in changes:
            if change.value is not None:
                self._assessor.documented(change.value)


def _entry(partitions: int) -> Callable[[bytes, bytes], Entry]:
    def decode(key: bytes, value: bytes) -> Entry:
        health = RelayHealth.decode(value)
        relay = read_key(health.url)
        if relay is None or relay.url.encode() != key:
            raise ValueError("url: is not the key, or no normalised URL")
        return entry_of(health, value, relay.host, relay_partition(relay.host, partitions))

    return decode


def _met(key: bytes, value: bytes) -> Met:
    coverage = Coverage.decode(value)
    if coverage.relay.encode() != key:
        raise ValueError("relay: is not the key")
    return met_in(coverage)


def _document(key: bytes, value: bytes) -> RelayDocumentRecord:
    record = RelayDocumentRecord.decode(value)
    if record.hash.encode() != key:
        raise ValueError("hash: is not the key")
    return record
