"""Backfills a new table from events that are archived already (`sinks.tables.projection`).

By the same code as new ones, in steps of a bounded number of rows, each with how far it came: a search that was
interrupted goes on from there. The migration of such a table has it begin:

    DELETE FROM unread_requests;
    INSERT INTO unread_requests SELECT -1, '' WHERE EXISTS (SELECT FROM events);

The versions of addresses (`0014_versions.sql`) have a search of their own, because the sink need not wait for it.
Counts (`0010_counts.sql`) are no rows of events, and are found by counting all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from core.archive.connection import Connection
from core.archive.rows import COLUMN_LIST
from sinks.archive_lock import SHARED
from sinks.tables.projection import Projection, derive, picked_in_sql, write

_Key: TypeAlias = tuple[Any, ...]
_Read: TypeAlias = Callable[[_Key, _Key], Awaitable[None]]

STEP_ROWS = 50_000
"""About a second of reading: as much as an interruption may cost."""
# Picked rows in memory at once: each is at most about a megabyte.
_AT_A_TIME = 64

_LIST_VERSIONS = """
INSERT INTO address_versions (created_at, id, address_sha256)
SELECT created_at, id, event_address_sha256(kind, pubkey, tags, created_at, id) FROM events
WHERE created_at >= $1 AND (created_at, id) > ($1, $2) AND created_at <= $3 AND (created_at, id) <= ($3, $4)
    AND has_address(kind)
ORDER BY created_at, id
ON CONFLICT DO NOTHING
"""
_POSITION = "SELECT created_at, id FROM {reached}"
_END = """
SELECT created_at, id FROM events WHERE created_at >= $1 AND (created_at, id) > ($1, $2)
ORDER BY created_at, id OFFSET $3 LIMIT 1
"""
_PICK = f"""
SELECT {COLUMN_LIST} FROM events
WHERE created_at >= $1 AND (created_at, id) > ($1, $2) AND created_at <= $3 AND (created_at, id) <= ($3, $4)
    AND ({{picked}})
"""  # noqa: S608 - the names are ours
_LAST = "SELECT created_at, id FROM events ORDER BY created_at DESC, id DESC LIMIT 1"
_MOVE = "UPDATE {reached} SET created_at = $1, id = $2"
_DONE = "DELETE FROM {reached}"
_IS_UNCOUNTED = "SELECT EXISTS (SELECT FROM uncounted_rows)"


async def backfill(connection: Connection, projections: Sequence[Projection], step_rows: int = STEP_ROWS) -> None:
    """Return when every row of before has been searched, for all tables: what is there already is left alone."""
    await _walk(connection, "unread_requests", partial(_derive, connection, projections), step_rows)


async def list_versions(connection: Connection, step_rows: int = STEP_ROWS) -> None:
    """Return when every event of before that has an address is in `address_versions`. Services may write meanwhile."""
    await _walk(connection, "unlisted_versions", partial(_list_versions, connection), step_rows)


async def count_rows(connection: Connection) -> None:
    """Return when `month_counts` is exact. Services may write meanwhile: counts and rows are compared as of one moment.

    In one statement, which reads the archive once: some minutes for a hundred million events, and begun again if it was
    interrupted.
    """
    if await connection.fetchval(_IS_UNCOUNTED):
        await connection.execute("SELECT count_rows()")


async def _walk(connection: Connection, reached: str, read: _Read, step_rows: int) -> None:
    """Read all events in steps; the table `reached` holds the key of the last that was read, and no row at the end."""
    while position := await connection.fetchrow(_POSITION.format(reached=reached)):
        since = tuple(position)
        async with connection.transaction():
            # Or an event that is erased meanwhile might leave a row behind.
            await connection.execute(SHARED)
            end = await connection.fetchrow(_END, *since, step_rows - 1)
            if until := end or await connection.fetchrow(_LAST):
                await read(since, tuple(until))
            if end is None:
                await connection.execute(_DONE.format(reached=reached))
            else:
                await connection.execute(_MOVE.format(reached=reached), *end)


async def _derive(connection: Connection, projections: Sequence[Projection], since: _Key, until: _Key) -> None:
    pick = _PICK.format(picked=picked_in_sql(projections))
    rows: list[tuple[Any, ...]] = []
    async for row in connection.cursor(pick, *since, *until, prefetch=_AT_A_TIME):
        rows.append(tuple(row))
        if len(rows) == _AT_A_TIME:
            await write(connection, projections, derive(projections, rows))
            rows.clear()
    await write(connection, projections, derive(projections, rows))


async def _list_versions(connection: Connection, since: _Key, until: _Key) -> None:
    await connection.execute(_LIST_VERSIONS, *since, *until)
