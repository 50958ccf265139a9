"""Whether the archive is behind what was received, and works that off: then what archives comes first."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping

BEHIND_S = 3.0
"""What was received so long ago should be archived: a batch takes a second where nothing is in its way, or two."""
RECOVERY_S = 60.0
"""What was in the way begins anew as soon as it may: readers who ask for much would take every second half minute."""


class Backlog:
    """Compares what Kafka has of the topic `events` with what the archive has of it.

    Args:
        sink_s: a sink that has written nothing for so long does not work.
        clock: seconds that never go back.

    Attributes:
        written: by partition, the offset up to which the archive was written when it was last asked.
    """

    def __init__(self, sink_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.written: Mapping[int, int] = {}
        self._sink_s = sink_s
        self._clock = clock
        self._moved_at = clock()
        self._late_at = -math.inf
        self._marks: deque[tuple[float, Mapping[int, int]]] = deque()
        """When which offsets were the ends of the topic: the newest that is old enough, and those after it."""

    def note_written(self, written: Mapping[int, int]) -> bool:
        """Note how far the archive was written; whether that is news."""
        if written == self.written:
            return False
        self.written, self._moved_at = written, self._clock()
        self._look()
        return True

    def note_ends(self, ends: Mapping[int, int]) -> None:
        """Note where the partitions of the topic end now."""
        now = self._clock()
        self._marks.append((now, ends))
        while len(self._marks) > 1 and self._marks[1][0] <= now - BEHIND_S:
            self._marks.popleft()
        self._look()

    def is_behind(self) -> bool:
        """Whether the sink writes, and what was received some seconds before is not archived, now or a minute ago."""
        now = self._clock()
        return now - self._moved_at <= self._sink_s and (self._is_late() or now < self._late_at + RECOVERY_S)

    def _look(self) -> None:
        if self._is_late():
            self._late_at = self._clock()

    def _is_late(self) -> bool:
        if not self._marks or self._marks[0][0] > self._clock() - BEHIND_S:
            return False
        return any(self.written.get(partition, end) < end for partition, end in self._marks[0][1].items())
