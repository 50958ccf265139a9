"""Reads the archive for requests: bounded in connections, in the share of one client, and in time.

A client that goes away cancels no query: asyncpg's cancellation opens a further connection, and has crashed and hung.
Time-outs of the server bound each statement, and the places bound how many run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from api.query_places import QueryPlaces
from api.read_errors import AwayError, BusyError, TooSlowError
from core import metrics, postgres
from core.archive.connection import Connection, Pool
from core.settings.serving import ApiSettings
from core.waiting import brief

T = TypeVar("T")

_BEHIND_S = 1.0
"""For a statement while the archive is behind: usual ones take a fifth of it, and archiving waits for others."""


class ArchiveReader:
    """Runs the queries of all clients.

    Args:
        pool: of connections that only read, as many as `api.database_connections`, whose server ends statements.
        settings: the bounds.
        is_behind: whether the archive is behind what was received.
    """

    def __init__(self, pool: Pool, settings: ApiSettings, is_behind: Callable[[], bool]) -> None:
        self._pool = pool
        self._settings = settings
        self._is_behind = is_behind
        self._places = QueryPlaces(settings, is_behind)
        self._running: set[asyncio.Task[object]] = set()

    async def read(self, client: str, work: Callable[[Connection], Awaitable[T]], *, one_moment: bool = False) -> T:
        """Do work on a connection, and go on with it should the caller be cancelled after it has begun.

        Args:
            client: who is charged (`api.clients`).
            work: awaits statements that only read.
            one_moment: all statements of the work see the archive of one moment, in one transaction.

        Raises:
            BusyError: there was no place in time.
            ClientBusyError: there was none because of the client's own queries.
            AwayError: the database cannot be asked.
            TooSlowError: a statement reached its time-out, or all of the work their deadline.
        """
        try:
            await self._places.enter(client)
        except BusyError:
            metrics.API_UNANSWERED.labels("busy").inc()
            raise
        task = asyncio.ensure_future(self._run(client, work, one_moment=one_moment))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait for what runs; once the pool is terminated, nothing does for long."""
        if self._running:
            await asyncio.wait(self._running)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        # The caller is told of an error. It may be gone, and asyncio would log what nothing has looked at.
        if not task.cancelled():
            task.exception()

    async def _run(self, client: str, work: Callable[[Connection], Awaitable[T]], *, one_moment: bool) -> T:
        try:
            with metrics.API_QUERIES.track_inprogress(), metrics.API_QUERY_SECONDS.time():
                return await self._on_connection(work, one_moment=one_moment)
        finally:
            self._places.leave(client)

    async def _on_connection(self, work: Callable[[Connection], Awaitable[T]], *, one_moment: bool) -> T:
        try:
            async with self._connected() as connection:
                if self._is_behind() and self._settings.query_timeout_s > _BEHIND_S:
                    # Until the connection is given back: the pool resets it then.
                    await connection.execute(f"SET statement_timeout = '{_BEHIND_S * 1000:.0f}ms'")
                if not one_moment:
                    return await work(connection)
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    return await work(connection)
        except Exception as error:
            if self._pool.is_closing():
                raise AwayError("the service ends; try again in a moment") from error
            if postgres.is_time_out(error):
                metrics.API_UNANSWERED.labels("slow").inc()
                raise TooSlowError(
                    "the archive could not answer in time; ask for less: fewer filters or a shorter time"
                ) from error
            if postgres.is_transient(error) or isinstance(error, postgres.UnusableServerError):
                metrics.API_UNANSWERED.labels("away").inc()
                raise AwayError(f"the archive cannot be read now: {brief(error)}") from error
            raise

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        try:
            connection = await self._pool.acquire(timeout=self._settings.queue_s)
        except TimeoutError:  # There is a connection for each place: it is made now, and no statement has begun.
            raise ConnectionError("the database does not answer") from None
        try:
            yield connection
        finally:
            await self._pool.release(connection)
