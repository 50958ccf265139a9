"""The table `expirations`: when an event expires (NIP-40)."""

from __future__ import annotations

from collections.abc import Iterator

from core.archive.rows import EventRow
from schemas.nostr.event import Event
from schemas.nostr.facts import expiration
from sinks.tables.event_key import EVENT_KEY
from sinks.tables.projection import Projection, Row, Source


def derive(row: EventRow, event: Event) -> Iterator[Row]:
    """Give the time of the first expiration tag."""
    if (expires_at := expiration(event)) is not None:
        yield row.created_at, row.id, expires_at


EXPIRATIONS = Projection(
    name="expirations",
    holds="when an event expires",
    columns=("created_at", "id", "expires_at"),
    of_event=EVENT_KEY,
    dated_by="created_at",
    source=Source(tag="expiration"),
    derive=derive,
)
