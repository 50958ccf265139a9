"""Exports events of the archive as they were signed, in order of (`created_at`, `id`), in constant memory.

One snapshot, a statement for each month, a cursor in each: nothing is sorted beyond a month, and neither side holds
more than some rows. Several filters are one condition, so no key is remembered to leave out what two of them ask for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

from core.archive.connection import Connection
from core.archive.months import hold_archive, months
from core.archive.selection import Seen, Selection, SelectionQuery
from schemas.nostr.event import Event, encode_event
from schemas.records.bundle import encode_line

# Rows in memory at once: an event is at most about a megabyte, so these are at most as many megabytes.
_PREFETCH = 64

_KNOWN_RELAYS = "SELECT id, url FROM relays"


class Exported(NamedTuple):
    """An event of the archive, and where it was seen if that was asked for, by time."""

    event: Event
    seen: list[Seen]


def lines(exported: Exported, *, sightings: bool) -> bytes:
    """An event as JSONL; with `sightings` a line for each relay that had it, as `schemas.records.bundle` has them.

    An event that no relay was seen to have is a plain line in either case: nothing is made up. Both kinds of line can
    be imported, one by one, in any order.
    """
    event = encode_event(exported.event)
    if not sightings or not exported.seen:
        return event + b"\n"
    return b"".join(encode_line(seen.relay, seen.at_ms, event) for seen in exported.seen)


async def export(
    connection: Connection, selection: Selection, progress: Callable[[int, int], None] | None = None
) -> AsyncGenerator[Exported, None]:
    """Read the events of one moment that a selection names, ordered by (`created_at`, `id`), each once.

    Args:
        connection: used for as long as this is read.
        selection: what to read. A filter's `limit` takes its newest events.
        progress: called with how many of the archive's months, by their estimated rows, are done, and of how many.

    Raises:
        UnknownRelayError: the relay is in no sighting.
        DamagedRowError: a row does not give back an event; `bigbrotr audit` finds all such.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await hold_archive(connection)
        urls = {row["id"]: row["url"] for row in await connection.fetch(_KNOWN_RELAYS)}
        query = await SelectionQuery.prepare(connection, selection, urls)
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
