"""How much is still to be read by processor and sink, asked again and again over the same connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bigbrotr import archive
from bigbrotr.offsets import SINK_TOPICS, Offsets, OffsetsReader, lag
from core.archive.connection import Pool, reading_pool
from core.settings import Settings


class Lags:
    """Asks Kafka and PostgreSQL for offsets; made by `open_lags`."""

    def __init__(self, settings: Settings, reader: OffsetsReader, pool: Pool) -> None:
        self._settings = settings
        self.reader = reader
        self.pool = pool

    async def sunk(self) -> Offsets:
        """Up to where the sink has archived each partition."""
        async with self.pool.acquire() as connection:
            return await archive.sunk(connection, self._settings)

    async def processor(self) -> int:
        """Bundles that are not judged yet."""
        ends, begins = await self.reader.ends("raw.bundles"), await self.reader.begins("raw.bundles")
        return lag(ends, begins, await self.reader.processed())

    async def sink(self) -> int:
        """Records that are not archived yet."""
        ends, begins = await self.reader.ends(*SINK_TOPICS), await self.reader.begins(*SINK_TOPICS)
        return lag(ends, begins, await self.sunk())


@asynccontextmanager
async def open_lags(settings: Settings) -> AsyncIterator[Lags]:
    """Connect to both servers, waiting for them as long as it takes."""
    async with (
        reading_pool(settings, command_timeout_s=settings.postgres.command_timeout_s) as pool,
        OffsetsReader(settings) as reader,
    ):
        yield Lags(settings, reader, pool)
