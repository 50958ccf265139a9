"""Reading partitions without a consumer group: where they end, what lies between, all that a compacted one says now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.structs import TopicPartition

from core.kafka_clients import consumer, is_transient, stop_client
from core.settings_model import Settings
from core.waiting import until_it_works

# Without any record or position moving for this long, the connection is made anew: aiokafka's consumer can fall silent
# after request time-outs.
_PROGRESS_S = 30.0
_POLL_MS = 500


async def end_offsets(settings: Settings, topics: Iterable[str]) -> dict[TopicPartition, int]:
    """Ask where each partition of the topics (full names) ends now: the offset that the next record will get."""
    client = await consumer(settings)
    try:
        partitions = [
            TopicPartition(topic, number)
            for topic in topics
            for number in sorted(await client._client._wait_on_metadata(topic))  # noqa: SLF001 - waits, unlike the public call
        ]
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


async def read_to_end(settings: Settings, topic: str, partitions: Collection[int]) -> dict[bytes, bytes]:
    """Read partitions of a compacted topic (full name) from their beginning to the end offset taken now.

    The newest value of each key wins and a tombstone removes it. Right also where compaction has removed the last
    records, where control records stand at the end, and for empty partitions, because it goes by the consumer's
    position and not by the records seen. While the broker is away it waits, visibly, and goes on where it was.
    """
    if not partitions:
        return {}
    found: dict[bytes, bytes] = {}
    reached: dict[TopicPartition, int] = {}
    ends: dict[TopicPartition, int] = {}

    async def attempt() -> None:
        client = await consumer(settings)
        try:
            assigned = [TopicPartition(topic, number) for number in partitions]
            client.assign(assigned)
            if not ends:
                ends.update(await client.end_offsets(assigned))
            # In one call: each waits for a turn of aiokafka's fetcher, half a second where there is nothing to fetch.
            fresh = [tp for tp in assigned if tp not in reached]
            if fresh:
                await client.seek_to_beginning(*fresh)
            for tp, position in reached.items():
                client.seek(tp, position)
            await _read(client, ends, reached, found)
        finally:
            await stop_client(client)

    await until_it_works(f"the records of {topic}", attempt, is_transient)
    return found


async def _read(
    client: AIOKafkaConsumer,
    ends: dict[TopicPartition, int],
    reached: dict[TopicPartition, int],
    found: dict[bytes, bytes],
) -> None:
    loop = asyncio.get_running_loop()
    moved_at = loop.time()
    while True:
        for tp in ends:
            position = await client.position(tp)
            if position != reached.get(tp):
                reached[tp] = position
                moved_at = loop.time()
        open_partitions = [tp for tp, end in ends.items() if reached[tp] < end]
        if not open_partitions:
            return
        if loop.time() - moved_at > _PROGRESS_S:
            raise TimeoutError(f"no progress for {_PROGRESS_S:.0f} s in {len(open_partitions)} partitions")
        for tp, records in (await client.getmany(*open_partitions, timeout_ms=_POLL_MS)).items():
            for record in records:
                if record.offset >= ends[tp] or record.key is None:
                    continue
                if record.value is None:
                    found.pop(record.key, None)
                else:
                    found[record.key] = record.value
