"""The processor's own Kafka clients, beside Faust's consumer, and what must be true of the topics."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from core import kafka
from core.erasures import ErasureFollower, into
from core.settings import Settings
from core.topic_admin import topic_partitions
from core.waiting import waiting_for
from processors.runtime.offsets import BundleOffsets
from processors.validate.erasing import Erasing
from processors.validate.outputs import TOPICS
from schemas.partition import is_partition_count
from schemas.topics import physical

log = logging.getLogger(__name__)

_TOPICS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Clients:
    """Started clients, the partition count that the topics keyed by event id share, and what is erased already."""

    producer: AIOKafkaProducer
    offsets: BundleOffsets
    partitions: int
    erasing: Erasing
    erasures: ErasureFollower


async def open_clients(settings: Settings, stack: AsyncExitStack) -> Clients:
    """Start the clients, waiting for the broker, the topics and all that says what is erased; `stack` stops them.

    Raises:
        ValueError: the topics' partition counts differ, so that records would land elsewhere than expected.
    """
    producer = await kafka.producer(settings)
    stack.push_async_callback(kafka.stop_client, producer)
    reader = await kafka.consumer(settings)
    stack.push_async_callback(kafka.stop_client, reader)
    admin = await kafka.admin(settings)
    stack.push_async_callback(kafka.stop_client, admin)
    partitions = await _partitions(settings.kafka.topic_prefix, admin)
    source = physical(settings.kafka.topic_prefix, "raw.bundles")
    offsets = BundleOffsets(admin, reader, source, settings.processor.group_id, partitions)
    rules = Erasing.of(settings.policy)
    follower = ErasureFollower(settings, into(rules.index))
    stack.push_async_callback(follower.close)
    await follower.start()
    return Clients(producer, offsets, partitions, rules, follower)


async def _partitions(prefix: str, admin: AIOKafkaAdminClient) -> int:
    names = [physical(prefix, name) for name in ("raw.bundles", *TOPICS)]
    with waiting_for("the topics; `bigbrotr topics create` makes them"):
        while missing := sorted(set(names) - (present := await topic_partitions(admin)).keys()):
            log.warning("waiting for topics that `bigbrotr topics create` makes: %s", ", ".join(missing))
            await asyncio.sleep(_TOPICS_EVERY_S)
    counts = {name: len(present[name]) for name in names}
    count = counts[names[0]]
    if set(counts.values()) != {count} or not is_partition_count(count):
        raise ValueError(f"partition counts must be one power of two, not {counts}; make the topics anew")
    return count
