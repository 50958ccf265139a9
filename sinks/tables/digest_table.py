"""Which tables the digest covers, and what of a row counts: the one place to name a new table in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from core.archive.rows import COLUMN_LIST, DamagedRowError, event_from_row
from schemas.event import Event
from schemas.event_id import IdForm, serialize

_DAY_S = 86_400
# datetime ends with the year 9999; ids commit to times up to 2^40, some 35,000 years.
_LAST_DAY = datetime(9999, 12, 31, tzinfo=UTC).timestamp() // _DAY_S


class DigestTable(NamedTuple):
    """A table, how its rows are read, and what they count as.

    Attributes:
        name: of the table.
        query: without a condition; it may be followed by `WHERE`.
        item: the bytes that a row counts as. Raises DamagedRowError.
        dated_by: the column (Unix seconds) whose month a row belongs to; None: rows have no time.
        is_partitioned: whether it has a partition a month, which may be read apart.
    """

    name: str
    query: str
    item: Callable[[Any], bytes]
    dated_by: str | None = None
    is_partitioned: bool = False


def month_of(second: int) -> str:
    """The month (UTC) of a Unix second, as `2026-11`; `later` from the year 10000 on."""
    return _month_of_day(second // _DAY_S)


def recomputed_id(event: Event, form: int) -> str:
    """The id (64 hex digits) of an event in the serialization that its row names."""
    preimage = serialize(event)
    if form == IdForm.DEL:
        preimage = preimage.replace(b"\x7f", rb"\u007f")
    return sha256(preimage).hexdigest()


def _event(row: Any) -> bytes:
    """The id, computed again from what is stored."""
    stored: bytes = row["id"]
    try:
        event = event_from_row(tuple(row))
    except ValueError as error:
        raise DamagedRowError(f"the stored bytes are no event: {error}") from error
    if event.created_at != row["created_at"] or event.id != stored.hex():
        raise DamagedRowError("the stored bytes are another event")
    if recomputed_id(event, row["id_form"]) != stored.hex():
        raise DamagedRowError("the id does not fit the stored fields")
    return stored


def _pair(row: Any) -> bytes:
    """The id and the relay's URL: numbers of relays differ from archive to archive."""
    if row["url"] is None:
        raise DamagedRowError("a sighting by a relay that is not in relays")
    event_id: bytes = row["id"]
    url: str = row["url"]
    return event_id + url.encode()


def _values(row: Any) -> bytes:
    """All of the row, as JSON."""
    return orjson.dumps([_plain(value) for value in row])


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _whole(name: str, columns: Sequence[str], dated_by: str | None = None) -> DigestTable:
    return DigestTable(name, f"SELECT {', '.join(columns)} FROM {name}", _values, dated_by)  # noqa: S608 - names of ours


ARCHIVE = (
    DigestTable("events", f"SELECT {COLUMN_LIST} FROM events", _event, "created_at", is_partitioned=True),  # noqa: S608
    DigestTable(
        "sightings",
        """SELECT sightings.created_at, sightings.id, relays.url
        FROM sightings CROSS JOIN LATERAL unnest(relay_ids) AS pair (relay_id)
        LEFT JOIN relays ON relays.id = pair.relay_id""",
        _pair,
        "created_at",
        is_partitioned=True,
    ),
    _whole("deletions_by_id", ("target_id", "requested_at", "request_id", "pubkey"), "requested_at"),
    _whole("deletions_by_address", ("address_sha256", "requested_at", "request_id"), "requested_at"),
    _whole("vanish_requests", ("pubkey", "requested_at", "request_id", "relays"), "requested_at"),
    _whole("expirations", ("created_at", "id", "expires_at"), "created_at"),
    _whole("nul_tags", ("created_at", "id", "address_sha256", "recipients"), "created_at"),
    _whole("erased_ids", ("id",)),
    _whole("erased_author_ids", ("id", "pubkey")),
    _whole("erased_addresses", ("address_sha256", "until_s")),
    _whole("erased_authors", ("pubkey", "cause", "until_s")),
)
"""What a rebuild must give back, whatever came first and how often. Times of sightings are not covered: they are the
smallest that was reported, and topics may have lost the first report to a limit."""

STATE = (
    DigestTable("coverage", "SELECT relay, filter, identity, cursor_s, read::text FROM coverage", _values),
    DigestTable(
        "coverage_gaps",
        """SELECT relays.url, filters.filter, filters.identity, since_s, until_s, reason
        FROM coverage_gaps JOIN coverage_filters AS filters USING (set_id)
        JOIN relays ON relays.id = filters.relay_id""",
        _values,
    ),
)
"""What changes while relays are read: told apart, because a rebuild of a running archive is always a moment behind."""


@lru_cache(maxsize=100_000)
def _month_of_day(day: int) -> str:
    return "later" if day > _LAST_DAY else f"{datetime.fromtimestamp(day * _DAY_S, UTC):%Y-%m}"
