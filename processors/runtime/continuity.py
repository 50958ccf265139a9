"""Detects gaps in a partition's offsets: Faust would commit past them, which would lose records silently."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiokafka import TopicPartition

from core import metrics

log = logging.getLogger(__name__)


class OffsetGapError(RuntimeError):
    """Records that are still in the topic were not given to us: this process must not commit, and starts again."""


class Continuity:
    """Decides from the broker's offsets whether a jump in a partition's offsets is a loss.

    Args:
        committed: asks for the group's committed offset of a partition, None if there is none.
        earliest: asks for the first offset that the partition still has.
    """

    def __init__(
        self,
        committed: Callable[[TopicPartition], Awaitable[int | None]],
        earliest: Callable[[TopicPartition], Awaitable[int]],
    ) -> None:
        self._committed = committed
        self._earliest = earliest

    async def check(self, partition: TopicPartition, expected: int | None, offset: int) -> None:
        """Allow a jump only over what the topic no longer has.

        Args:
            partition: of a source topic.
            expected: the offset after the last record, or None for the first one of an assignment.
            offset: of the record that came.

        Raises:
            OffsetGapError: there are records in between.
        """
        if expected is None:
            expected = await self._committed(partition)
            if expected is not None and offset <= expected:
                return
        earliest = await self._earliest(partition)
        if expected is not None and expected < offset <= earliest:
            # Starting again would not bring them back. The janitor keeps what is not durable elsewhere, so this means
            # that somebody set a retention on the topic or deleted records by hand.
            log.error(
                "records %d to %d of partition %d of %s were deleted before they were read",
                expected,
                offset - 1,
                partition.partition,
                partition.topic,
            )
            metrics.SKIPPED.inc(offset - expected)
        elif offset > earliest:
            raise OffsetGapError(
                f"partition {partition.partition} of {partition.topic}: came to offset {offset} where "
                f"{expected or earliest} was next; starting again"
            )
