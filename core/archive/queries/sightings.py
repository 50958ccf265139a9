"""Which relays had an event, and when each was first seen to."""

from __future__ import annotations

from core.archive.connection import Connection
from core.archive.queries.relays.listing import FURTHER_ROWS, PUBLIC
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
    shown: list[Seen] = []
    after, count = above or _BEFORE_ALL, limit + 1
    while True:
        rows = await connection.fetch(
            _SIGHTINGS, event.created_at, bytes.fromhex(event.id), after.at_ms, after.relay, count
        )
        found = [(Seen(row["relay"], row["seen_at_ms"]), row["address"]) for row in rows]
        shown += [seen for seen, address in found if is_public_relay(seen.relay, address)]
        if len(shown) > limit:
            return shown[:limit], shown[limit - 1]
        if len(rows) < count:
            return shown, None
        after, count = found[-1][0], max(count, FURTHER_ROWS)
