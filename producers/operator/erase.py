"""Publishes an operator's erasures: rules that processor and sink apply from then on."""

from __future__ import annotations

from collections.abc import Sequence

from core.kafka import publishing, read_to_end
from core.settings import Settings
from producers.targets import full_name
from schemas.records.erasure import Erasure


async def publish_erasures(settings: Settings, rules: Sequence[Erasure]) -> list[Erasure]:
    """Publish rules that are not recorded yet and wait until they are durable; those that were published.

    A rule is recorded where its target is, for the same cause: repeating it would change nothing but its time.

    Raises:
        TimeoutError: Kafka did not acknowledge them within a minute.
        PublishError: Kafka refused one.
    """
    topic = full_name(settings, "erasures")
    async with publishing(settings) as publisher:
        partitions = await publisher.partition_count(topic)
        found = await read_to_end(settings, topic, {rule.partition(partitions) for rule in rules})
        recorded = {key: Erasure.decode(value) for rule in rules if (value := found.get(key := rule.key())) is not None}
        new = [rule for rule in rules if not _is_recorded(rule, recorded.get(rule.key()))]
        for rule in new:
            await publisher.send(topic, rule.encode(), rule.key(), rule.partition(partitions))
        await publisher.flush()
    return new


def _is_recorded(rule: Erasure, found: Erasure | None) -> bool:
    return found is not None and found.cause is rule.cause
