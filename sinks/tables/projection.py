"""What events say about others or their own end, as rows of their own: deletions, requests to vanish, expirations.

Derived from the event itself and written by the transaction that inserts it, again and again without harm. Whether an
event is deleted, vanished or expired is decided where it is read: the view `event_flags`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from core.archive.connection import Connection
from core.archive.rows import EventRow, event_from_row
from schemas.deletion import address_sha256, deletion_targets, recipients, vanish_relays
from schemas.event import Event
from schemas.facts import address_of, expiration
from schemas.kinds import DELETION_KIND, VANISH_KIND

_REQUESTS = frozenset({DELETION_KIND, VANISH_KIND})

SPEAKING = "kind IN (5, 62) OR raw IS NOT NULL OR tags @> '[[\"expiration\"]]'"
"""The rows of `events` that `speaking` would pick, and a few more: a condition in SQL."""


class Derived(NamedTuple):
    """Rows by the table that they belong to, each in the order of its columns."""

    deletions_by_id: list[tuple[bytes, int, bytes, bytes]]
    deletions_by_address: list[tuple[bytes, int, bytes]]
    vanish_requests: list[tuple[bytes, int, bytes, list[str]]]
    expirations: list[tuple[int, bytes, int]]
    nul_tags: list[tuple[int, bytes, bytes | None, list[bytes]]]


_INSERT = {
    "deletions_by_id": "INSERT INTO deletions_by_id (target_id, requested_at, request_id, pubkey) "
    "VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    "deletions_by_address": "INSERT INTO deletions_by_address (address_sha256, requested_at, request_id) "
    "VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    "vanish_requests": "INSERT INTO vanish_requests (pubkey, requested_at, request_id, relays) "
    "VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    "expirations": "INSERT INTO expirations (created_at, id, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    "nul_tags": "INSERT INTO nul_tags (created_at, id, address_sha256, recipients) "
    "VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
}

_SET_OWN_URLS = """
WITH gone AS (DELETE FROM own_urls WHERE url <> ALL ($1::text[]))
INSERT INTO own_urls SELECT DISTINCT unnest($1::text[]) ON CONFLICT DO NOTHING
"""


def speaking(rows: Iterable[EventRow]) -> list[EventRow]:
    """The rows from which anything may be derived: a few in a hundred, found without parsing their tags."""
    return [row for row in rows if row.kind in _REQUESTS or (tags := row.tags) is None or '"expiration"' in tags]


def derive(rows: Iterable[Sequence[Any]]) -> Derived:
    """What rows of `events` say, from the events themselves: facts that travel beside them are capped.

    Raises `schemas.event.EventError` (a ValueError) where `raw` of a row is not an event.
    """
    derived = Derived([], [], [], [], [])
    for row in rows:
        stored = EventRow(*row)
        _add(derived, stored, event_from_row(stored))
    return derived


async def write(connection: Connection, derived: Derived) -> None:
    """Insert what is not there yet, inside the transaction of the events that it came from."""
    for table, rows in derived._asdict().items():
        if rows:
            # In one order, so that two instances wait for each other instead of deadlocking.
            await connection.executemany(_INSERT[table], sorted(rows))


async def set_own_urls(connection: Connection, urls: Iterable[str]) -> None:
    """Tell the database under which relay URLs (normalised) a request to vanish means this archive."""
    await connection.execute(_SET_OWN_URLS, list(urls))


def _add(derived: Derived, row: EventRow, event: Event) -> None:
    if event.kind == DELETION_KIND:
        ids, addresses = deletion_targets(event)
        derived.deletions_by_id.extend((bytes.fromhex(each), row.created_at, row.id, row.pubkey) for each in ids)
        derived.deletions_by_address.extend((address_sha256(each), row.created_at, row.id) for each in addresses)
    elif event.kind == VANISH_KIND:
        # PostgreSQL's text cannot hold U+0000, and no relay's URL does.
        relays = [relay for relay in vanish_relays(event) if "\0" not in relay]
        derived.vanish_requests.append((row.pubkey, row.created_at, row.id, relays))
    if (expires_at := expiration(event)) is not None:
        derived.expirations.append((row.created_at, row.id, expires_at))
    if row.raw is not None:
        address = address_of(event)
        hashed = None if address is None else address_sha256(address)
        derived.nul_tags.append((row.created_at, row.id, hashed, recipients(event)))
