"""Rows packed by `sinks/tables/topic_tables/binary_copy.py` are those that asyncpg's own encoder writes."""

from __future__ import annotations

import struct

import pytest

from core.archive.connection import Pool
from core.archive.rows import EVENT_COLUMNS, EventRow
from schemas.nostr.event_id import IdForm
from sinks.rows import event_row
from sinks.tables.topic_tables.binary_copy import SightingRow, copy_events, copy_sightings
from sinks.writing.bad_rows import is_row_error
from tests.broker.sinks.material import event

pytestmark = pytest.mark.broker

_TABLES = """
CREATE TEMPORARY TABLE batch_events (LIKE events);
CREATE TEMPORARY TABLE batch_sightings (LIKE sightings);
CREATE TEMPORARY TABLE their_events (LIKE events);
CREATE TEMPORARY TABLE their_sightings (LIKE sightings);
"""
# More than one message of COPY.
_LONG = "ä" * 200_000


def rows() -> list[EventRow]:
    """No tags, many, ones of every script, an event that only its bytes hold, times at the ends of their range."""
    made = [
        event(1, tags=[]),
        event(2, content="", tags=[["t", str(number)] for number in range(500)]),
        event(3, content=_LONG, tags=[["t", 'ß"\\\n'], ["e"], []]),
        event(4, content=_LONG, kind=2**31 - 1),
        event(5, content="nul \0"),
        event(6)._replace(created_at=-(2**63)),
        event(7)._replace(created_at=2**63 - 1),
    ]
    return [event_row(each, IdForm.DEL.value) for each in made]


async def test_rows_are_those_that_asyncpg_writes(pool: Pool) -> None:
    events = rows()
    sightings: list[SightingRow] = [
        (row.created_at, row.id, list(range(number)), [2**63 - 1 - each for each in range(number)])
        for number, row in enumerate(events, 1)
    ]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_TABLES)
        await copy_events(connection, events)
        await copy_sightings(connection, sightings)
        await connection.copy_records_to_table("their_events", records=events, columns=EVENT_COLUMNS)
        await connection.copy_records_to_table("their_sightings", records=sightings)
        for table in ("events", "sightings"):
            ours = await connection.fetch(f"SELECT * FROM batch_{table} ORDER BY created_at")
            assert len(ours) == len(events)
            assert ours == await connection.fetch(f"SELECT * FROM their_{table} ORDER BY created_at")


async def test_a_number_that_no_column_holds_blames_its_row(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_TABLES)
        with pytest.raises(struct.error) as raised:
            async with connection.transaction():
                await copy_events(connection, [rows()[0]._replace(kind=2**31)])
        assert is_row_error(raised.value)
        await copy_events(connection, rows())  # The connection can be used on.
