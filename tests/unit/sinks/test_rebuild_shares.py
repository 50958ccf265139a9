"""How a rebuild splits partitions among its processes."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition

from sinks.rebuild.source import shares


def _partitions(*numbers: int) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in numbers for topic in ("events", "sightings")]


@pytest.mark.parametrize(
    ("numbers", "jobs", "sizes"),
    [
        (range(4), 1, [4]),
        (range(4), 2, [2, 2]),
        (range(4), 3, [2, 2]),  # A third process would have one, and the largest share would still be two.
        (range(4), 9, [1, 1, 1, 1]),
        (range(12), 5, [3, 3, 3, 3]),
        ((1, 3, 5), 2, [2, 1]),  # What is left of an ended run: the numbers say nothing about the shares.
        ((), 2, []),
    ],
)
def test_shares_are_as_even_as_they_can_be_and_no_more_than_that_takes(
    numbers: range | tuple[int, ...], jobs: int, sizes: list[int]
) -> None:
    split = shares(_partitions(*numbers), jobs)
    assert [len(share) // 2 for share in split] == sizes
    assert sorted(tp for share in split for tp in share) == sorted(_partitions(*numbers))


def test_an_event_and_its_sightings_are_in_one_share() -> None:
    for share in shares(_partitions(*range(7)), 3):
        numbers = [tp.partition for tp in share]
        assert all(numbers.count(number) == 2 for number in numbers)
