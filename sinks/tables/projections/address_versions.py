"""The table `address_versions`: every replaceable and addressable event, by its address.

A trigger writes it (`0014_versions.sql`); `derive` is the same rule once more, for audits.
"""

from __future__ import annotations

from collections.abc import Iterator

from core.archive.rows import EventRow
from schemas.nostr.deletion import address_sha256
from schemas.nostr.event import Event
from schemas.nostr.facts import address_of
from schemas.nostr.kinds import ADDRESSABLE_KINDS, CONTACTS_KIND, METADATA_KIND, REPLACEABLE_KINDS
from sinks.tables.event_key import EVENT_KEY
from sinks.tables.projection import Projection, Row, Source


def derive(row: EventRow, event: Event) -> Iterator[Row]:
    """Give the event's address, hashed."""
    if (address := address_of(event)) is not None:
        yield row.created_at, row.id, address_sha256(address)


ADDRESS_VERSIONS = Projection(
    name="address_versions",
    holds="a version of an address: a replaceable or addressable event",
    columns=("created_at", "id", "address_sha256"),
    of_event=EVENT_KEY,
    dated_by="created_at",
    source=Source(kinds=frozenset({METADATA_KIND, CONTACTS_KIND}), kind_ranges=(REPLACEABLE_KINDS, ADDRESSABLE_KINDS)),
    derive=derive,
)
