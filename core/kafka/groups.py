"""Whether anything reads as a consumer group now."""

from __future__ import annotations

from collections.abc import Collection

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError


async def groups_with_members(client: AIOKafkaAdminClient, group_ids: Collection[str]) -> set[str]:
    """Ask which of these groups have a member now; one that was killed counts until its session has timed out."""
    found: set[str] = set()
    for group_id in group_ids:
        try:
            responses = await client.describe_consumer_groups([group_id])
        except GroupCoordinatorNotAvailableError:  # Kafka makes its topic of offsets for the first group
            continue
        if any(group["members"] for response in responses for group in response.to_object()["groups"]):
            found.add(group_id)
    return found
