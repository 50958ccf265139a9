"""The topics that producers write to, by their physical names, and how many partitions they really have."""

from __future__ import annotations

from core.kafka import Publisher, is_transient
from core.settings import Settings
from core.waiting import until_it_works
from schemas.topics import physical


def full_name(settings: Settings, name: str) -> str:
    """The physical name of a topic of the table."""
    return physical(settings.kafka.topic_prefix, name)


async def partition_count(publisher: Publisher, topic: str) -> int:
    """Ask Kafka for a topic's partition count, waiting until the topic is there.

    The broker's word and not the setting: an id sent to a partition by another count would not meet its copies.
    """

    async def attempt() -> int:
        found = await publisher.producer.partitions_for(topic)
        if not found:
            raise TimeoutError(f"the topic {topic} does not exist; `bigbrotr topics create` makes it")
        return len(found)

    return await until_it_works(f"the topic {topic}", attempt, is_transient)
