"""What waits for the readers of all connections together, up to a bound in bytes."""

from __future__ import annotations

from typing import Protocol

from api.live.feed import SharedText

MOST_BYTES = 128 * 1024 * 1024
"""A quarter of the memory that Compose gives the service: four answers of the largest size, or 32 full outboxes."""


class Waiting(Protocol):
    """What waits for one reader.

    Attributes:
        own_bytes: of this reader alone.
        shared_bytes: texts of new events, which may wait for others too.
    """

    own_bytes: int
    shared_bytes: int

    def end(self) -> None:
        """Give it up."""
        ...


class Unsent:
    """What waits for all readers; with more, what waits for the one with most of it is given up.

    The text of a new event is in memory once, however many wait with it, and is counted once. So a large event for all
    is no reason to cut any of them.

    Args:
        most_bytes: of all together.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._all: set[Waiting] = set()
        self._own_bytes = 0
        self._text_bytes = 0
        self._shared_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Of all together."""
        return self._own_bytes + self._text_bytes

    def add(self, waiting: Waiting) -> None:
        """Begin to count what waits for a reader."""
        self._all.add(waiting)

    def remove(self, waiting: Waiting) -> None:
        """Count its own bytes no longer; the texts that it holds are let go one by one."""
        self._all.remove(waiting)
        self._own_bytes -= waiting.own_bytes

    def charge(self, size: int) -> None:
        """Note that so many more bytes of one reader wait; fewer, where it is negative. Its own number has them."""
        self._own_bytes += size
        self._keep_bound()

    def hold(self, shared: SharedText) -> None:
        """Note that one more message waits with the text of a new event. The number of its reader has it already."""
        size = len(shared.text)
        shared.waiting += 1
        self._shared_bytes += size
        if shared.waiting == 1:
            self._text_bytes += size
            self._keep_bound()

    def let_go(self, shared: SharedText) -> None:
        """Note that one message fewer waits with it."""
        size = len(shared.text)
        shared.waiting -= 1
        self._shared_bytes -= size
        if not shared.waiting:
            self._text_bytes -= size

    def _keep_bound(self) -> None:
        while self.size_bytes > self._most_bytes and self._all:
            max(self._all, key=self._cost_bytes).end()

    def _cost_bytes(self, waiting: Waiting) -> float:
        """Its own bytes and its part of the texts, as if each of them waited for as many readers as any other."""
        if not self._shared_bytes:
            return waiting.own_bytes
        return waiting.own_bytes + waiting.shared_bytes * self._text_bytes / self._shared_bytes
