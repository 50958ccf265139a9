"""Polls the lag of the consumer group, and detects a consumer that is stalled while there is lag."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from aiokafka import TopicPartition

from core import kafka, metrics
from processors.runtime.source_offsets import SourceOffsets
from processors.runtime.stall import StallDetector, work_and_progress

log = logging.getLogger(__name__)

# Often enough for dashboards and the stall detector; three small requests each.
_EVERY_S = 5.0
# A broker that takes longer for three small requests is away.
_TIMEOUT_S = 20.0


class LagWatch:
    """The lag of a processor's sources.

    Args:
        offsets: of the group.
        sources: topics by full name, with the logical names that label the metric.
        assigned: tells this member's partitions.
        done: tells how many records of a topic (full name) were acknowledged since the start.
    """

    def __init__(
        self,
        offsets: SourceOffsets,
        sources: Mapping[str, str],
        assigned: Callable[[], frozenset[TopicPartition]],
        done: Callable[[str], int],
    ) -> None:
        self._offsets = offsets
        self._sources = sources
        self._assigned = assigned
        self._done = done
        self._answered_at = time.monotonic()
        self.lag: Mapping[TopicPartition, int] = {}
        """Records that the group has not committed, of every partition; empty before the first answer."""

    @property
    def silent_s(self) -> float:
        """For how long the broker has not answered."""
        return time.monotonic() - self._answered_at

    async def run(self) -> None:
        """Refresh the lag until cancelled.

        Topics are checked one by one: work in one of them must not hide that another is stalled.

        Raises:
            StalledError: records wait, the broker answers, and nothing is done.
        """
        stalls = {topic: StallDetector() for topic in self._sources}
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    standing = await self._offsets.standing()
                self._answered_at = time.monotonic()
            except Exception as error:
                if not kafka.is_transient(error):
                    raise
                log.warning("the broker does not answer with offsets: %r", error)
                for stall in stalls.values():
                    stall.interrupt()
                continue
            self.lag = standing.lag
            mine = self._assigned()
            metrics.LAG.clear()
            for tp in mine:
                metrics.LAG.labels(self._sources[tp.topic], tp.partition).set(standing.lag[tp])
            for topic, stall in stalls.items():
                here = frozenset(tp for tp in mine if tp.topic == topic)
                stall.observe(*work_and_progress(standing.of(topic), here, self._done(topic)))
