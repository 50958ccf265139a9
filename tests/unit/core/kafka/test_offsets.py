"""What a reader lacks, and what a group without a coordinator has committed."""

from __future__ import annotations

from typing import cast

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import OffsetAndMetadata

from core.kafka import Offsets, committed, lag, lags

ONE, OTHER = TopicPartition("t", 0), TopicPartition("t", 1)


@pytest.mark.parametrize(
    ("ends", "begins", "reached", "left"),
    [
        ({ONE: 10, OTHER: 4}, {ONE: 0, OTHER: 0}, {ONE: 7, OTHER: 4}, {ONE: 3, OTHER: 0}),
        ({ONE: 10}, {ONE: 6}, {}, {ONE: 4}),
        ({ONE: 10}, {ONE: 6}, {ONE: 2}, {ONE: 4}),
        ({ONE: 10}, {}, {ONE: 12}, {ONE: 0}),
        ({ONE: 10}, {ONE: 11}, {}, {ONE: 0}),
        ({}, {}, {ONE: 1}, {}),
    ],
    ids=["behind", "never read", "deleted meanwhile", "another topic's offset", "deleted to the end", "no partitions"],
)
def test_a_lag_counts_what_is_still_there_to_be_read(
    ends: Offsets, begins: Offsets, reached: Offsets, left: Offsets
) -> None:
    assert lags(ends, begins, reached) == left
    assert lag(ends, begins, reached) == sum(left.values())


class Admin:
    """Answers for one group, or has no coordinator for it."""

    def __init__(self, found: dict[TopicPartition, OffsetAndMetadata] | None) -> None:
        self._found = found

    async def list_consumer_group_offsets(
        self, group_id: str, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        if self._found is None:
            raise GroupCoordinatorNotAvailableError
        return {tp: self._found[tp] for tp in partitions}


def admin(found: dict[TopicPartition, OffsetAndMetadata] | None) -> AIOKafkaAdminClient:
    return cast(AIOKafkaAdminClient, Admin(found))


async def test_partitions_without_a_commit_are_left_out() -> None:
    client = admin({ONE: OffsetAndMetadata(7, ""), OTHER: OffsetAndMetadata(-1, "")})
    assert await committed(client, "group", {ONE, OTHER}) == {ONE: 7}


async def test_without_a_coordinator_nothing_is_committed_unless_the_group_had_one() -> None:
    assert await committed(admin(None), "group", [ONE]) == {}
    with pytest.raises(GroupCoordinatorNotAvailableError):
        await committed(admin(None), "group", [ONE], joined=True)
