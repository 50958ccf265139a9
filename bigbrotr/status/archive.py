"""The command line's connections to the archive, and its queries for the status."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import TopicPartition

from bigbrotr.errors import CommandFailedError
from core import postgres
from core.archive.connection import Connection, Pool, reading, reading_pool
from core.archive.counts import ArchiveCounts, counts, events_per_relay
from core.archive.schema import SchemaError
from core.kafka import Offsets
from core.settings import Settings
from sinks.migrate import check_schema
from sinks.writing.stored_offsets import stored_offsets


async def counted(settings: Settings) -> ArchiveCounts:
    """Count over a connection of its own, waiting for the server as long as it takes."""
    async with reading(settings) as connection:
        return await counts(connection)


async def counted_per_relay(settings: Settings) -> dict[str, int]:
    """Count what each relay was seen to hold, over a connection of its own."""
    async with reading(settings) as connection:
        return await events_per_relay(connection)


@asynccontextmanager
async def changing(settings: Settings) -> AsyncIterator[Connection]:
    """Connect to change tables for as long as a block needs it, waiting for the server as long as it takes.

    Raises:
        UnusableServerError: it takes no writes, or cannot hold an archive.
    """
    pool = await postgres.pool(settings, writable=True, min_size=1, max_size=1, command_timeout=None)
    try:
        async with pool.acquire() as connection:
            yield connection
    finally:
        pool.terminate()


@asynccontextmanager
async def readable(settings: Settings, connections: int = 1) -> AsyncIterator[Pool]:
    """Open a pool of so many connections to an archive that is as this version knows it.

    Raises:
        CommandFailedError: there is no archive, it is of another version, or it went away during the block.
    """
    async with reading_pool(settings, connections) as pool:
        try:
            async with pool.acquire() as connection:
                await check_schema(connection)
            yield pool
        except SchemaError as error:
            raise CommandFailedError(str(error)) from error
        except BrokenPipeError:  # of what the caller writes: asyncpg has errors of its own
            raise
        except Exception as error:
            if not postgres.is_transient(error):
                raise
            raise CommandFailedError(f"PostgreSQL went away: {error}; run it again when it is back") from error


async def sunk(connection: Connection, group_id: str) -> Offsets:
    """Up to where a group of sinks has archived each partition that it reads."""
    stored = await stored_offsets(connection, group_id)
    return {TopicPartition(tp.topic, tp.partition): offset.next_offset for tp, offset in stored.items()}
