"""A processor's own Kafka clients, beside Faust's consumer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from core import kafka
from core.kafka.topic_admin import topic_partitions
from core.service.closing import ConcurrentCloser
from core.settings import Settings
from core.waiting import waiting_for
from processors.runtime.source_offsets import SourceOffsets
from processors.runtime.spec import ProcessorSpec
from schemas.topics import physical

log = logging.getLogger(__name__)

_TOPICS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Clients:
    """Started clients, and how many partitions each topic of the processor has, by the topic's full name.

    Clients that are opened beside them are pushed to `closer`, to be stopped with them.
    """

    producer: AIOKafkaProducer
    offsets: SourceOffsets
    partitions: Mapping[str, int]
    closer: ConcurrentCloser


async def open_clients(settings: Settings, spec: ProcessorSpec, stack: AsyncExitStack) -> Clients:
    """Start the clients, waiting for the broker and the topics.

    `stack` stops them, all at once: each may use up its time while the broker is away.
    """
    closer = await stack.enter_async_context(ConcurrentCloser())
    producer = await kafka.producer(settings)
    closer.push(kafka.stop_client, producer)
    reader = await kafka.consumer(settings)
    closer.push(kafka.stop_client, reader)
    admin = await kafka.admin(settings)
    closer.push(kafka.stop_client, admin)
    prefix = settings.kafka.topic_prefix
    counts = await _partitions(
        [physical(prefix, name) for name in (*spec.sources, *spec.outputs, *spec.follows)], admin
    )
    sources = [
        TopicPartition(topic, number)
        for topic in (physical(prefix, name) for name in spec.sources)
        for number in range(counts[topic])
    ]
    return Clients(producer, SourceOffsets(admin, reader, spec.group_id, sources), counts, closer)


async def _partitions(names: list[str], admin: AIOKafkaAdminClient) -> dict[str, int]:
    with waiting_for("the topics; `bigbrotr topics create` makes them"):
        while missing := sorted(set(names) - (present := await topic_partitions(admin)).keys()):
            log.warning("waiting for topics that `bigbrotr topics create` makes: %s", ", ".join(missing))
            await asyncio.sleep(_TOPICS_EVERY_S)
    return {name: len(present[name]) for name in names}
