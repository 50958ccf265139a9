"""Offsets of a processor's source partitions: beginning, end, and the group's committed offset.

Asked with clients of our own, because Faust's view of itself is what is to be checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from core import kafka
from core.waiting import until_it_works


class Standing(NamedTuple):
    """How far the group is in every partition: records that it has not committed, and the offset that it has."""

    lag: Mapping[TopicPartition, int]
    committed: Mapping[TopicPartition, int]

    def of(self, topic: str) -> Standing:
        """Give the part that is about one topic (full name)."""
        return Standing(
            {tp: records for tp, records in self.lag.items() if tp.topic == topic},
            {tp: offset for tp, offset in self.committed.items() if tp.topic == topic},
        )


class SourceOffsets:
    """Offsets of one consumer group.

    Args:
        admin: started.
        reader: a started consumer without a group.
        group_id: the consumer group.
        partitions: all of the topics that the group consumes.
    """

    def __init__(
        self,
        admin: AIOKafkaAdminClient,
        reader: AIOKafkaConsumer,
        group_id: str,
        partitions: Sequence[TopicPartition],
    ) -> None:
        self._admin = admin
        self._reader = reader
        self._group_id = group_id
        self._all = list(partitions)

    async def committed(self, partition: TopicPartition) -> int | None:
        """Return the offset that the group reads next, or None if it has committed none; waits for the broker."""
        return (await until_it_works("Kafka to tell offsets", self._committed, kafka.is_transient)).get(partition)

    async def earliest(self, partition: TopicPartition) -> int:
        """Return the first offset that the partition still has; waits for the broker."""

        async def ask() -> int:
            return int((await self._reader.beginning_offsets([partition]))[partition])

        return await until_it_works("Kafka to tell offsets", ask, kafka.is_transient)

    async def standing(self) -> Standing:
        """Return how far the group is. Fails while the broker is away."""
        begins, ends = await kafka.bounds(self._reader, self._all)
        committed = await self._committed()
        return Standing(kafka.lags(ends, begins, committed), committed)

    async def _committed(self) -> kafka.Offsets:
        return await kafka.committed(self._admin, self._group_id, self._all, joined=True)
