"""Questions that the command line asks of the archive; all of them read only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import TopicPartition

from bigbrotr.errors import CommandFailedError
from bigbrotr.offsets import Offsets
from core import postgres
from core.archive.connection import Connection, Pool
from core.settings import Settings
from sinks.migrate import MigrationError, check_schema
from sinks.offsets import stored_offsets

# Counting rows exactly reads them all: a fifth of a second at this size, and no longer worth it beyond.
_EXACT_UP_TO_BYTES = 256 * 1024 * 1024

_SIZES = """
SELECT coalesce(sum(pg_relation_size(child.oid)), 0)::bigint AS bytes,
       coalesce(sum(greatest(child.reltuples, 0)), 0)::bigint AS estimate
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = to_regclass('events')
"""
_PAIRS = "SELECT coalesce(sum(cardinality(relay_ids)), 0)::bigint FROM sightings"
_PRESENT = """
SELECT wanted.id FROM unnest($1::bytea[]) AS wanted (id)
WHERE EXISTS (SELECT FROM events WHERE id_prefix = key_prefix(wanted.id) AND events.id = wanted.id)
"""
_SIGNED_UNTIL = """
SELECT count(*) FROM events WHERE pubkey_prefix = key_prefix($1) AND pubkey = $1 AND created_at <= $2
"""
_PER_RELAY = "SELECT relay, count(*) AS events FROM event_sightings GROUP BY relay"


class ArchiveCounts(NamedTuple):
    """Rows of the archive; pairs (of event and relay) are None where counting them would take too long."""

    events: int
    pairs: int | None
    exact: bool


async def has_schema(connection: Connection) -> bool:
    """Tell whether `bigbrotr migrate` was ever run here."""
    return bool(await connection.fetchval("SELECT to_regclass('events') IS NOT NULL"))


async def counts(connection: Connection, *, exact: bool = False) -> ArchiveCounts:
    """Count what is archived: exactly on request or while that is cheap, else as statistics estimate it."""
    row = await connection.fetchrow(_SIZES)
    assert row is not None
    if row["bytes"] > _EXACT_UP_TO_BYTES and not exact:
        return ArchiveCounts(row["estimate"], None, exact=False)
    events = await connection.fetchval("SELECT count(*) FROM events")
    return ArchiveCounts(events, await connection.fetchval(_PAIRS), exact=True)


async def counted(settings: Settings, *, exact: bool = False) -> ArchiveCounts:
    """Count over a connection of its own, waiting for the server as long as it takes."""
    async with connected(settings) as connection:
        return await counts(connection, exact=exact)


async def counted_per_relay(settings: Settings) -> dict[str, int]:
    """Count what each relay was seen to hold, over a connection of its own."""
    async with connected(settings) as connection:
        return await events_per_relay(connection)


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Connection]:
    """Connect for as long as a block needs it, waiting for the server as long as it takes."""
    pool = await postgres.pool(settings, min_size=1, max_size=1, command_timeout=None)
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
    # Reading everything takes as long as it takes.
    pool = await postgres.pool(settings, min_size=1, max_size=connections, command_timeout=None)
    try:
        async with pool.acquire() as connection:
            await check_schema(connection)
        yield pool
    except MigrationError as error:
        raise CommandFailedError(str(error)) from error
    except BrokenPipeError:  # of what the caller writes: asyncpg has errors of its own
        raise
    except Exception as error:
        if not postgres.is_transient(error):
            raise
        raise CommandFailedError(f"PostgreSQL went away: {error}; run it again when it is back") from error
    finally:
        pool.terminate()


async def database_bytes(connection: Connection) -> int:
    """The size of the whole database on disk."""
    size: int = await connection.fetchval("SELECT pg_database_size(current_database())")
    return size


async def present(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of the ids (64 hex digits) that are archived."""
    rows = await connection.fetch(_PRESENT, [bytes.fromhex(event_id) for event_id in ids])
    return {row["id"].hex() for row in rows}


async def signed_until(connection: Connection, pubkey: str, until_s: int) -> int:
    """How many archived events a key (64 hex digits) signed with a `created_at` up to a time, included."""
    count: int = await connection.fetchval(_SIGNED_UNTIL, bytes.fromhex(pubkey), until_s)
    return count


async def events_per_relay(connection: Connection) -> dict[str, int]:
    """How many archived events each relay was seen to hold."""
    return {row["relay"]: row["events"] for row in await connection.fetch(_PER_RELAY)}


async def sunk(connection: Connection, settings: Settings) -> Offsets:
    """Up to where the sink's group has archived each partition it reads."""
    stored = await stored_offsets(connection, settings.sink.group_id)
    return {TopicPartition(tp.topic, tp.partition): offset.next_offset for tp, offset in stored.items()}
