"""Reads what partitions hold between two offsets, without a consumer group."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from aiokafka import ConsumerRecord, TopicPartition

from core import kafka
from core.settings import Settings

_POLL_MS = 500


async def read_between(
    settings: Settings, begins: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """Give the records from `begins` up to but not including `ends`, of every partition that `ends` names.

    Goes by the reader's position, so that records which compaction or retention has removed do not make it wait.
    """
    wanted = {tp: end for tp, end in ends.items() if end > begins.get(tp, 0)}
    if not wanted:
        return
    consumer = await kafka.consumer(settings)
    try:
        consumer.assign(list(wanted))
        for tp in wanted:
            consumer.seek(tp, begins.get(tp, 0))
        while wanted:
            for tp, records in (await consumer.getmany(*wanted, timeout_ms=_POLL_MS)).items():
                for record in records:
                    if record.offset < wanted[tp]:
                        yield record
            for tp in list(wanted):
                if await consumer.position(tp) >= wanted[tp]:
                    del wanted[tp]
    finally:
        await kafka.stop_client(consumer)
