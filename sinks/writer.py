"""Writes a batch in one transaction: the offsets it covers by compare-and-set, its events, sightings and coverage.

COPY (binary) into temporary tables, then INSERT … SELECT: arrays and UNNEST cost a fifth more, COPY of text almost half
(`tests/bench/bench_sink.py`). `synchronous_commit` is off: offsets and rows are in the same transaction, so a crash of
the server may lose the last moments of both and never of one; the sink then reads again what the offsets no longer
cover. A crash of a client loses nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from aiokafka import TopicPartition

from core.archive.connection import Connection
from core.archive.rows import COLUMN_LIST
from schemas.sighting import Sighting
from sinks.bad_rows import find_bad
from sinks.batch import Batch, Entry
from sinks.binary_copy import SightingRow, copy_events, copy_sightings
from sinks.erased import check_batch
from sinks.offsets import move_offsets
from sinks.relays import RelayIds
from sinks.storm import store_refused
from sinks.tables import coverage
from sinks.tables import projection as deletions

_KEY = itemgetter(0, 1)
# Rows of attempts that failed are dead, but every statement of the next attempts reads them, until a commit.
_TRIED_TOGETHER = 250
_NOTHING: Mapping[TopicPartition, list[int]] = MappingProxyType({})

# A process that is frozen in the middle of a batch must not hold the offsets' locks against its successor for ever.
_PREPARE = """
SET LOCAL synchronous_commit = off;
SET LOCAL idle_in_transaction_session_timeout = '30s';
SET LOCAL client_min_messages = warning;
CREATE TEMPORARY TABLE IF NOT EXISTS batch_events (LIKE events) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS batch_sightings (LIKE sightings) ON COMMIT DELETE ROWS;
"""

_INSERT_EVENTS = f"""
INSERT INTO events ({COLUMN_LIST}) SELECT {COLUMN_LIST} FROM batch_events
ON CONFLICT DO NOTHING
"""  # noqa: S608 - the names are ours

# Relays that are new to a row are appended, the common case, at half the cost of a merge. Only where one is there are
# the two lists merged, and only where that changes something is the row written at all.
_MERGE_SIGHTINGS = """
INSERT INTO sightings AS stored (created_at, id, relay_ids, seen_ats_ms)
SELECT created_at, id, relay_ids, seen_ats_ms FROM batch_sightings
ON CONFLICT (created_at, id) DO UPDATE SET
    relay_ids = CASE WHEN NOT stored.relay_ids && excluded.relay_ids
        THEN stored.relay_ids || excluded.relay_ids
        ELSE (merge_sightings(
            stored.relay_ids, stored.seen_ats_ms, excluded.relay_ids, excluded.seen_ats_ms)).relay_ids END,
    seen_ats_ms = CASE WHEN NOT stored.relay_ids && excluded.relay_ids
        THEN stored.seen_ats_ms || excluded.seen_ats_ms
        ELSE (merge_sightings(
            stored.relay_ids, stored.seen_ats_ms, excluded.relay_ids, excluded.seen_ats_ms)).seen_ats_ms END
WHERE NOT (stored.relay_ids @> excluded.relay_ids AND NOT EXISTS (
    SELECT FROM unnest(excluded.relay_ids, excluded.seen_ats_ms) AS new (relay_id, seen_ms)
    WHERE new.seen_ms < stored.seen_ats_ms[array_position(stored.relay_ids, new.relay_id)]
))
"""


class Written(NamedTuple):
    """What a batch changed: new event rows, and rows of sightings that were made or extended."""

    events: int
    sighting_rows: int


class Writer:
    """Writes batches of one consumer group. Not for concurrent use: batches are committed one after another."""

    def __init__(self, group_id: str) -> None:
        self._group_id = group_id
        self._relays = RelayIds()

    async def write(
        self, connection: Connection, batch: Batch, refused: Mapping[TopicPartition, list[int]] = _NOTHING
    ) -> Written:
        """Write and commit a batch, and beside its offsets those of the last refused records.

        Raises OffsetsMovedError where another instance went on from the same offsets, or where the archive was
        switched to other tables (`bigbrotr switch`: `forget` then), and whatever asyncpg raises:
        `core.postgres.is_transient` and `bad_rows.is_row_error` tell what to do then. Raises ErasedError where an event
        of the batch is erased. Nothing of the batch is kept.
        """
        relay_ids = await self._relays.find(connection, _urls(batch.entries))
        async with connection.transaction():
            await connection.execute(_PREPARE)
            await move_offsets(connection, self._group_id, batch.advances)
            await store_refused(connection, self._group_id, refused)
            # From here to the end the locked offsets keep a switch out: all statements mean the same tables.
            await self._relays.check(connection)
            return await _write_entries(connection, batch.entries, relay_ids)

    async def find_bad_rows(self, connection: Connection, batch: Batch) -> dict[int, str]:
        """The places of the entries that the database refuses, with its reason; nothing is written."""
        bad: dict[int, str] = {}
        for first in range(0, len(batch.entries), _TRIED_TOGETHER):
            bad |= await self._find_bad(connection, batch.entries[first : first + _TRIED_TOGETHER], first)
        return bad

    async def _find_bad(self, connection: Connection, entries: Sequence[Entry], first: int) -> dict[int, str]:
        async def attempt(some: Sequence[Entry]) -> None:
            self.forget()  # What an attempt that failed has added has no number any more.
            await _write_entries(connection, some, await self._relays.find(connection, _urls(some)))
            # Tried rows must not be tried again with the next half: the temporary tables are emptied by hand.
            await connection.execute("DELETE FROM batch_events; DELETE FROM batch_sightings")

        async with connection.transaction():  # At its end the temporary tables are empty files again.
            await connection.execute(_PREPARE)
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(_PREPARE)
            return await find_bad(connection, entries, attempt, first)
        finally:
            self.forget()
            if not connection.is_closed():
                await transaction.rollback()

    def forget(self) -> None:
        """Drop what is remembered of the database, after a failure behind which it may be another one."""
        self._relays.forget()


async def _write_entries(connection: Connection, entries: Iterable[Entry], relay_ids: dict[str, int]) -> Written:
    entries = list(entries)
    events = [entry.event for entry in entries if entry.event is not None]
    groups = [group for entry in entries for group in entry.sightings]
    if events:
        events.sort(key=_KEY)  # In key order: neighbouring pages, and no deadlock between two instances.
        await copy_events(connection, events)
    if groups:
        await copy_sightings(connection, sighting_rows(groups, relay_ids))
    await deletions.write(connection, deletions.derive(deletions.speaking(events)))
    await check_batch(connection)
    inserted = _affected(await connection.execute(_INSERT_EVENTS)) if events else 0
    merged = _affected(await connection.execute(_MERGE_SIGHTINGS)) if groups else 0
    await coverage.write(connection, [entry.coverage for entry in entries if entry.coverage], relay_ids)
    return Written(inserted, merged)


def sighting_rows(groups: Iterable[Sighting], relay_ids: dict[str, int]) -> list[SightingRow]:
    """Fold sightings to one row per event, in key order, each relay once with the earliest time it was seen."""
    folded: dict[tuple[str, int], dict[int, int]] = {}
    for group in groups:
        relay_id = relay_ids[group.relay]
        seen_at_ms = group.seen_at_ms
        for event in group.ids:
            times = folded.get(event)
            if times is None:
                folded[event] = {relay_id: seen_at_ms}
            elif seen_at_ms < times.get(relay_id, seen_at_ms + 1):
                times[relay_id] = seen_at_ms
    rows = [
        (created_at, bytes.fromhex(event_id), list(times), list(times.values()))
        for (event_id, created_at), times in folded.items()
    ]
    rows.sort(key=_KEY)
    return rows


def _urls(entries: Iterable[Entry]) -> set[str]:
    sighted = {group.relay for entry in entries for group in entry.sightings}
    return sighted | {entry.coverage.relay for entry in entries if entry.coverage}


def _affected(status: str) -> int:
    """The number of rows in a command's status, such as `INSERT 0 5000`."""
    return int(status.rsplit(" ", 1)[1])
