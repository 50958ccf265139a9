"""Back-pressure by bytes: bounds what is in memory between being received and being acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from core.flag import Flag


def _no_failure() -> None:
    pass


class ByteLimiter:
    """Counts bytes in use, and makes callers that want more wait, first come first served, while there are too many."""

    def __init__(self, limit_bytes: int, check: Callable[[], None] = _no_failure) -> None:
        """Begin with nothing in use.

        Args:
            limit_bytes: most bytes in use at once. Something larger is let in alone.
            check: called before and after each wait; what it raises ends the waiting. Call `wake` when it would raise.
        """
        self._limit_bytes = limit_bytes
        self._check = check
        self._line = asyncio.Lock()
        self._changed = Flag()
        self.used_bytes = 0

    @property
    def full(self) -> bool:
        """Whether the limit is reached."""
        return self.used_bytes >= self._limit_bytes

    def takes(self, size_bytes: int) -> bool:
        """Whether `acquire` would return at once."""
        return self._fits(size_bytes) and not self._line.locked()

    async def acquire(self, size_bytes: int) -> None:
        """Take bytes, waiting until they fit.

        Raises:
            Exception: what `check` raised meanwhile; nothing is taken then.
        """
        if self.takes(size_bytes):
            self.used_bytes += size_bytes
            return
        # In line, so that something large is not kept waiting without end by small things that fit.
        async with self._line:
            await self._until(lambda: self._fits(size_bytes))
            self.used_bytes += size_bytes

    def take(self, size_bytes: int) -> None:
        """Take bytes without waiting, also beyond the limit."""
        self.used_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        """Give bytes back."""
        self.used_bytes -= size_bytes
        self.wake()

    def wake(self) -> None:
        """Have all who wait look again."""
        self._changed.set()

    async def below_limit(self) -> None:
        """Wait until the limit is not reached, taking nothing; raises what `check` does."""
        await self._until(lambda: not self.full)

    async def empty(self) -> None:
        """Wait until nothing is in use; raises what `check` does."""
        await self._until(lambda: not self.used_bytes)

    def _fits(self, size_bytes: int) -> bool:
        return not self.used_bytes or self.used_bytes + size_bytes <= self._limit_bytes

    async def _until(self, condition: Callable[[], bool]) -> None:
        self._check()
        while not condition():
            self._changed.clear()
            await self._changed.wait()
            self._check()
