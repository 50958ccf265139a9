"""What the broker says about `raw.bundles`: where it begins and ends, and how far the group has come.

Asked with clients of our own, because Faust's view of itself is what is to be checked.
"""

from __future__ import annotations

from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from core import kafka
from core.waiting import until_it_works


class Standing(NamedTuple):
    """How far the group is in every partition: records that it has not committed, and the offset that it has."""

    lag: dict[int, int]
    committed: dict[int, int]


class BundleOffsets:
    """Offsets of one topic and one consumer group.

    Args:
        admin: started.
        reader: a started consumer without a group.
        topic: the topic's name in Kafka.
        group_id: the consumer group.
        partitions: of the topic.
    """

    def __init__(
        self, admin: AIOKafkaAdminClient, reader: AIOKafkaConsumer, topic: str, group_id: str, partitions: int
    ) -> None:
        self._admin = admin
        self._reader = reader
        self._group_id = group_id
        self._all = [TopicPartition(topic, partition) for partition in range(partitions)]

    async def committed(self, partition: int) -> int | None:
        """Return the offset that the group reads next, or None if it has committed none; waits for the broker."""
        return (await until_it_works("Kafka to tell offsets", self._committed, kafka.is_transient)).get(partition)

    async def earliest(self, partition: int) -> int:
        """Return the first offset that the partition still has; waits for the broker."""
        wanted = self._all[partition]

        async def ask() -> int:
            return int((await self._reader.beginning_offsets([wanted]))[wanted])

        return await until_it_works("Kafka to tell offsets", ask, kafka.is_transient)

    async def standing(self) -> Standing:
        """Return how far the group is. Fails while the broker is away."""
        ends = await self._reader.end_offsets(self._all)
        begins = await self._reader.beginning_offsets(self._all)
        committed = await self._committed()
        lag = {
            tp.partition: ends[tp] - min(ends[tp], max(begins[tp], committed.get(tp.partition, 0))) for tp in self._all
        }
        return Standing(lag, committed)

    async def _committed(self) -> dict[int, int]:
        found = await self._admin.list_consumer_group_offsets(self._group_id, partitions=self._all)
        return {tp.partition: at.offset for tp, at in found.items() if at.offset >= 0}
