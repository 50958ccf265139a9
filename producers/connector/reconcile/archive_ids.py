"""What the archive holds of a few seconds: read from PostgreSQL, read-only, so that relays can be asked for the rest.

It is optional: without a database, with one that is away, slow or not set up, there is no answer, and the relay is
paged through as if there were no archive. A caller waits for seconds at most.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from core import postgres
from core.archive.connection import Pool, reading_options
from core.archive.event_query import BIGINT_MAX, Parameters, condition
from core.settings import Settings
from core.waiting import brief
from schemas.nostr.filters import Filter

logger = logging.getLogger(__name__)

MOST_HELD = 20_000
"""Of one window. 30 ms for the database and as much again for us, in which no other relay is read."""
_CONNECTIONS = 2
"""Of a connector: pages of relays take most of its time, and the sink needs the database more."""
# Both tables are bound in time, so that only their months are looked at.
_WINDOW = """
SELECT held.created_at, held.id, coalesce(relay_ids @> ARRAY[(SELECT relays.id FROM relays WHERE url = {url})], FALSE)
FROM (SELECT created_at, id FROM events WHERE {condition} LIMIT {limit}) AS held
LEFT JOIN sightings ON sightings.created_at = held.created_at AND sightings.id = held.id
    AND sightings.created_at BETWEEN {since} AND {until}
"""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the archive is waited for, in seconds."""

    answer_s: float = 5.0
    """For a connection and for the answer. A page costs a relay's round trip, so waiting longer is worse than
    paging."""
    turn_s: float = 2.0
    """For one of the connections while others of us read. Thirty readings come before; what waits longer pages."""
    left_alone_s: float = 30.0
    """After a failure no query is sent for so long: a database that is away should not cost every window the
    patience."""


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class ArchiveWindow:
    """What the archive holds of a filter in some seconds.

    Attributes:
        held: (created_at, id), in no order.
        sighted: those ids of `held` that the relay is known to hold.
        complete: whether that is all; otherwise there is more than `MOST_HELD`, and fewer seconds must be asked for.
    """

    held: list[tuple[int, str]]
    sighted: frozenset[str]
    complete: bool


NOTHING = ArchiveWindow([], frozenset(), complete=True)


class ArchiveIds:
    """The archive, as far as a connector looks into it."""

    def __init__(self, settings: Settings, *, most_held: int = MOST_HELD, patience: Patience = PATIENCE) -> None:
        """Read with these settings; nothing is opened before the first question."""
        self._settings = settings
        self._most = most_held
        self._patience = patience
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

    async def window(self, base: Filter, since: int | None, until: int | None, relay: str) -> ArchiveWindow | None:
        """Read what is held of a filter between two seconds, both included, whatever bounds the filter has itself.

        Args:
            base: the filter; one event more than it matches is possible where tags share a hash.
            since: None for the beginning.
            until: None for the end.
            relay: normalised URL, for `sighted`.

        Returns:
            None where the archive cannot be asked now.
        """
        if not self.configured or self._left_alone:
            return None
        try:
            async with asyncio.timeout(self._patience.turn_s):
                await self._places.acquire()
        except TimeoutError:
            return None
        try:
            return await self._read(base, since, until, relay)
        finally:
            self._places.release()

    @property
    def _left_alone(self) -> bool:
        return time.monotonic() < self._not_before_s

    async def _read(self, base: Filter, since: int | None, until: int | None, relay: str) -> ArchiveWindow | None:
        # It may have failed for those who came before.
        if self._left_alone:
            return None
        statement, values = window_statement(base, since, until, relay, self._most + 1)
        try:
            async with (
                asyncio.timeout(2 * self._patience.answer_s),
                (await self._opened()).acquire(timeout=self._patience.answer_s) as database,
            ):
                rows = await database.fetch(statement, *values)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
            # TimeoutError is an OSError. Whatever it is, what the archive holds is not known.
            self._not_before_s = time.monotonic() + self._patience.left_alone_s
            self._say(brief(error))
            return None
        self._say(None)
        held = [(created_at, event_id.hex()) for created_at, event_id, _ in rows]
        sighted = frozenset(event_id.hex() for _, event_id, is_sighted in rows if is_sighted)
        return ArchiveWindow(held, sighted, complete=len(rows) <= self._most)

    async def close(self) -> None:
        """Let the connections go."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    def _say(self, trouble: str | None) -> None:
        """Log what is wrong with the archive, None for nothing: once, and again when it becomes something else."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            logger.info("ids can be read from the archive again: relays are compared with it")
        else:
            logger.warning("relays are paged through: ids cannot be read from the archive: %s", trouble)

    async def _opened(self) -> Pool:
        async with self._opening:
            if self._pool is None:
                # Not `reading_pool`: that waits for the server, and here there is no answer without one.
                options = postgres.pool_options(reading_options(self._settings, patience_s=self._patience.answer_s))
                self._pool = await asyncpg.create_pool(**options, min_size=0, max_size=_CONNECTIONS)
            return self._pool


def window_statement(
    base: Filter, since: int | None, until: int | None, relay: str, limit: int
) -> tuple[str, list[Any]]:
    """The statement that reads a window, of at most `limit` events, and its values."""
    since, until = since or 0, BIGINT_MAX if until is None else min(until, BIGINT_MAX)
    parameters = Parameters()
    statement = _WINDOW.format(
        condition=condition(replace(base, since=since, until=until), parameters, exact_tags=False),
        since=parameters.add(since, "bigint"),
        until=parameters.add(until, "bigint"),
        url=parameters.add(relay, "text"),
        limit=parameters.add(limit, "bigint"),
    )
    return statement, parameters.values
