"""How much is given to a statement: half after a time-out, twice as much after a success.

What takes longer than a statement may (`postgres.command_timeout_s`) would take as long the next time, and without end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from core.archive.connection import TimedOutError
from core.backoff import Backoff
from core.waiting import INITIAL_S, MAX_S

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Portion:
    """A number of items, at least one.

    Attributes:
        size: how many may be tried.
    """

    def __init__(self, most: int) -> None:
        """Begin with `most`, above which it never grows."""
        self._most = most
        self.size = most

    def halve(self, tried: int) -> None:
        """So many took too long."""
        self.size = max(1, tried // 2)

    def grow(self, done: int) -> None:
        """So many were done in time; fewer than were allowed say nothing about more."""
        if done >= self.size:
            self.size = min(self._most, 2 * self.size)


async def in_portions(items: Sequence[T], most: int, work: Callable[[Sequence[T], int], Awaitable[None]]) -> None:
    """Do work on all items, on `most` at a time, and after a time-out on half as many.

    A single item that times out is tried again without end: each of them must be done.

    Args:
        items: in the order in which they are done.
        most: at a time.
        work: what is done with some items; safe to repeat. The second argument is `most`, and after each time-out half
            of it: for work that has a limit of its own on what it finds. Raises TimedOutError.
    """
    portion, limit = Portion(most), Portion(most)
    backoff = Backoff(INITIAL_S, MAX_S)
    done = 0
    while done < len(items):
        some = items[done : done + portion.size]
        try:
            await work(some, limit.size)
        except TimedOutError as error:
            portion.halve(len(some))
            limit.halve(limit.size)
            _log.warning("%d at a time took too long, next are %d: %s", len(some), portion.size, error)
            await asyncio.sleep(backoff.next_s())
            continue
        backoff.reset()
        done += len(some)
        portion.grow(len(some))
        limit.grow(limit.size)
