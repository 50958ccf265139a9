"""Reads the archive for work that goes on without it: an answer comes within seconds, or there is none.

Without a database, and with one that is away, slow or not set up, `fetch` returns None, and the caller does what it
does without an archive.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import asyncpg

from core import postgres
from core.archive.connection import Pool, reading_options
from core.settings import Settings
from core.waiting import brief

_CONNECTIONS = 2
"""Of a process: its own work takes most of its time, and the sink needs the database more."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the archive is waited for, in seconds."""

    answer_s: float = 5.0
    """For a connection and for the answer. A page of a relay costs its round trip, so waiting longer is worse than
    paging."""
    turn_s: float = 2.0
    """For one of the connections while others of us read. Thirty readings come before; what waits longer goes without
    an answer."""
    left_alone_s: float = 30.0
    """After a failure no query is sent for so long: a database that is away should not cost every question the
    patience."""


PATIENCE = Patience()


class Wording(NamedTuple):
    """What the log says of the work: what is done while the archive cannot be read, and once it can be again."""

    without: str
    again: str


class BoundedReader:
    """A few connections to the archive that only read, opened at the first question.

    Args:
        settings: name the archive, or none.
        wording: for the log.
        logger: of the work that reads.
        patience: how long is waited.
        session: further settings of the connections' sessions.
    """

    def __init__(
        self,
        settings: Settings,
        wording: Wording,
        logger: logging.Logger,
        patience: Patience = PATIENCE,
        session: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = settings
        self._wording = wording
        self._logger = logger
        self._patience = patience
        self._session = session or {}
        self._pool: Pool | None = None
        self._opening = asyncio.Lock()
        # In front of the pool, so that a wait for each other is not taken for a database that does not answer.
        self._places = asyncio.Semaphore(_CONNECTIONS)
        self._not_before_s = 0.0
        self._trouble: str | None = None

    @property
    def configured(self) -> bool:
        """Whether there is a database at all."""
        return self._settings.postgres.dsn is not None

    @property
    def left_alone(self) -> bool:
        """Whether a question would get no answer now, since one failed a moment ago."""
        return time.monotonic() < self._not_before_s

    async def fetch(self, statement: str, *values: Any) -> list[asyncpg.Record] | None:
        """Run a statement that reads; None where the archive cannot be asked now."""
        if not self.configured or self.left_alone:
            return None
        try:
            async with asyncio.timeout(self._patience.turn_s):
                await self._places.acquire()
        except TimeoutError:
            return None
        try:
            return await self._read(statement, values)
        finally:
            self._places.release()

    async def close(self) -> None:
        """Let the connections go."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    async def _read(self, statement: str, values: tuple[Any, ...]) -> list[asyncpg.Record] | None:
        # It may have failed for those who came before.
        if self.left_alone:
            return None
        try:
            async with (
                asyncio.timeout(2 * self._patience.answer_s),
                (await self._opened()).acquire(timeout=self._patience.answer_s) as database,
            ):
                rows = await database.fetch(statement, *values)
        except (
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
            OSError,
            ValueError,
        ) as error:
            # TimeoutError is an OSError. Where the server has just ended an idle connection, asyncpg raises
            # InternalClientError. Whatever it is, what the archive holds is not known.
            self._not_before_s = time.monotonic() + self._patience.left_alone_s
            self._say(brief(error))
            return None
        self._say(None)
        return list(rows)

    def _say(self, trouble: str | None) -> None:
        """Log what is wrong with the archive, None for nothing: once, and again when it becomes something else."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            self._logger.info("the archive can be read again: %s", self._wording.again)
        else:
            self._logger.warning("%s: the archive cannot be read: %s", self._wording.without, trouble)

    async def _opened(self) -> Pool:
        async with self._opening:
            if self._pool is None:
                # Not `reading_pool`: that waits for the server, and here there is no answer without one.
                options = reading_options(self._settings, patience_s=self._patience.answer_s)
                options["server_settings"] |= self._session
                options = postgres.pool_options(options)
                self._pool = await asyncpg.create_pool(**options, min_size=0, max_size=_CONNECTIONS)
            return self._pool
