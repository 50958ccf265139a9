"""Reads partitions without a consumer group: end offsets, and the records between two offsets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.structs import TopicPartition

from core.kafka.clients import consumer, stop_client
from core.settings.model import Settings

_POLL_MS = 500


async def partitions_of(client: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """Ask which partitions a topic (full name) has.

    Raises:
        UnknownTopicOrPartitionError: there is no such topic.
    """
    numbers = await client._client._wait_on_metadata(topic)  # noqa: SLF001 - waits, unlike the public call
    return [TopicPartition(topic, number) for number in sorted(numbers)]


async def end_offsets(settings: Settings, topics: Iterable[str]) -> dict[TopicPartition, int]:
    """Ask where each partition of the topics (full names) ends now: the offset that the next record will get."""
    client = await consumer(settings)
    try:
        partitions = [tp for topic in topics for tp in await partitions_of(client, topic)]
        return dict(await client.end_offsets(partitions)) if partitions else {}
    finally:
        await stop_client(client)


async def offsets_at(
    settings: Settings, client: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], time_ms: int
) -> dict[TopicPartition, int]:
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


async def read_between(
    settings: Settings, begins: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """Give the records from `begins` up to but not including `ends`, of every partition that `ends` names.

    Goes by the reader's position, so that records which compaction or retention has removed do not make it wait.
    """
    wanted = {tp: end for tp, end in ends.items() if end > begins.get(tp, 0)}
    if not wanted:
        return
    client = await consumer(settings)
    try:
        client.assign(list(wanted))
        for tp in wanted:
            client.seek(tp, begins.get(tp, 0))
        while wanted:
            for tp, records in (await client.getmany(*wanted, timeout_ms=_POLL_MS)).items():
                for record in records:
                    if record.offset < wanted[tp]:
                        yield record
            for tp in list(wanted):
                if await client.position(tp) >= wanted[tp]:
                    del wanted[tp]
    finally:
        await stop_client(client)
