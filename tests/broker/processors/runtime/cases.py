"""The handlers that the suite of losses runs, each with work for it and with what must follow from that work."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from typing import ClassVar, NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin import NewTopic

from core import kafka
from core.kafka.topics import create_topics
from core.settings import Settings
from schemas.topics import configs, physical
from tests.broker.processors.harness import (
    Line,
    bundles,
    event_ids,
    group_offsets,
    records,
    sighted,
)
from tests.broker.processors.runtime.two_topics import OUTPUT, OUTPUT_PARTITIONS, SOURCES
from tests.waiting import until

FAULTY = ("-m", "tests.broker.processors.runtime.faulty")


class Sent(NamedTuple):
    """A record for one of a handler's sources (logical name)."""

    topic: str
    partition: int
    value: bytes | None


class Case(ABC):
    """One handler. Further ones join the suite by a subclass, and an entry in `faulty`."""

    name: ClassVar[str]
    output: ClassVar[str]
    """The topic (logical name) that takes something of every record of the work."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @abstractmethod
    async def create_topics(self) -> None:
        """Make the topics of the handler."""

    @abstractmethod
    def work(self, *, many: bool = False) -> list[Sent]:
        """Records for every partition: fewer than may be in flight at once, or hundreds."""

    @abstractmethod
    async def published(self) -> float:
        """Which share of what must follow from the work has been published."""

    @abstractmethod
    async def nothing_is_missing(self) -> None:
        """Assert that all of the work was done, and done rightly."""

    def arguments(self, fault: str = "none", offset: int = 0) -> tuple[str, ...]:
        """Those of Python for a processor of this handler, with a fault at an offset of every partition."""
        return (*FAULTY, self.name, fault, str(offset))

    def full_name(self, topic: str) -> str:
        return physical(self.settings.kafka.topic_prefix, topic)

    async def send(self, made: list[Sent]) -> None:
        """Write records and wait until they are durable."""
        producer = await kafka.producer(self.settings)
        try:
            await asyncio.gather(
                *[
                    await producer.send(self.full_name(sent.topic), sent.value, key=b"key", partition=sent.partition)
                    for sent in made
                ]
            )
        finally:
            await kafka.stop_client(producer)

    async def committed(self) -> dict[TopicPartition, int]:
        return await group_offsets(self.settings)

    async def all_committed(self, made: list[Sent]) -> None:
        """Wait until the group is past every one of these records, which are all that the topics hold."""
        wanted = Counter(TopicPartition(self.full_name(sent.topic), sent.partition) for sent in made)

        async def done() -> bool:
            return await self.committed() == wanted

        await until(done, "all is committed")

    async def all_committed_at(self, offset: int, made: list[Sent]) -> bool:
        """Tell whether the group is at this offset in every partition that the records are in."""
        places = {TopicPartition(self.full_name(sent.topic), sent.partition) for sent in made}
        return await self.committed() == dict.fromkeys(places, offset)


class Validation(Case):
    """Bundles of events that two relays hold."""

    name = "validate"
    output = "events"

    def __init__(self, settings: Settings, stream: list[Line]) -> None:
        super().__init__(settings)
        self._stream = stream

    async def create_topics(self) -> None:
        await create_topics(self.settings)

    def work(self, *, many: bool = False) -> list[Sent]:
        made = bundles(self._stream, self.settings.kafka.partitions, size=5 if many else 50)
        return [Sent("raw.bundles", partition, value) for partition, value in made]

    async def published(self) -> float:
        return len(set(await event_ids(self.settings))) / len({event_id for event_id, _ in self._stream})

    async def nothing_is_missing(self) -> None:
        assert set(await event_ids(self.settings)) == {event_id for event_id, _ in self._stream}
        assert await sighted(self.settings) == {
            (event_id, f"wss://r{relay}.example") for event_id, _ in self._stream for relay in range(2)
        }


class TwoTopics(Case):
    """Numbered records in the partitions of two topics."""

    name = "two topics"
    output = OUTPUT
    _FEW, _MANY = 20, 300

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._work: list[Sent] = []

    async def create_topics(self) -> None:
        client = await kafka.admin(self.settings)
        counts = {**SOURCES, OUTPUT: OUTPUT_PARTITIONS}
        await client.create_topics(
            [NewTopic(self.full_name(name), count, 1, topic_configs=configs(name)) for name, count in counts.items()]
        )
        await kafka.stop_client(client)

    def work(self, *, many: bool = False) -> list[Sent]:
        self._work = [
            Sent(topic, partition, b"number %d" % number)
            for number in range(self._MANY if many else self._FEW)
            for topic, count in SOURCES.items()
            for partition in range(count)
        ]
        return self._work

    async def published(self) -> float:
        return len(set(await self._lines())) / len(self._work)

    async def nothing_is_missing(self) -> None:
        lines = set(await self._lines())
        found: dict[TopicPartition, list[bytes]] = {}
        for topic, partition, _, value in sorted(lines, key=lambda line: line[2]):
            if value.startswith(b"number"):
                found.setdefault(TopicPartition(topic, partition), []).append(value)
        wanted: dict[TopicPartition, list[bytes]] = {}
        for sent in self._work:
            wanted.setdefault(TopicPartition(self.full_name(sent.topic), sent.partition), []).append(sent.value or b"")
        assert found == wanted

    async def _lines(self) -> list[tuple[str, int, int, bytes]]:
        lines = []
        for record in await records(self.settings, OUTPUT):
            topic, partition, offset, value = record.value.split(b" ", 3)
            lines.append((topic.decode(), int(partition), int(offset), value))
        return lines
