"""Positions in the partitions of a followed topic, and as of when they were at the end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(slots=True)
class ReadPositions:
    """The partitions that are followed, by number.

    Attributes:
        wanted: those that are to be read, or None for all that the topic has.
        reached: the next offset of each, once it is known.
    """

    wanted: frozenset[int] | None = frozenset()
    reached: dict[int, int] = field(default_factory=dict)
    _current_at: dict[int, float] = field(default_factory=dict)

    def assign(self, partitions: Collection[int] | None) -> None:
        """Want these partitions (None: all); the others are forgotten, and read from their beginning if they return."""
        self.wanted = None if partitions is None else frozenset(partitions)
        if self.wanted is not None:
            for lost in self.reached.keys() - self.wanted:
                del self.reached[lost]
                del self._current_at[lost]

    def wants(self, partition: int) -> bool:
        """Whether a partition is to be read."""
        return self.wanted is None or partition in self.wanted

    def note(self, partition: int, position: int, ends: Collection[tuple[int, float]]) -> bool:
        """Update the position of a partition.

        Args:
            partition: its number.
            position: the next offset to read.
            ends: offsets that were its end, each with the time (Unix seconds) as of which it was.

        Returns:
            Whether this is news.
        """
        known_at = self._current_at.get(partition, 0.0)
        current_at = max((at for end, at in ends if position >= end), default=0.0)
        news = position != self.reached.get(partition) or current_at > known_at
        self.reached[partition] = position
        self._current_at[partition] = max(current_at, known_at)
        return news

    def is_read(self) -> bool:
        """Whether every partition was once read to an end that was asked for after it was assigned."""
        known = self._current_at
        if self.wanted is not None:
            return self.wanted <= known.keys() and all(known.values())
        return bool(known) and all(known.values())

    def is_current(self, since: float) -> bool:
        """Whether everything that the topic had at this time (Unix seconds) has been read."""
        return self.is_read() and min(self._current_at.values(), default=since) >= since
