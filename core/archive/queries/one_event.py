"""One event by its id, with what is known of it beside what was signed."""

from __future__ import annotations

from typing import NamedTuple

import asyncpg

from core.archive.connection import Connection
from core.archive.event_query import Parameters, condition
from core.archive.queries.view import View
from core.archive.rows import COLUMN_LIST, readable_event, row_of
from schemas.nostr.event import Event
from schemas.nostr.event_id import IdForm
from schemas.nostr.filters import Filter

FIRST_SEEN = """(SELECT min(seen_at_ms) FROM sightings, unnest(sightings.seen_ats_ms) AS seen_at_ms
    WHERE sightings.created_at = found.created_at AND sightings.id = found.id)"""
"""When a relay was first seen to have the event of a row `found`, Unix milliseconds."""

KNOWN_COLUMNS = f"{COLUMN_LIST}, deleted_by, vanished_by, expires_at, {FIRST_SEEN} AS first_seen_ms"
"""Of a row `found` of `event_flags`."""


class KnownEvent(NamedTuple):
    """An event and what is known of it.

    Attributes:
        event: as signed.
        id_form: which serialization its id fits.
        deleted_by: id of the request (kind 5) that deletes it.
        vanished_by: id of the request to vanish (kind 62) that covers it.
        expires_at: Unix seconds.
        first_seen_ms: when a relay was first seen to have it, Unix milliseconds.
    """

    event: Event
    id_form: IdForm
    deleted_by: str | None
    vanished_by: str | None
    expires_at: int | None
    first_seen_ms: int | None


async def find_event(connection: Connection, event_id: str, view: View) -> KnownEvent | None:
    """Read an event (64 hex digits) that a view shows; None: there is none to show, or its row is damaged."""
    parameters = Parameters()
    where = f"{condition(Filter(ids=(event_id,)), parameters)} AND {view.condition(parameters)}"
    row = await connection.fetchrow(
        f"SELECT {KNOWN_COLUMNS} FROM event_flags AS found WHERE {where}",  # noqa: S608
        *parameters.values,
    )
    return None if row is None else known_event(row)


def known_event(row: asyncpg.Record) -> KnownEvent | None:
    """Make of a row what is known of its event; None where the row is damaged.

    Args:
        row: that begins with `KNOWN_COLUMNS`.
    """
    stored = row_of(row)
    event = readable_event(stored)
    if event is None:
        return None
    return KnownEvent(
        event,
        IdForm(stored.id_form),
        _hex(row["deleted_by"]),
        _hex(row["vanished_by"]),
        row["expires_at"],
        row["first_seen_ms"],
    )


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
