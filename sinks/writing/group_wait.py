"""Waits for servers while the consumer stays a member of its group."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from core.flag import Flag
from core.service import UndrainedError
from sinks.writing.consumer import GroupReader
from sinks.writing.missed_tombstones import LONGEST_ABSENCE_MS

T = TypeVar("T")

# How often the group hears of us while a database is waited for, far below the poll interval after which we are out.
_IDLE_S = 1.0


class AbandonedError(Exception):
    """The partitions went to another member before the database took the batch."""


class GroupWait:
    """Waits for the work of one member. `stopping` is set when the process is to end, for which it has `drain_s`."""

    def __init__(self, reader: GroupReader, stopping: Flag, drain_s: float) -> None:
        self._reader = reader
        self._stopping = stopping
        self._drain_s = drain_s

    async def until_done(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for work that waits for servers; meanwhile consumption pauses, and the group goes on hearing of us.

        After a wait of half a day no position is trusted any more: all partitions are placed anew.

        Raises AbandonedError where the assignment changes before it is done, UndrainedError where the process is to
        stop and the time for a drain passes.
        """
        generation = self._reader.generation
        task = asyncio.ensure_future(work)
        held_s = 0.0
        try:
            while not (await asyncio.wait({task}, timeout=_IDLE_S))[0]:
                held_s += _IDLE_S
                await self._reader.idle(0.0)
                if generation != self._reader.generation:
                    raise AbandonedError("the partitions were assigned anew")
                if self._stopping.is_set() and held_s >= self._drain_s:
                    raise UndrainedError("the database did not take the open batch, which is read again")
            if held_s * 1000 > LONGEST_ABSENCE_MS:
                # As after a start: tombstones may be gone of what comes next.
                self._reader.displace()
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
            if held_s:
                self._reader.resume()
