"""The table `vanish_requests` (kind 62, NIP-62), and the URLs by which such a request means this archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core.archive.connection import Connection
from core.archive.rows import EventRow
from schemas.nostr.deletion import vanish_relays
from schemas.nostr.event import Event
from schemas.nostr.kinds import VANISH_KIND
from sinks.tables.event_key import REQUEST_ID
from sinks.tables.projection import Projection, Row, Source

_SET_OWN_URLS = """
WITH gone AS (DELETE FROM own_urls WHERE url <> ALL ($1::text[]))
INSERT INTO own_urls SELECT DISTINCT unnest($1::text[]) ON CONFLICT DO NOTHING
"""


def derive(row: EventRow, event: Event) -> Iterator[Row]:
    """Give a request with the relays that it names."""
    if event.kind == VANISH_KIND:
        # PostgreSQL's text cannot hold U+0000, and no relay's URL does.
        yield row.pubkey, row.created_at, row.id, [relay for relay in vanish_relays(event) if "\0" not in relay]


async def set_own_urls(connection: Connection, urls: Iterable[str]) -> None:
    """Tell the database under which relay URLs (normalised) a request to vanish means this archive."""
    await connection.execute(_SET_OWN_URLS, list(urls))


VANISH_REQUESTS = Projection(
    name="vanish_requests",
    holds="a request to vanish, with the relays that it names",
    columns=("pubkey", "requested_at", "request_id", "relays"),
    of_event=REQUEST_ID,
    dated_by="requested_at",
    source=Source(kinds=frozenset({VANISH_KIND})),
    derive=derive,
)
