"""Which relays had an event, and when each was first seen to."""

from __future__ import annotations

import asyncpg

from core.archive.connection import Connection
from core.archive.queries.relays.listing import PUBLIC
from core.archive.queries.relays.shown import shown_page
from core.archive.selection import Seen
from schemas.nostr.event import Event
from schemas.relay_urls.public_relay import is_public_relay

_SIGHTINGS = f"""
SELECT relay, seen_at_ms, (SELECT checks #>> '{{open,address}}' FROM relay_health WHERE url = relay) AS address
FROM event_sightings
WHERE created_at = $1 AND id = $2 AND (seen_at_ms, relay COLLATE "C") > ($3::bigint, $4::text)
    AND NOT EXISTS (SELECT FROM registry WHERE registry.url = relay AND NOT ({PUBLIC}))
ORDER BY seen_at_ms, relay COLLATE "C" LIMIT $5::bigint
"""  # noqa: S608 - of our own parts

_BEFORE_ALL = Seen("", -1)


async def read_sightings(
    connection: Connection, event: Event, *, limit: int, above: Seen | None = None
) -> tuple[list[Seen], Seen | None]:
    """Read a page of an event's sightings, earliest first, and the key to read on above, if there is.

    Neither the page nor the key tells of relays that are not shown.

    Args:
        connection: to the archive.
        event: an archived one.
        limit: of the page.
        above: the key that the page before gave; None: this is the first.
    """
    id_bytes = bytes.fromhex(event.id)

    async def read(above: Seen | None, count: int) -> list[asyncpg.Record]:
        after = above or _BEFORE_ALL
        return await connection.fetch(_SIGHTINGS, event.created_at, id_bytes, after.at_ms, after.relay, count)

    def is_shown(row: asyncpg.Record) -> bool:
        return is_public_relay(row["relay"], row["address"])

    page, following = await shown_page(read, is_shown, _seen, limit=limit, above=above)
    return [_seen(row) for row in page], following


def _seen(row: asyncpg.Record) -> Seen:
    return Seen(row["relay"], row["seen_at_ms"])
