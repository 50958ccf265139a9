"""Writes parts of batches, and takes out what stands in the way: erased events, records that cannot be written.

A record that takes too long by itself is one of these, if the database is not at fault. That is so when right behind
each of three time-outs in a row the smallest record at the same place goes through the same transaction, in a quarter
of the time. `SELECT 1` would not tell: it is answered while a table or a partition is locked, or a disk is busy. Where
a lock is what a statement waits for, PostgreSQL says so (`lock_timeout`), and it counts for nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from aiokafka import TopicPartition

from core import metrics, postgres
from core.archive.connection import Connection, Pool, TimedOutError, in_time
from core.backoff import Backoff
from core.waiting import INITIAL_S, MAX_S, until_it_works
from sinks.erasure import ErasedError, Eraser
from sinks.writing.bad_rows import is_row_error
from sinks.writing.batch import Batch
from sinks.writing.group_wait import GroupWait
from sinks.writing.stored_offsets import OffsetsMovedError
from sinks.writing.writer import Writer

T = TypeVar("T")
_log = logging.getLogger(__name__)

# Once may be a checkpoint or a backup; with the default limit this is six minutes.
_TIME_OUTS = 3
# Of the time after which the record was given up. The smallest takes milliseconds; a database that needs a quarter of a
# statement's limit for it is slow itself.
_AT_ONCE = 0.25


class PartWriter:
    """Writes parts, one after another, and waits for the database while the consumer stays in its group."""

    def __init__(self, pool: Pool, writer: Writer, eraser: Eraser, wait: GroupWait) -> None:
        self._pool = pool
        self._writer = writer
        self._eraser = eraser
        self._wait = wait
        self._suspect: tuple[str, int, int] | None = None
        self._time_outs = 0
        # The server may have a limit of milliseconds.
        self._backoff = Backoff(INITIAL_S, MAX_S)

    async def write(self, part: Batch, refused: Mapping[TopicPartition, list[int]]) -> dict[str, int] | None:
        """Write a part; None where it is to be tried again, without what was taken out of it.

        Raises TimedOutError where it is to be tried in halves, and as a whole if that is a single record.
        """
        began_s = time.monotonic()
        try:
            await self._wait.until_done(self._leave_out_erased(part))
            try:
                written = await self.with_database(in_time(partial(self._writer.write, batch=part, refused=refused)))
                self._backoff.reset()
                return written  # noqa: TRY300 - what failed is told below
            except Exception as error:
                if not is_row_error(error) or not await self._set_bad_rows_apart(part):
                    raise
        except ErasedError as error:
            await self._wait.until_done(self._eraser.erase(error.found))
        except TimedOutError as error:
            if not await self._is_to_blame(part, time.monotonic() - began_s):
                await self._wait.until_done(asyncio.sleep(self._backoff.next_s()))
                raise
            self._set_apart(part, {0: f"timed out {_TIME_OUTS} times while smaller records were written: {error}"})
        return None

    async def with_database(self, attempt: Callable[[Connection], Awaitable[T]]) -> T:
        """Try until the database takes it, and stay in the group meanwhile."""

        async def once() -> T:
            try:
                async with self._pool.acquire() as connection:
                    return await attempt(connection)
            except Exception as error:
                self._writer.forget()
                if isinstance(error, TimedOutError) or postgres.is_transient(error):
                    metrics.BATCH_RETRIES.inc()
                raise

        return await self._wait.until_done(until_it_works("PostgreSQL", once, postgres.is_transient))

    async def _leave_out_erased(self, part: Batch) -> None:
        if self._eraser.has_rules and (erased := await self._eraser.refuse(part.event_ids())):
            metrics.REFUSED_ERASED.inc(part.leave_out(erased))

    async def _set_bad_rows_apart(self, part: Batch) -> bool:
        bad = await self.with_database(in_time(partial(self._writer.find_bad_rows, batch=part)))
        self._set_apart(part, bad)
        return bool(bad)

    def _set_apart(self, part: Batch, bad: Mapping[int, str]) -> None:
        for place, detail in bad.items():
            record = part.entries[place].record
            _log.warning("record %s/%d/%d is rejected: %s", record.topic, record.partition, record.offset, detail)
        part.set_apart(bad)

    async def _is_to_blame(self, part: Batch, took_s: float) -> bool:
        """Whether a part that timed out is a record that has done so often enough, while others would not have."""
        if len(part.entries) != 1:
            return False
        record = part.entries[0].record
        suspect = (record.topic, record.partition, record.offset)
        if suspect != self._suspect:
            self._suspect, self._time_outs = suspect, 0
        goes_through = await self._wait.until_done(self._smallest_goes_through(part, took_s * _AT_ONCE))
        self._time_outs = self._time_outs + 1 if goes_through else 0
        return self._time_outs == _TIME_OUTS

    async def _smallest_goes_through(self, part: Batch, within_s: float) -> bool:
        began_s = time.monotonic()
        try:
            async with self._pool.acquire() as connection:
                await self._writer.try_smallest(connection, part)
        except OffsetsMovedError:
            raise
        except Exception as error:
            self._writer.forget()
            if postgres.is_transient(error):
                return False
            # An answer, if another one.
            if not is_row_error(error) and not isinstance(error, ErasedError):
                raise
        return time.monotonic() - began_s < within_s
