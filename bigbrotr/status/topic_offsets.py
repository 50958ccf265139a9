"""End offsets of topics and positions of consumers: the processor's offsets in Kafka, the sink's in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from core import kafka
from core.settings import Settings
from schemas.topics import TOPICS, physical

Offsets = dict[TopicPartition, int]


def lag(
    ends: Mapping[TopicPartition, int], begins: Mapping[TopicPartition, int], reached: Mapping[TopicPartition, int]
) -> int:
    """Count the records that a reader still has to read; where it never read, all that the topic still holds.

    Args:
        ends: the next offset of each partition.
        begins: the oldest offset of each partition.
        reached: the next offset that the reader will read.
    """
    return sum(max(0, end - max(begins.get(tp, 0), reached.get(tp, 0))) for tp, end in ends.items())


class OffsetsReader:
    """Asks Kafka for offsets, with clients of its own that stay open; an async context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._closing = AsyncExitStack()
        self._consumer: AIOKafkaConsumer
        self._admin: AIOKafkaAdminClient

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            self._consumer = await kafka.consumer(self._settings)
            opening.push_async_callback(kafka.stop_client, self._consumer)
            self._admin = await kafka.admin(self._settings)
            opening.push_async_callback(kafka.stop_client, self._admin)
            self._closing = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.aclose()

    def physical(self, name: str) -> str:
        """The name in Kafka of a topic of ours."""
        return physical(self._settings.kafka.topic_prefix, name)

    async def partitions(self, *names: str) -> list[TopicPartition]:
        """Every partition of the named topics that exist; of all topics of ours where none is named."""
        wanted = [self.physical(name) for name in names or [topic.name for topic in TOPICS]]
        found = await self._admin.describe_topics(wanted)
        return [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in found
            if topic["error_code"] == 0
            for partition in topic["partitions"]
        ]

    async def ends(self, *names: str) -> Offsets:
        """The next offset of each partition of the named topics."""
        partitions = await self.partitions(*names)
        return dict(await self._consumer.end_offsets(partitions)) if partitions else {}

    async def begins(self, *names: str) -> Offsets:
        """The oldest offset of each partition of the named topics."""
        partitions = await self.partitions(*names)
        return dict(await self._consumer.beginning_offsets(partitions)) if partitions else {}

    async def since(self, ends: Offsets, time_ms: int) -> Offsets:
        """The first record of a time (Kafka's, Unix milliseconds) or later in each partition; `ends` if none is."""
        return await kafka.offsets_at(self._settings, self._consumer, ends, time_ms)

    async def committed(self, group_id: str, *names: str) -> Offsets:
        """Up to where a consumer group has committed the named topics, where it has committed."""
        partitions = await self.partitions(*names)
        try:
            found = await self._admin.list_consumer_group_offsets(group_id, partitions=partitions)
        except GroupCoordinatorNotAvailableError:
            return {}  # Kafka makes its topic of offsets when the first group commits
        return {tp: entry.offset for tp, entry in found.items() if entry.offset >= 0}
