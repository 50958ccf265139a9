"""Publishes an operator's erasures: rules that processor and sink apply from then on."""

from __future__ import annotations

from collections.abc import Sequence

from core.kafka import publishing
from core.settings import Settings
from producers.targets import full_name
from schemas.records.erasure import Erasure


async def publish_erasures(settings: Settings, rules: Sequence[Erasure]) -> None:
    """Publish rules and wait until they are durable.

    Raises:
        TimeoutError: Kafka did not acknowledge them within a minute.
        PublishError: Kafka refused one.
    """
    topic = full_name(settings, "erasures")
    async with publishing(settings) as publisher:
        partitions = await publisher.partition_count(topic)
        for rule in rules:
            await publisher.send(topic, rule.encode(), rule.key(), rule.partition(partitions))
        await publisher.flush()
