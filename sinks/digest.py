"""The digest of the archive, from what is stored: every id is computed again from its row.

Two archives with equal digests hold the same events and the same pairs of event and relay, whatever the order and
number of deliveries that filled them. Rows are streamed, so memory does not grow with the archive.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any, NamedTuple

from schemas.digest import Digest
from schemas.event import Event
from schemas.event_id import IdForm, serialize
from sinks.connection import Connection, Pool
from sinks.rows import EVENT_COLUMNS, event_from_row

# Rows in memory at once: an event is at most about a megabyte, so these are at most as many megabytes.
_PREFETCH = 64
# Rows named in an error: enough to look at, and still a readable message.
_NAMED = 10

_EVENTS = f"SELECT {', '.join(EVENT_COLUMNS)} FROM events"  # noqa: S608 - the names are ours
_SIGHTINGS = """
SELECT sightings.id, relays.url
FROM sightings CROSS JOIN LATERAL unnest(relay_ids) AS pair (relay_id)
LEFT JOIN relays ON relays.id = pair.relay_id
"""


class Mismatch(NamedTuple):
    """A row that does not give back what was signed: its id (64 hex digits) and what is wrong."""

    id: str
    detail: str


class DigestError(Exception):
    """Stored rows do not give back their events: the archive is damaged."""

    def __init__(self, mismatches: list[Mismatch], total: int) -> None:
        named = "; ".join(f"{mismatch.id}: {mismatch.detail}" for mismatch in mismatches)
        super().__init__(f"{total} rows do not give back what was signed: {named}")
        self.mismatches = mismatches
        self.total = total


async def archive_digest(pool: Pool) -> Digest:
    """Compute the digest of everything in the archive, as of one moment.

    Raises DigestError, naming the first rows, where an id does not fit its row or a sighting names no known relay.
    """
    digest = Digest()
    mismatches: list[Mismatch] = []
    total = 0
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        async for row in _stream(connection, _EVENTS):
            mismatch = _check_event(row)
            if mismatch is None:
                digest.add_event(row["id"].hex())
                continue
            total += 1
            mismatches = [*mismatches, mismatch][:_NAMED]
        async for row in _stream(connection, _SIGHTINGS):
            if row["url"] is not None:
                digest.add_pair(row["id"].hex(), row["url"])
                continue
            total += 1
            mismatches = [*mismatches, Mismatch(row["id"].hex(), "a sighting by a relay that is not in relays")][
                :_NAMED
            ]
    if total:
        raise DigestError(mismatches, total)
    return digest


def recomputed_id(event: Event, form: int) -> str:
    """The id (64 hex digits) of an event in the serialization that its row names."""
    preimage = serialize(event)
    if form == IdForm.DEL:
        preimage = preimage.replace(b"\x7f", rb"\u007f")
    return sha256(preimage).hexdigest()


def _check_event(row: Any) -> Mismatch | None:
    stored_id = row["id"].hex()
    try:
        event = event_from_row(tuple(row))
    except ValueError as error:
        return Mismatch(stored_id, f"the stored bytes are no event: {error}")
    if event.created_at != row["created_at"] or event.id != stored_id:
        return Mismatch(stored_id, "the stored bytes are another event")
    if recomputed_id(event, row["id_form"]) != stored_id:
        return Mismatch(stored_id, "the id does not fit the stored fields")
    return None


async def _stream(connection: Connection, query: str) -> AsyncIterator[Any]:
    async for row in connection.cursor(query, prefetch=_PREFETCH):
        yield row
