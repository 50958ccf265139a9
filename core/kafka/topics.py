"""Creates and describes the topics of the table in `schemas.topics`: one explicit, idempotent step.

A changed partition count is refused before anything is touched (`core.kafka.partition_counts`).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code
from aiokafka.structs import TopicPartition

from core.kafka.clients import admin, consumer, stop_client
from core.kafka.offsets import Bounds, bounds
from core.kafka.partition_counts import refuse_other_counts
from core.kafka.topic_admin import TopicsError, own_configs, topic_partitions
from core.settings.model import Settings
from schemas.topics import TOPICS, configs, physical

__all__ = ["TopicChange", "TopicState", "TopicsError", "create_topics", "describe_topics"]

logger = logging.getLogger(__name__)

# Leaders are elected within a second; a broker that is busy loading logs takes longer.
_LEADERS_S = 30.0
_LEADERS_POLL_S = 0.1


@dataclass(frozen=True)
class TopicChange:
    """What was done to one topic: `action` is created, changed or unchanged; `changed` is setting → new value."""

    name: str
    action: str
    changed: dict[str, str]


@dataclass(frozen=True)
class TopicState:
    """One topic as Kafka has it; a topic that does not exist has no partitions.

    Attributes:
        name: logical name, as in `schemas.topics`.
        full_name: with the prefix.
        partitions: their number.
        replication_factor: copies of the least replicated partition.
        configs: what is set on the topic itself.
        begin_offsets: first offset held, by partition.
        end_offsets: next offset to be written, by partition.
    """

    name: str
    full_name: str
    partitions: int
    replication_factor: int
    configs: dict[str, str]
    begin_offsets: dict[int, int]
    end_offsets: dict[int, int]


async def create_topics(settings: Settings) -> list[TopicChange]:
    """Create what is missing and adjust settings that differ; settings of the operator's own are left as they are.

    Raises:
        TopicsError: a topic has another number of partitions, or Kafka refuses.
    """
    client = await admin(settings)
    try:
        present = await topic_partitions(client)
        refuse_other_counts(settings, _counts(present))
        changes = []
        missing = []
        for topic in TOPICS:
            full_name = physical(settings.kafka.topic_prefix, topic.name)
            wanted = configs(topic.name, replication_factor=settings.kafka.replication_factor)
            if full_name not in present:
                missing.append(
                    NewTopic(
                        full_name,
                        topic.partition_count(settings.kafka.partitions),
                        settings.kafka.replication_factor,
                        topic_configs=wanted,
                    )
                )
                changes.append(TopicChange(topic.name, "created", {}))
                continue
            changed = await _adjust(client, full_name, wanted)
            changes.append(TopicChange(topic.name, "changed" if changed else "unchanged", changed))
        if missing:
            await _create(client, missing)
        await _wait_for_leaders(client, {physical(settings.kafka.topic_prefix, topic.name) for topic in TOPICS})
        refuse_other_counts(settings, _counts(await topic_partitions(client)))
        return changes
    finally:
        await stop_client(client)


async def describe_topics(settings: Settings, *names: str) -> list[TopicState]:
    """Describe topics (logical names; none: every one), in the order of the table, with what they hold."""
    client = await admin(settings)
    reader = await consumer(settings)
    try:
        present = await topic_partitions(client)
        full_names = {
            topic.name: physical(settings.kafka.topic_prefix, topic.name)
            for topic in TOPICS
            if not names or topic.name in names
        }
        held = await bounds(
            reader,
            [
                TopicPartition(full_name, part["partition"])
                for full_name in full_names.values()
                for part in present.get(full_name, ())
            ],
        )
        return [
            await _describe(client, held, name, full_name, present.get(full_name, []))
            for name, full_name in full_names.items()
        ]
    finally:
        await stop_client(reader)
        await stop_client(client)


async def _describe(
    client: AIOKafkaAdminClient, held: Bounds, name: str, full_name: str, partitions: list[dict[str, Any]]
) -> TopicState:
    if not partitions:
        return TopicState(name, full_name, 0, 0, {}, {}, {})
    return TopicState(
        name,
        full_name,
        len(partitions),
        min(len(partition["replicas"]) for partition in partitions),
        await own_configs(client, full_name),
        {pair.partition: offset for pair, offset in sorted(held.begins.items()) if pair.topic == full_name},
        {pair.partition: offset for pair, offset in sorted(held.ends.items()) if pair.topic == full_name},
    )


def _counts(present: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    return {name: len(partitions) for name, partitions in present.items()}


async def _create(client: AIOKafkaAdminClient, topics: list[NewTopic]) -> None:
    response = (await client.create_topics(topics)).to_object()
    for result in response["topic_errors"]:
        name, code, message = result["topic"], result["error_code"], result["error_message"]
        error = for_code(code)
        # Another process may have been faster; its partition counts are checked afterwards.
        if code and error is not TopicAlreadyExistsError:
            raise TopicsError(f"Kafka did not create the topic {name}: {message or error.__name__}")


async def _adjust(client: AIOKafkaAdminClient, full_name: str, wanted: dict[str, str]) -> dict[str, str]:
    own = await own_configs(client, full_name)
    changed = {key: value for key, value in wanted.items() if own.get(key) != value}
    if changed:
        # The request replaces all that is set on the topic, so the operator's own settings go along.
        resource = ConfigResource(ConfigResourceType.TOPIC, full_name, own | wanted)
        (response,) = await client.alter_configs([resource])
        for result in response.to_object()["resources"]:
            if result["error_code"]:
                raise TopicsError(f"Kafka did not change the topic {full_name}: {result['error_message']}")
        logger.info("changed the topic %s", full_name, extra=changed)
    return changed


async def _wait_for_leaders(client: AIOKafkaAdminClient, names: set[str]) -> None:
    """Return when every partition can be written to, so that the next command does not run into a missing leader."""
    async with asyncio.timeout(_LEADERS_S):
        while True:
            present = await topic_partitions(client)
            if all(present.get(name) and all(part["leader"] >= 0 for part in present[name]) for name in names):
                return
            await asyncio.sleep(_LEADERS_POLL_S)
