"""Deletes events with their derived rows and sightings, and records their ids as erased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.archive.connection import Connection
from core.archive.months import months
from schemas.lookup import key_prefix
from sinks.archive_lock import EXCLUSIVE
from sinks.tables import TABLES, Tables
from sinks.tables.event_key import same_event

_NEW_IDS = """
SELECT id FROM unnest($1::bytea[]) AS rule (id)
WHERE NOT EXISTS (SELECT FROM erased_ids AS applied WHERE applied.id = rule.id AND NOT applied.sightings_left)
"""
_DATES = "SELECT created_at, id FROM events WHERE id_prefix = ANY ($1::bigint[]) AND id = ANY ($2::bytea[])"
# Where the time of an event is unknown, it is in no table by its key.
_DELETE = (
    "DELETE FROM {table} AS stored USING unnest($1::bigint[], $2::bytea[]) AS event (created_at, id) WHERE {same_event}"
)
_STORE_IDS = """
INSERT INTO erased_ids (id, sightings_left)
SELECT id, dateless AND EXISTS (SELECT FROM sightings) FROM unnest($1::bytea[], $2::boolean[]) AS gone (id, dateless)
ON CONFLICT (id) DO NOTHING
"""

_EXPIRED = "SELECT created_at, id FROM expirations WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2"
_SIGHTINGS_LEFT = "SELECT id FROM erased_ids WHERE sightings_left LIMIT $1"
_NONE_LEFT = "UPDATE erased_ids SET sightings_left = false WHERE id = ANY ($1::bytea[])"


async def new_ids(connection: Connection, ids: Sequence[bytes]) -> set[bytes]:
    """Which ids have not been erased here, or not completely."""
    return {row["id"] for row in await connection.fetch(_NEW_IDS, ids)}


async def erase_ids(connection: Connection, dates: Mapping[bytes, int | None], tables: Tables = TABLES) -> None:
    """Delete events and all that was derived from them or is known of them, and record their ids as erased.

    Args:
        connection: to the archive.
        dates: of each id its `created_at`, where that is told; the row of an event says it better. Sightings of ids
            without either are left to `erase_sightings`.
        tables: of the archive.
    """
    ids = list(dates)
    async with connection.transaction():
        await connection.execute(EXCLUSIVE)
        stored = await connection.fetch(_DATES, [key_prefix(each) for each in ids], ids)
        known = {each: date for each, date in dates.items() if date is not None}
        known |= {row["id"]: row["created_at"] for row in stored}
        times = [known.get(each) for each in ids]
        for table, of_event in tables.of_events():
            await connection.execute(_DELETE.format(table=table, same_event=same_event(of_event)), times, ids)
        await connection.execute(_STORE_IDS, ids, [each not in known for each in ids])


async def expired(connection: Connection, now_s: int, limit: int) -> list[tuple[int, bytes]]:
    """(`created_at`, id) of events in the archive that have expired, of at most so many."""
    return [(row["created_at"], row["id"]) for row in await connection.fetch(_EXPIRED, now_s, limit)]


async def erase_sightings(connection: Connection, limit: int) -> bool:
    """Delete sightings of erased events whose date is unknown, of at most so many; whether there may be more.

    New ones cannot come, so no lock is needed. Each month is read from end to end, in a statement of its own.
    """
    ids = [row["id"] for row in await connection.fetch(_SIGHTINGS_LEFT, limit)]
    if ids:
        for month in await months(connection, "sightings"):
            # By the name of the whole table, or it is not counted (0010_counts.sql).
            delete = f"DELETE FROM sightings WHERE {month.where('sightings')} AND id = ANY ($1::bytea[])"  # noqa: S608
            await connection.execute(delete, ids)
        await connection.execute(_NONE_LEFT, ids)
    return len(ids) == limit
