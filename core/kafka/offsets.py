"""Offsets of partitions as the broker tells them, by clients that are given, and the lag that follows from them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import TopicPartition

from core.kafka.clients import consumer, stop_client
from core.kafka.reading import partitions_of, read_between
from core.settings.model import Settings

Offsets = dict[TopicPartition, int]


class Bounds(NamedTuple):
    """What partitions hold: from the oldest offset of each up to but not including the next one to be written."""

    begins: Offsets
    ends: Offsets


def lags(
    ends: Mapping[TopicPartition, int], begins: Mapping[TopicPartition, int], reached: Mapping[TopicPartition, int]
) -> Offsets:
    """Count in each partition the records that a reader has still to read; all that is there where it never read.

    Args:
        ends: the next offset to be written.
        begins: the oldest offset; 0 where none is given.
        reached: the next offset that the reader reads, where it has one.
    """
    return {tp: max(0, end - max(begins.get(tp, 0), reached.get(tp, 0))) for tp, end in ends.items()}


def lag(
    ends: Mapping[TopicPartition, int], begins: Mapping[TopicPartition, int], reached: Mapping[TopicPartition, int]
) -> int:
    """Add up the `lags` of all partitions."""
    return sum(lags(ends, begins, reached).values())


async def bounds(client: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> Bounds:
    """Ask what partitions hold now."""
    topics = {tp.topic for tp in partitions}
    # One request for the leaders of all. Otherwise aiokafka asks topic by topic, and pauses for a tenth of a second
    # before each that it has not met before: 1.4 s for ours. It has no public way to be told of them.
    await asyncio.gather(*(client._client.add_topic(topic) for topic in topics))  # noqa: SLF001
    for topic in topics:
        await partitions_of(client, topic)
    # In this order: what is deleted between the two questions cannot put a beginning behind its end.
    begins = await client.beginning_offsets(partitions)
    return Bounds(dict(begins), dict(await client.end_offsets(partitions)))


async def committed(
    client: AIOKafkaAdminClient, group_id: str, partitions: Collection[TopicPartition], *, joined: bool = False
) -> Offsets:
    """Ask for the next offset that a consumer group reads, of the partitions that it has committed.

    Args:
        client: an admin client.
        group_id: the group.
        partitions: of any topics.
        joined: whether the group is known to have had members. Then a missing coordinator is an outage, and raised.
            Otherwise it means that nothing is committed: Kafka makes its topic of offsets for the first group.
    """
    try:
        found = await client.list_consumer_group_offsets(group_id, partitions=list(partitions))
    except GroupCoordinatorNotAvailableError:
        if joined:
            raise
        return {}
    return {tp: at.offset for tp, at in found.items() if at.offset >= 0}


async def end_offsets(settings: Settings, topics: Iterable[str]) -> Offsets:
    """Ask where each partition of the topics (full names) ends now: the offset that the next record will get."""
    client = await consumer(settings)
    try:
        partitions = [tp for topic in topics for tp in await partitions_of(client, topic)]
        return dict(await client.end_offsets(partitions))
    finally:
        await stop_client(client)


async def offsets_at(
    settings: Settings, client: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], time_ms: int
) -> Offsets:
    """Ask in each partition for the first record of a time (Kafka's, Unix milliseconds) or later; `ends` if none is.

    For minutes after records were deleted (`topics trim`), until Kafka removes their segments, it looks for the time in
    those too (4.3 does) and then says that there is none. A last record of that time or later gives it away: as times
    ascend, all that is left is of that time then.
    """
    found = await client.offsets_for_times(dict.fromkeys(ends, time_ms))
    first = {tp: end if (at := found.get(tp)) is None else at.offset for tp, end in ends.items()}
    begins = await client.beginning_offsets([tp for tp in ends if found.get(tp) is None])
    doubtful = {tp: ends[tp] for tp, begin in begins.items() if 0 < begin < ends[tp]}
    lasts = {tp: end - 1 for tp, end in doubtful.items()}
    async for record in read_between(settings, lasts, doubtful):
        tp = TopicPartition(record.topic, record.partition)
        if record.timestamp >= time_ms:
            first[tp] = begins[tp]
    return first
