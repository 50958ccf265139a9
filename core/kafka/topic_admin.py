"""Topics, partitions and configurations as Kafka's admin API describes them, as plain values."""

from __future__ import annotations

from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

# ConfigSource in Kafka's DescribeConfigs: set on this topic, as opposed to a broker's or Kafka's own default.
_DYNAMIC_TOPIC_CONFIG = 1


class TopicsError(RuntimeError):
    """The topics cannot be made as the settings say; the message names topic, difference and remedy."""


async def topic_partitions(client: AIOKafkaAdminClient) -> dict[str, list[dict[str, Any]]]:
    """All topics with their partitions. Never ask by name: a broker may create what it is asked about."""
    return {topic["topic"]: topic["partitions"] for topic in await client.describe_topics()}


async def own_configs(client: AIOKafkaAdminClient, full_name: str) -> dict[str, str]:
    """What is set on the topic itself; defaults are left out."""
    responses = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, full_name)])
    (resource,) = responses[0].to_object()["resources"]
    if resource["error_code"]:
        raise TopicsError(f"Kafka does not describe the topic {full_name}: {resource['error_message']}")
    return {
        entry["config_names"]: entry["config_value"]
        for entry in resource["config_entries"]
        if entry["config_source"] == _DYNAMIC_TOPIC_CONFIG
    }
