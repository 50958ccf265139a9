"""Background task of the sink: applies rules of erasure as they arrive, and expiration (NIP-40) when it is due."""

from __future__ import annotations

import asyncio
import logging
import time

from core import postgres
from core.archive.connection import Connection, Pool, with_connection
from core.erasures import ErasureFollower
from core.kafka import Publisher
from core.settings import Settings
from schemas.topics import physical
from sinks.erasure.eraser import Eraser, ErasureSender
from sinks.tables import TABLES, Tables
from sinks.tables.projections.vanish_requests import set_own_urls

_log = logging.getLogger(__name__)

# How often expired events are looked for, and whether the archive is still the same one: events expire by the second,
# and each look is one row of an index.
_EVERY_S = 1.0


class ErasureTask:
    """Applies every rule of the topic before `start` returns, and from then on those that come.

    Attributes:
        eraser: for what writes batches.
    """

    def __init__(self, settings: Settings, pool: Pool, eraser: Eraser) -> None:
        self.eraser = eraser
        self._settings = settings
        self._pool = pool
        self._follower: ErasureFollower | None = None
        self._archive: int | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Wait for Kafka and PostgreSQL, and apply what the topic has."""
        await self._begin()
        self._task = asyncio.create_task(self._run(), name="erasing")

    def check(self) -> None:
        """Raise what ended the applying, if anything did: without it, erased events would come back."""
        if self._follower is not None:
            self._follower.check()
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()

    async def close(self) -> None:
        """Stop applying."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if self._follower is not None:
            await self._follower.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                async with self._pool.acquire() as connection:
                    archive = await _archive(connection)
            except Exception as error:
                if not postgres.is_transient(error):
                    raise
                continue  # The task that has something to write waits for the database, and reports it.
            if archive != self._archive:
                _log.info("the archive was switched to other tables: all erasures are applied to them")
                await self._begin()
            if self._settings.policy.expiration == "erase":
                await self.eraser.erase_expired(int(time.time()))

    async def _begin(self) -> None:
        """Apply every rule to the tables that there are now."""
        # Cleared first: a follower that was told to end is no failure, and `check` may look while it ends.
        follower, self._follower = self._follower, None
        if follower is not None:
            await follower.close()
        self._archive = await with_connection(self._pool, _archive)
        await with_connection(self._pool, lambda connection: set_own_urls(connection, self._settings.policy.own_urls))
        self._follower = ErasureFollower(self._settings, self.eraser.apply)
        await self._follower.start()


async def open_erasures(settings: Settings, pool: Pool, publisher: Publisher, tables: Tables = TABLES) -> ErasureTask:
    """The task for the archive that the pool leads to, to be started; waits until the topics are there."""

    async def target(name: str) -> tuple[str, int]:
        topic = physical(settings.kafka.topic_prefix, name)
        return topic, await publisher.partition_count(topic)

    sender = ErasureSender(publisher, await target("events"), await target("erasures"))
    return ErasureTask(settings, pool, Eraser(pool, sender, tables))


async def _archive(connection: Connection) -> int:
    """A number that another archive under the same name does not have."""
    number: int = await connection.fetchval("SELECT 'events'::regclass::oid::bigint")
    return number
