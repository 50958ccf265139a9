"""The table `nul_tags`: tags for look-ups, of events with U+0000, whose columns cannot hold them (only `raw` does)."""

from __future__ import annotations

from collections.abc import Iterator

from core.archive.rows import EventRow
from schemas.nostr.deletion import address_sha256, recipients
from schemas.nostr.event import Event
from schemas.nostr.facts import address_of
from sinks.tables.event_key import EVENT_KEY
from sinks.tables.projection import Projection, Row, Source


def derive(row: EventRow, event: Event) -> Iterator[Row]:
    """Give the event's address, hashed, and whom it is for if it is a gift wrap."""
    if row.raw is not None:
        address = address_of(event)
        yield row.created_at, row.id, None if address is None else address_sha256(address), recipients(event)


NUL_TAGS = Projection(
    name="nul_tags",
    holds="of an event with U+0000, which jsonb refuses: its address, and the keys that a gift wrap is for",
    columns=("created_at", "id", "address_sha256", "recipients"),
    of_event=EVENT_KEY,
    dated_by="created_at",
    source=Source(),
    derive=derive,
)
