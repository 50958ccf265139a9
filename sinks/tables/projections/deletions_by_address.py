"""The table `deletions_by_address`: the addresses that a request to delete (kind 5, NIP-09) of their author names."""

from __future__ import annotations

from collections.abc import Iterator

from core.archive.rows import EventRow
from schemas.nostr.deletion import address_sha256, deletion_targets
from schemas.nostr.event import Event
from schemas.nostr.kinds import DELETION_KIND
from sinks.tables.event_key import REQUEST_ID
from sinks.tables.projection import Projection, Row, Source


def derive(row: EventRow, event: Event) -> Iterator[Row]:
    """Give a row for each address."""
    if event.kind == DELETION_KIND:
        _, addresses = deletion_targets(event)
        for each in addresses:
            yield address_sha256(each), row.created_at, row.id


DELETIONS_BY_ADDRESS = Projection(
    name="deletions_by_address",
    holds="an address that a kind 5 of its author names, hashed",
    columns=("address_sha256", "requested_at", "request_id"),
    of_event=REQUEST_ID,
    dated_by="requested_at",
    source=Source(kinds=frozenset({DELETION_KIND})),
    derive=derive,
)
