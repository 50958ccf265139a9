"""What waits for the readers of all connections together, up to a bound in bytes."""

from __future__ import annotations

from typing import Protocol

MOST_BYTES = 128 * 1024 * 1024
"""A quarter of the memory that Compose gives the service: four answers of the largest size, or 32 full outboxes."""


class Waiting(Protocol):
    """What waits for one reader."""

    waiting_bytes: int

    def end(self) -> None:
        """Give it up."""
        ...


class Unsent:
    """What waits for all readers; with more, what waits for the one with most of it is given up.

    Args:
        most_bytes: of all together.

    Attributes:
        size_bytes: of all together.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._all: set[Waiting] = set()
        self.size_bytes = 0

    def add(self, waiting: Waiting) -> None:
        """Begin to count what waits for a reader."""
        self._all.add(waiting)

    def remove(self, waiting: Waiting) -> None:
        """Count it no longer."""
        self._all.remove(waiting)
        self.size_bytes -= waiting.waiting_bytes

    def charge(self, size: int) -> None:
        """Note that so many more bytes wait; fewer, where it is negative. The reader's own number has them already."""
        self.size_bytes += size
        while self.size_bytes > self._most_bytes:
            max(self._all, key=lambda each: each.waiting_bytes).end()
