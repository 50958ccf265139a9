"""Where the lines of an import stand in `raw.bundles`, to tell how many of them a reader has passed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate

from aiokafka import TopicPartition


class SentLines:
    """The lines of an import.

    Args:
        topic: full name.
        bundles: by partition, the offsets of the import's records, ascending, and how many lines each has.
    """

    def __init__(self, topic: str, bundles: Mapping[int, Mapping[int, int]]) -> None:
        self._offsets = {TopicPartition(topic, number): list(lines) for number, lines in bundles.items()}
        self._sums = {
            TopicPartition(topic, number): [0, *accumulate(lines.values())] for number, lines in bundles.items()
        }

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(sums[-1] for sums in self._sums.values())

    @property
    def ends(self) -> dict[TopicPartition, int]:
        """Up to where a reader must be that has passed them all."""
        return {tp: offsets[-1] + 1 for tp, offsets in self._offsets.items()}

    def passed(self, reached: Mapping[TopicPartition, int]) -> int:
        """Count those before the next offset that a reader reads, where it has one."""
        return sum(self._sums[tp][bisect_left(offsets, reached.get(tp, 0))] for tp, offsets in self._offsets.items())
