"""A handler of two topics in one process, whose partition counts differ: it says of each record where it stood."""

from __future__ import annotations

from contextlib import AsyncExitStack

from aiokafka import TopicPartition

from core.settings import Settings
from processors.runtime.clients import open_clients
from processors.runtime.handler import Handled, Progress, SourceRecord
from processors.runtime.outputs import Output, Record
from processors.runtime.processor import Processor
from processors.runtime.spec import ProcessorSpec
from schemas.topics import physical

SOURCES = {"relays.found": 4, "raw.probes": 2}
"""Logical names, with partition counts."""
OUTPUT = "quarantine"
OUTPUT_PARTITIONS = 4


class TwoTopics:
    """Publishes a line for each record: topic, partition, offset and value."""

    def __init__(self, output: str) -> None:
        self._output = output

    async def handle(self, record: SourceRecord) -> Handled:
        place = b"%s %d %d " % (record.topic.encode(), record.partition, record.offset)
        line = Record(None, place + (record.value or b""))
        return Handled([Output(self._output, record.partition, [line])], lambda: None)

    def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        pass

    def revoked(self) -> None:
        pass

    def status(self, progress: Progress) -> dict[str, object]:
        return {"partitions": [f"{tp.topic} {tp.partition}" for tp in sorted(progress.assigned)]}


async def open_two_topics(settings: Settings, stack: AsyncExitStack) -> Processor:
    spec = ProcessorSpec(
        name="two-topics",
        group_id=settings.processor.group_id,
        sources=tuple(SOURCES),
        outputs=(OUTPUT,),
        records_in_flight=settings.processor.bundles_in_flight,
        in_flight_bytes=settings.kafka.in_flight_bytes,
        drain_s=settings.processor.drain_s,
    )
    clients = await open_clients(settings, spec, stack)
    return Processor(settings, spec, TwoTopics(physical(settings.kafka.topic_prefix, OUTPUT)), clients)
