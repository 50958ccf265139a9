"""Which events came into the archive after a moment: by the transactions that have inserted their rows.

Rows of `events` are never changed, so the transaction of a row (`xmin`) is the one that brought the event.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.archive.connection import Connection

_SNAPSHOT = "SELECT pg_current_snapshot()::text"
# A row has the lower 32 bits of its transaction's number: of all that end so, the latest that there was is taken. The
# one that it stands for is earlier only after four billion transactions.
_NEW = """
WITH next AS MATERIALIZED (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS number)
SELECT wanted.id
FROM unnest($1::bytea[]) AS wanted (id)
CROSS JOIN next
CROSS JOIN LATERAL (
    SELECT next.number - ((next.number - events.xmin::text::bigint) & 4294967295) AS number
    FROM events WHERE id_prefix = key_prefix(wanted.id) AND events.id = wanted.id
) AS insertion
WHERE NOT pg_visible_in_snapshot(insertion.number::text::xid8, $2::text::pg_snapshot)
"""


async def moment(connection: Connection) -> str:
    """Name this moment, as `new_since` takes it: the transactions that have ended by now (PostgreSQL's pg_snapshot)."""
    name: str = await connection.fetchval(_SNAPSHOT)
    return name


async def new_since(connection: Connection, ids: Sequence[str], since: str) -> set[str]:
    """Those of the ids (64 hex digits) that are archived now and were not at a `moment`."""
    rows = await connection.fetch(_NEW, [bytes.fromhex(event_id) for event_id in ids], since)
    return {row["id"].hex() for row in rows}
