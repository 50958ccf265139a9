"""Searches events that were archived before migration 4 for what they say about others (`sinks.tables.projection`).

By the same code as new ones, in steps of a bounded number of rows, each with how far it came: a search that was
interrupted goes on from there.
"""

from __future__ import annotations

from typing import Any

from core.archive.connection import Connection
from core.archive.rows import COLUMN_LIST
from sinks.tables.projection import SPEAKING, derive, write

# About a second of reading: as much as an interruption may cost.
_ROWS = 50_000
# Picked rows in memory at once: each is at most about a megabyte.
_AT_A_TIME = 64

_POSITION = "SELECT created_at, id FROM unread_requests"
_END = """
SELECT created_at, id FROM events WHERE created_at >= $1 AND (created_at, id) > ($1, $2)
ORDER BY created_at, id OFFSET $3 LIMIT 1
"""
_PICK = f"""
SELECT {COLUMN_LIST} FROM events
WHERE created_at >= $1 AND (created_at, id) > ($1, $2) AND created_at <= $3 AND (created_at, id) <= ($3, $4)
    AND ({SPEAKING})
"""  # noqa: S608 - the names are ours
_LAST = "SELECT created_at, id FROM events ORDER BY created_at DESC, id DESC LIMIT 1"
_MOVE = "UPDATE unread_requests SET created_at = $1, id = $2"
_DONE = "DELETE FROM unread_requests"


async def search_old_events(connection: Connection) -> None:
    """Return when every row of before has been searched."""
    while position := await connection.fetchrow(_POSITION):
        async with connection.transaction():
            await _step(connection, tuple(position))


async def _step(connection: Connection, since: tuple[Any, ...]) -> None:
    end = await connection.fetchrow(_END, *since, _ROWS - 1)
    if until := end or await connection.fetchrow(_LAST):
        picked: list[tuple[Any, ...]] = []
        async for row in connection.cursor(_PICK, *since, *until, prefetch=_AT_A_TIME):
            picked.append(tuple(row))
            if len(picked) == _AT_A_TIME:
                await write(connection, derive(picked))
                picked.clear()
        await write(connection, derive(picked))
    if end is None:
        await connection.execute(_DONE)
    else:
        await connection.execute(_MOVE, *end)
