"""Size of the archive: rows, pairs of event and relay, bytes, and which of given events it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.archive.connection import Connection

# Only `bigbrotr status` meets an archive without these counts: other commands begin with a check of the schema.
_IS_COUNTED = "SELECT to_regclass('month_counts') IS NOT NULL AND to_regclass('uncounted_rows') IS NOT NULL"
_COUNTS = """
SELECT coalesce(sum(amount) FILTER (WHERE relation = 'events'), 0)::bigint AS events,
       coalesce(sum(amount) FILTER (WHERE relation = 'sightings'), 0)::bigint AS pairs
FROM month_counts HAVING NOT EXISTS (SELECT FROM uncounted_rows)
"""
_ESTIMATE = """
SELECT coalesce(sum(greatest(child.reltuples, 0)), 0)::bigint
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = to_regclass('events')
"""
_PRESENT = """
SELECT wanted.id FROM unnest($1::bytea[]) AS wanted (id)
WHERE EXISTS (SELECT FROM events WHERE id_prefix = key_prefix(wanted.id) AND events.id = wanted.id)
"""
_SIGNED_UNTIL = """
SELECT count(*) FROM events WHERE pubkey_prefix = key_prefix($1) AND pubkey = $1 AND created_at <= $2
"""
_PER_RELAY = "SELECT relay, count(*) AS events FROM event_sightings GROUP BY relay"


class ArchiveCounts(NamedTuple):
    """Events of the archive, and pairs of event and relay.

    Attributes:
        events: where not `exact`, about so many.
        pairs: None where not `exact`.
        exact: whether all rows are counted; False until `bigbrotr migrate` has counted those of an older archive.
    """

    events: int
    pairs: int | None
    exact: bool


async def has_schema(connection: Connection) -> bool:
    """Return whether `bigbrotr migrate` was ever run here."""
    return bool(await connection.fetchval("SELECT to_regclass('events') IS NOT NULL"))


async def counts(connection: Connection) -> ArchiveCounts:
    """What is archived, as the transactions that write it count; where they lack something, as statistics estimate."""
    if await connection.fetchval(_IS_COUNTED) and (row := await connection.fetchrow(_COUNTS)):
        return ArchiveCounts(row["events"], row["pairs"], exact=True)
    return ArchiveCounts(await connection.fetchval(_ESTIMATE), None, exact=False)


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
