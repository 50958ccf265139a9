"""Detects a stalled consumer: Faust can stop consuming after an outage without an error, while there is lag."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from aiokafka import TopicPartition

from processors.runtime.source_offsets import Standing

# Far beyond a rebalance (20 s) and any record (milliseconds): a consumer that waits this long beside work is stuck.
STALL_S = 60.0


def work_and_progress(standing: Standing, mine: AbstractSet[TopicPartition], done: object) -> tuple[int, object]:
    """Give what a detector observes: the records that wait, and what differs once something was done.

    Without partitions of our own that is the whole group's: it may have more members than partitions, and if none
    moves, we may be the one that should. It moves by what it commits; its lag also changes when something comes.
    """
    if mine:
        return sum(standing.lag[partition] for partition in mine), done
    return sum(standing.lag.values()), standing.committed


class StallDetector:
    """Distinguishes a stalled consumer from an idle one, which has no lag.

    Args:
        stall_s: how long lag may stand beside no progress.
        clock: seconds, monotonic.
    """

    def __init__(self, stall_s: float = STALL_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._stall_s = stall_s
        self._clock = clock
        self._progress: object = None
        self._since: float | None = None

    def observe(self, lag: int, progress: object) -> float:
        """Take an observation that the broker answered.

        Args:
            lag: records that are waiting.
            progress: anything that differs once something was done.

        Returns:
            For how many seconds there has been work and no progress.

        Raises:
            StalledError: for too long.
        """
        now = self._clock()
        if lag <= 0 or progress != self._progress or self._since is None:
            self._progress = progress
            self._since = now if lag > 0 else None
            return 0.0
        stalled_s = now - self._since
        if stalled_s >= self._stall_s:
            raise StalledError(
                f"{lag} records are waiting and none was done for {stalled_s:.0f} s: the consumer is stuck"
            )
        return stalled_s

    def interrupt(self) -> None:
        """Begin anew: the broker did not answer, so that no progress says nothing about us."""
        self._since = None


class StalledError(RuntimeError):
    """The consumer makes no progress although there is lag; a new process will."""
