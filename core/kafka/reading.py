"""Reads partitions without a consumer group: the records between two offsets."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.structs import TopicPartition

from core.kafka.access import SETTING, bootstrap_servers
from core.kafka.clients import consumer, stop_client
from core.settings.model import Settings
from core.waiting import check_silence

_POLL_MS = 500


async def partitions_of(client: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """Ask which partitions a topic (full name) has.

    Raises:
        UnknownTopicOrPartitionError: there is no such topic.
    """
    numbers = await client._client._wait_on_metadata(topic)  # noqa: SLF001 - waits, unlike the public call
    return [TopicPartition(topic, number) for number in sorted(numbers)]


async def read_between(
    settings: Settings, begins: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """Give the records from `begins` up to but not including `ends`, of every partition that `ends` names.

    Goes by the reader's position, so that records which compaction or retention has removed do not make it wait.

    Raises:
        ServerAwayError: nothing came for longer than `core.waiting.giving_up_after` allows.
    """
    wanted = {tp: end for tp, end in ends.items() if end > begins.get(tp, 0)}
    if not wanted:
        return
    client = await consumer(settings)
    try:
        async for record in records_between(settings, client, begins, wanted):
            yield record
    finally:
        await stop_client(client)


async def records_between(
    settings: Settings,
    client: AIOKafkaConsumer,
    begins: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """Give the same by a client without a group, which is assigned these partitions in place of others."""
    wanted = {tp: end for tp, end in ends.items() if end > begins.get(tp, 0)}
    if wanted:
        client.assign(list(wanted))
        for tp in wanted:
            client.seek(tp, begins.get(tp, 0))
    heard_at = time.monotonic()
    while wanted:
        found = await client.getmany(*wanted, timeout_ms=_POLL_MS)
        if not found:
            check_silence(f"Kafka at {bootstrap_servers(settings)}", heard_at, SETTING)
        for tp, records in found.items():
            for record in records:
                if record.offset < wanted[tp]:
                    yield record
        heard_at = time.monotonic() if found else heard_at  # only now: who takes the records may be slow
        for tp in list(wanted):
            if await client.position(tp) >= wanted[tp]:
                del wanted[tp]
