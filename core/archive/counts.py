"""Size of the archive: rows, pairs of event and relay, bytes, and which of given events it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.archive.connection import Connection

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
    """Return whether `bigbrotr migrate` was ever run here."""
    return bool(await connection.fetchval("SELECT to_regclass('events') IS NOT NULL"))


async def counts(connection: Connection, *, exact: bool = False) -> ArchiveCounts:
    """Count what is archived: exactly on request or while that is cheap, else as statistics estimate it."""
    row = await connection.fetchrow(_SIZES)
    assert row is not None
    if row["bytes"] > _EXACT_UP_TO_BYTES and not exact:
        return ArchiveCounts(row["estimate"], None, exact=False)
    events = await connection.fetchval("SELECT count(*) FROM events")
    return ArchiveCounts(events, await connection.fetchval(_PAIRS), exact=True)


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
