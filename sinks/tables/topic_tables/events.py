"""The table `events`, and how the digest computes each id again from its row."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from operator import itemgetter
from typing import Any

from core.archive.connection import Connection
from core.archive.rows import COLUMN_LIST, DamagedRowError, EventRow, event_from_row
from schemas.nostr.event import Event
from schemas.nostr.event_id import IdForm, serialize
from schemas.records import event_record
from sinks.rows import event_row
from sinks.tables.digest_table import DigestTable
from sinks.tables.event_key import EVENT_KEY
from sinks.tables.topic_table import Decoded, Record, RelayNumbers, TopicTable, affected
from sinks.tables.topic_tables.binary_copy import copy_events

_KEY = itemgetter(0, 1)
_NIP01, _DEL = IdForm.NIP01.value, IdForm.DEL.value

INSERT = f"""
INSERT INTO events ({COLUMN_LIST}) SELECT {COLUMN_LIST} FROM batch_events
ON CONFLICT DO NOTHING
"""  # noqa: S608 - the names are ours


def decode(record: Record) -> Decoded[EventRow] | None:
    """Read a record of `events`. A tombstone is the record of an erased event: there is nothing to add.

    Raises:
        ValueError: names what is wrong.
    """
    if record.value is None:
        return None
    decoded = event_record.decode(record.value)
    form = _DEL if "del_form" in decoded.facts else _NIP01
    return Decoded(event_row(decoded.event, form), 1, decoded.seen_at_ms)


async def prepare(connection: Connection, rows: Sequence[EventRow], _relays: RelayNumbers) -> None:
    """Copy rows into `batch_events` in key order: neighbouring pages, and no deadlock between two instances."""
    await copy_events(connection, sorted(rows, key=_KEY))


async def write(connection: Connection, _rows: Sequence[EventRow], _relays: RelayNumbers) -> int:
    """Insert what was copied and is new."""
    return affected(await connection.execute(INSERT))


def smallest(row: EventRow) -> EventRow:
    """An unsigned event of the same time."""
    return EventRow(row.created_at, sha256(row.id).digest(), 0, 0, 1, _NIP01, bytes(32), bytes(64), [], "[]", "", None)


def recomputed_id(event: Event, form: int) -> str:
    """The id (64 hex digits) of an event in the serialization that its row names."""
    preimage = serialize(event)
    if form == IdForm.DEL:
        preimage = preimage.replace(b"\x7f", rb"\u007f")
    return sha256(preimage).hexdigest()


def _item(row: Any) -> bytes:
    """The id, computed again from what is stored."""
    stored: bytes = row["id"]
    try:
        event = event_from_row(tuple(row))
    except ValueError as error:
        raise DamagedRowError(f"the stored bytes are no event: {error}") from error
    if event.created_at != row["created_at"] or event.id != stored.hex():
        raise DamagedRowError("the stored bytes are another event")
    if recomputed_id(event, row["id_form"]) != stored.hex():
        raise DamagedRowError("the id does not fit the stored fields")
    return stored


EVENTS = TopicTable(
    topic="events",
    name="events",
    holds="a verified event, as it was signed",
    decode=decode,
    prepare=prepare,
    write=write,
    smallest=smallest,
    rows_per_event=1,
    of_event=EVENT_KEY,
    digests=(
        DigestTable("events", f"SELECT {COLUMN_LIST} FROM events", _item, "created_at", is_partitioned=True),  # noqa: S608
    ),
)
