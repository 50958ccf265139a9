"""Offsets of our topics, by their logical names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from core import kafka
from core.kafka.log_dirs import topic_bytes
from core.kafka.reading import records_between
from core.kafka.topic_admin import topic_partitions
from core.settings import Settings
from schemas.topics import physical


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

    async def bounds(self, *names: str) -> kafka.Bounds:
        """What every partition of the named topics holds."""
        return await kafka.bounds(self._consumer, await self._partitions(names))

    async def committed(self, group_id: str, *names: str) -> kafka.Offsets:
        """Up to where a consumer group has committed the named topics, where it has committed."""
        return await kafka.committed(self._admin, group_id, await self._partitions(names))

    async def since(self, ends: kafka.Offsets, time_ms: int) -> kafka.Offsets:
        """The first record of a time (Kafka's, Unix milliseconds) or later in each partition; `ends` if none is."""
        return await kafka.offsets_at(self._settings, self._consumer, ends, time_ms)

    async def sizes(self, partitions: Iterable[TopicPartition]) -> dict[str, int]:
        """How many bytes topics (full names) take on the disks of all brokers, where they tell it."""
        # aiokafka has no public way to send a request of one's own.
        return await topic_bytes(self._admin._client, list(partitions))  # noqa: SLF001

    def records(self, bounds: kafka.Bounds) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
        """Read all records that partitions hold, in the order of each."""
        return records_between(self._settings, self._consumer, bounds.begins, bounds.ends)

    async def _partitions(self, names: Iterable[str]) -> list[TopicPartition]:
        """Every partition of the named topics that exist."""
        present = await topic_partitions(self._admin)
        return [
            TopicPartition(topic, partition["partition"])
            for topic in (physical(self._settings.kafka.topic_prefix, name) for name in names)
            for partition in present.get(topic, ())
        ]
