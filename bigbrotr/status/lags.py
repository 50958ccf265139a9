"""Consumer lag of the services, polled over the same connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bigbrotr.services import Reading
from bigbrotr.status import archive
from bigbrotr.status.topic_offsets import OffsetsReader
from core.archive.connection import Pool, reading_pool
from core.kafka import Offsets, lag
from core.settings import Settings


class Lags:
    """Asks Kafka and PostgreSQL for offsets; made by `open_lags`."""

    def __init__(self, settings: Settings, reader: OffsetsReader, pool: Pool) -> None:
        self._settings = settings
        self.reader = reader
        self.pool = pool

    async def reached(self, reading: Reading) -> Offsets:
        """Up to where a service has recorded each partition that it reads."""
        group_id = reading.group_id(self._settings)
        if reading.progress == "kafka":
            return await self.reader.committed(group_id, *reading.topics)
        async with self.pool.acquire() as connection:
            return await archive.sunk(connection, group_id)

    async def unread(self, reading: Reading) -> int:
        """Records that a service has still to do its work on."""
        begins, ends = await self.reader.bounds(*reading.topics)
        return lag(ends, begins, await self.reached(reading))


@asynccontextmanager
async def open_lags(settings: Settings) -> AsyncIterator[Lags]:
    """Connect to both servers, waiting for them as long as it takes."""
    async with (
        reading_pool(settings, command_timeout_s=settings.postgres.command_timeout_s) as pool,
        OffsetsReader(settings) as reader,
    ):
        yield Lags(settings, reader, pool)
