"""Reads events out of the archive as they were signed, in order of (`created_at`, `id`), with constant memory.

One snapshot, a statement for each month, a cursor in each: nothing is sorted beyond a month, and neither side holds
more than some rows. Several filters are one condition, so no key is remembered to leave out what two of them ask for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.bundle import encode_line
from schemas.event import Event, encode_event
from schemas.filters import Filter
from sinks.connection import Connection
from sinks.months import Month, months
from sinks.query import Key, Parameters, any_of, condition, nth_newest
from sinks.rows import EVENT_COLUMNS, EventRow, event_from_row

# Rows in memory at once: an event is at most about a megabyte, so these are at most as many megabytes.
_PREFETCH = 64

_COLUMNS = ", ".join(EVENT_COLUMNS)
_KNOWN_RELAYS = "SELECT id, url FROM relays"


class UnknownRelayError(ValueError):
    """No event was ever seen at the relay that an export is limited to."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What to export.

    Attributes:
        filters: alternatives; none: everything.
        relay: only events that this relay (normalised URL) was seen to have; None: any.
        hidden: also events that are deleted, expired or of an author who vanished; else only `visible_events`.
        sightings: give with each event which relays had it, and when.
    """

    filters: tuple[Filter, ...] = ()
    relay: str | None = None
    hidden: bool = True
    sightings: bool = False


class Seen(NamedTuple):
    """That a relay had an event, and when it was first seen to, in milliseconds."""

    relay: str
    at_ms: int


class Exported(NamedTuple):
    """An event of the archive, and where it was seen if that was asked for, by time."""

    event: Event
    seen: list[Seen]


def lines(exported: Exported, *, sightings: bool) -> bytes:
    """An event as JSONL; with `sightings` a line for each relay that had it, as bundles have them (`schemas.bundle`).

    An event that no relay was seen to have is a plain line in either case: nothing is made up. Both kinds of line can
    be imported, one by one, in any order.
    """
    event = encode_event(exported.event)
    if not sightings or not exported.seen:
        return event + b"\n"
    return b"".join(encode_line(seen.relay, seen.at_ms, event) for seen in exported.seen)


async def export(
    connection: Connection, selection: Selection, progress: Callable[[int, int], None] | None = None
) -> AsyncIterator[Exported]:
    """Read the events of one moment that a selection names, ordered by (`created_at`, `id`), each once.

    Args:
        connection: used for as long as this is read.
        selection: what to read. A filter's `limit` takes its newest events.
        progress: called with how many of the archive's months, by their estimated rows, are done, and of how many.

    Raises:
        UnknownRelayError: the relay is in no sighting.
        ValueError: a row does not give back an event; `bigbrotr audit` finds all such.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        urls = {row["id"]: row["url"] for row in await connection.fetch(_KNOWN_RELAYS)}
        query = await _Query.prepare(connection, selection, urls)
        if query is None:
            return
        spans = [month for month in await months(connection, "events") if query.meets(month)]
        total = sum(month.estimate for month in spans)
        done = 0
        for month in spans:
            async for row in connection.cursor(query.of(month), *query.parameters.values, prefetch=_PREFETCH):
                if (event := query.event(row)) is not None:
                    yield Exported(event, query.seen(row))
            done += month.estimate
            if progress is not None:
                progress(done, total)


class _Query:
    """A selection as a statement for each month."""

    def __init__(self, selection: Selection, urls: dict[int, str], relay_id: int | None) -> None:
        self.parameters = Parameters()
        self._selection = selection
        self._urls = urls
        self._relay_id = relay_id
        self._where = "TRUE"
        self._relation = "events" if selection.hidden else "visible_events"

    @classmethod
    async def prepare(cls, connection: Connection, selection: Selection, urls: dict[int, str]) -> _Query | None:
        """Find the bounds that limits stand for; None where no filter asks for anything."""
        relay_id = next((number for number, url in urls.items() if url == selection.relay), None)
        if selection.relay is not None and relay_id is None:
            raise UnknownRelayError(f"{selection.relay}: no event was ever seen there")
        query = cls(selection, urls, relay_id)
        wanted = [each for each in selection.filters if each.limit != 0]
        if selection.filters and not wanted:
            return None
        conditions = []
        for each in wanted:
            oldest = await query._oldest(connection, each)
            conditions.append(condition(each, query.parameters, oldest=oldest))
        query._where = f"{any_of(conditions)} AND {query._at_relay(query.parameters)}"
        return query

    def meets(self, month: Month) -> bool:
        """Whether any filter's times reach into a month."""
        filters = self._selection.filters
        return not filters or any(month.meets(each.since, each.until) for each in filters)

    def of(self, month: Month) -> str:
        """The statement for a month."""
        chosen = (
            f"SELECT {_COLUMNS} FROM {self._relation} "  # noqa: S608 - made of our own parts and $n alone
            f"WHERE {month.where(self._relation)} AND {self._where}"
        )
        if not self._selection.sightings:
            return f"{chosen} ORDER BY created_at, id"
        return (
            f"SELECT chosen.*, sightings.relay_ids, sightings.seen_ats_ms FROM ({chosen}) AS chosen "  # noqa: S608
            "LEFT JOIN sightings ON sightings.created_at = chosen.created_at AND sightings.id = chosen.id "
            f"AND {month.where('sightings')} ORDER BY chosen.created_at, chosen.id"
        )

    def event(self, row: Any) -> Event | None:
        """The event of a row, or None where only a hash of its tags had matched."""
        stored = EventRow(*tuple(row)[: len(EVENT_COLUMNS)])
        try:
            event = event_from_row(stored)
        except ValueError as error:
            raise ValueError(f"{stored.id.hex()}: the stored row is no event: {error}") from error
        filters = self._selection.filters
        # SQL could not look into the tags of these, only at their hashes.
        if stored.raw is not None and filters and not any(each.matches(event) for each in filters):
            return None
        return event

    def seen(self, row: Any) -> list[Seen]:
        """Where and when the event of a row was seen, earliest first."""
        if not self._selection.sightings or row["relay_ids"] is None:
            return []
        pairs = zip(row["relay_ids"], row["seen_ats_ms"], strict=True)
        try:
            seen = [Seen(self._urls[number], at_ms) for number, at_ms in pairs if self._relay_id in (None, number)]
        except KeyError as error:
            raise ValueError(f"{row['id'].hex()}: a sighting names relay {error}, which is not in relays") from None
        return sorted(seen, key=lambda each: (each.at_ms, each.relay))

    async def _oldest(self, connection: Connection, wanted: Filter) -> Key | None:
        if wanted.limit is None:
            return None
        parameters = Parameters()
        where = f"{condition(wanted, parameters)} AND {self._at_relay(parameters)}"
        row = await connection.fetchrow(nth_newest(self._relation, where, wanted.limit, parameters), *parameters.values)
        return None if row is None else Key(row["created_at"], row["id"])

    def _at_relay(self, parameters: Parameters) -> str:
        if self._relay_id is None:
            return "TRUE"
        return (
            "EXISTS (SELECT FROM sightings AS at "
            f"WHERE at.created_at = {self._relation}.created_at AND at.id = {self._relation}.id "
            f"AND at.relay_ids @> ARRAY[{parameters.add(self._relay_id, 'integer')}])"
        )
