"""The table `deletions_by_id`: the events that a request to delete (kind 5, NIP-09) names."""

from __future__ import annotations

from collections.abc import Iterator

from core.archive.rows import EventRow
from schemas.nostr.deletion import deletion_targets
from schemas.nostr.event import Event
from schemas.nostr.kinds import DELETION_KIND
from sinks.tables.event_key import REQUEST_ID
from sinks.tables.projection import Projection, Row, Source


def derive(row: EventRow, event: Event) -> Iterator[Row]:
    """Give a row for each event that a request names, perhaps another author's or never seen."""
    if event.kind == DELETION_KIND:
        ids, _ = deletion_targets(event)
        for each in ids:
            yield bytes.fromhex(each), row.created_at, row.id, row.pubkey


DELETIONS_BY_ID = Projection(
    name="deletions_by_id",
    holds="an event that a kind 5 names",
    columns=("target_id", "requested_at", "request_id", "pubkey"),
    of_event=REQUEST_ID,
    dated_by="requested_at",
    source=Source(kinds=frozenset({DELETION_KIND})),
    derive=derive,
)
