"""Asks Kafka which consumer groups have members, which is whether any instance of their service runs."""

from __future__ import annotations

from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError


async def has_members(client: AIOKafkaAdminClient, group_id: str) -> bool:
    """Return whether a group has members now; one that was killed counts until its session is over.

    Raises:
        KafkaError: the broker is away.
    """
    try:
        answers: list[Any] = await client.describe_consumer_groups([group_id])
    except GroupCoordinatorNotAvailableError:  # Kafka makes its topic of offsets for the first group
        return False
    # One group, at its place in the answer since version 1: error code, id, state, protocol type, protocol, members.
    return any(group[5] for answer in answers for group in answer.groups)
