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
from core.tasks import run_until_first
from schemas.topics import physical
from sinks.erasure.eraser import Eraser, ErasureSender
from sinks.tables import TABLES, Tables
from sinks.tables.projections.vanish_requests import set_own_urls

_log = logging.getLogger(__name__)

# How often expired events are looked for, and whether the archive is still the same one and rules are still followed:
# events expire by the second, and each look is one row of an index.
_EVERY_S = 1.0


class ErasureTask:
    """Applies every rule of the topic before `start` returns, and with `run` those that come from then on.

    Attributes:
        eraser: for what writes batches.
    """

    def __init__(self, settings: Settings, pool: Pool, eraser: Eraser) -> None:
        self.eraser = eraser
        self._settings = settings
        self._pool = pool
        self._follower: ErasureFollower | None = None
        self._archive: int | None = None

    async def start(self) -> None:
        """Wait for Kafka and PostgreSQL, and apply every rule that there is to the tables that there are now."""
        # Cleared first: a follower that was told to end is no failure, and `run` may look while it ends.
        follower, self._follower = self._follower, None
        if follower is not None:
            await follower.close()
        self._archive = await with_connection(self._pool, _archive)
        await with_connection(self._pool, lambda connection: set_own_urls(connection, self._settings.policy.own_urls))
        self._follower = ErasureFollower(self._settings, self.eraser.apply)
        await self._follower.start()

    async def run(self) -> None:
        """Go on until cancelled. Raises what ended the applying, at once: erased events would come back."""
        await run_until_first(self._check(), self._look())

    async def close(self) -> None:
        """Stop applying, once `run` has ended."""
        if self._follower is not None:
            await self._follower.close()

    async def _check(self) -> None:
        while True:
            if self._follower is not None:
                self._follower.check()
            await asyncio.sleep(_EVERY_S)

    async def _look(self) -> None:
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
                await self.start()
            if self._settings.policy.expiration == "erase":
                await self.eraser.erase_expired(int(time.time()))


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
