"""Audits projections: derives the rows of some events again, and compares them with the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from core.archive.connection import Connection
from core.archive.queries.versions import has_all_versions
from core.archive.rows import EventRow
from sinks.integrity.audit_row import Wrong
from sinks.tables import Tables
from sinks.tables.digest_table import all_values
from sinks.tables.event_key import same_event
from sinks.tables.projection import Projection, derive

_STORED = """
SELECT {columns} FROM unnest($1::bigint[], $2::bytea[]) AS event (created_at, id) JOIN {table} AS stored ON {same_event}
"""


class WrongRows(NamedTuple):
    """What is wrong with the rows of one event (its id, 32 bytes) in a table."""

    table: str
    event_id: bytes
    wrong: Wrong


async def audited(connection: Connection, tables: Tables) -> Sequence[Projection]:
    """The projections that can be audited: where older events lack rows that `migrate` is still to write, not these."""
    return tables.every_projection if await has_all_versions(connection) else tables.projections


async def wrong_rows(
    connection: Connection, projections: Sequence[Projection], events: Sequence[EventRow]
) -> list[WrongRows]:
    """Compare what follows from events, whose own rows are right, with what is stored of them.

    Rows of events that are not in the archive are not looked for: the digests of two archives tell those.
    """
    if not events:
        return []
    times, ids = [event.created_at for event in events], [event.id for event in events]
    derived = derive(projections, events)
    found = []
    for projection in projections:
        stored = await connection.fetch(_query(projection), times, ids)
        expected, there = (_by_event(projection, rows) for rows in (derived[projection.name], map(tuple, stored)))
        for event_id in ids:
            lacking = expected[event_id] - there[event_id]
            if lacking or there[event_id] - expected[event_id]:
                detail = "lacks what follows from the event" if lacking else "holds what does not follow from the event"
                found.append(WrongRows(projection.name, event_id, Wrong(projection.columns, detail)))
    return found


def _query(projection: Projection) -> str:
    columns = ", ".join(f"stored.{column}" for column in projection.columns)
    return _STORED.format(columns=columns, table=projection.name, same_event=same_event(projection.of_event))


def _by_event(projection: Projection, rows: Iterable[tuple[Any, ...]]) -> Mapping[bytes, set[bytes]]:
    place = projection.columns.index(projection.of_event[-1])
    by_event: dict[bytes, set[bytes]] = defaultdict(set)
    for row in rows:
        by_event[row[place]].add(all_values(row))
    return by_event
