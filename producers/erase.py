"""Writes erasures of an operator: rules that processor and sink apply from then on, for ever."""

from __future__ import annotations

from collections.abc import Sequence

from core.kafka import open_publisher
from core.settings import Settings
from producers.targets import full_name
from schemas.erasure import Erasure

# Acknowledgements come within milliseconds; whoever waits at a terminal wants to know that Kafka is away.
_FLUSH_S = 60.0


async def publish_erasures(settings: Settings, rules: Sequence[Erasure]) -> None:
    """Publish rules and wait until they are durable.

    Raises:
        TimeoutError: Kafka did not acknowledge them within a minute.
        PublishError: Kafka refused one.
    """
    topic = full_name(settings, "erasures")
    publisher = await open_publisher(settings)
    try:
        partitions = await publisher.partition_count(topic)
        for rule in rules:
            await publisher.send(topic, rule.encode(), rule.key(), rule.partition(partitions))
        await publisher.flush(_FLUSH_S)
    finally:
        await publisher.close()
