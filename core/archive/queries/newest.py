"""The newest events of a filter: `created_at` descending, of equal times the lowest id first, as NIP-01 has it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from core.archive.connection import Connection
from core.archive.event_query import Key
from core.archive.queries.cost import Budget, Deadline, TooCostlyError
from core.archive.queries.keys import KeyReader
from core.archive.queries.merge import Found
from core.archive.queries.statements import TOP, rows_of_keys
from core.archive.queries.view import View
from core.archive.rows import CHUNK_ROWS, EventRow, memory_bytes, readable_event
from schemas.nostr.event import Event
from schemas.nostr.filters import Filter

__all__ = ["Newest", "TooCostlyError", "newest", "order", "page", "union"]

ANSWER_BYTES = 32 * 1024 * 1024
"""Of memory for the events of one answer, after which it ends early. An event's text may have a mebibyte, which takes
twenty where it is all tags, and a page thousands of events."""
_LARGE_BYTES = 64 * 1024
"""An event of so much takes a millisecond and more to read: other work of the event loop comes before the next."""


class Newest(NamedTuple):
    """What one filter was given.

    Attributes:
        events: in order.
        is_all: nothing that is older matches.
    """

    events: list[Event]
    is_all: bool


async def newest(
    connection: Connection,
    wanted: Filter,
    view: View,
    *,
    limit: int,
    deadline: Deadline,
    below: Key | None = None,
    answer_bytes: int = ANSWER_BYTES,
) -> Newest:
    """Read the newest events of one filter that a view shows.

    Fewer than `limit` are given where there are no more, and where those given have more than `answer_bytes`: then
    `is_all` is False, and the next are read below the last.

    Args:
        connection: to the archive, used for a few statements.
        wanted: the filter; its own `limit` is not looked at.
        view: what the reader may see.
        limit: how many at most, from 1.
        deadline: of the answer.
        below: only what comes after this key in the order (older, or of the same second with a higher id).
        answer_bytes: of memory for the events given, after which no further one is.

    Raises:
        TooCostlyError: the filter asks for too much at once.
        LateError: the deadline is over.
    """
    reader = KeyReader(connection, wanted, view, Budget(), deadline)
    events: list[Event] = []
    end = below or TOP
    size = 0
    while True:
        asked = limit + 1 - len(events)
        found = await reader.read(asked, end)
        for start in range(0, len(found), CHUNK_ROWS):
            deadline.check()
            for stored in await _rows(connection, found[start : start + CHUNK_ROWS]):
                size_bytes = memory_bytes(stored)
                if size_bytes > _LARGE_BYTES:
                    await asyncio.sleep(0)
                event = _event(stored, wanted, view)
                if event is None:
                    continue
                if len(events) == limit or size > answer_bytes:
                    return Newest(events, is_all=False)
                events.append(event)
                size += size_bytes
        if len(found) < asked:
            return Newest(events, is_all=True)
        # Some were left out after all, so there may be more to give.
        end = found[-1].key


async def _rows(connection: Connection, found: Sequence[Found]) -> list[EventRow]:
    """The rows with these keys, in their order, without those that were erased meanwhile."""
    statement = rows_of_keys([each.key for each in found])
    rows = [EventRow(*row) for row in await connection.fetch(statement.text, *statement.values)]
    return sorted(rows, key=lambda row: (-row.created_at, row.id))


def _event(stored: EventRow, wanted: Filter, view: View) -> Event | None:
    """The event of a row; None where it is damaged, or SQL could not look into it and it is not what was asked for."""
    event = readable_event(stored)
    if event is None:
        return None
    if stored.raw is not None and not (wanted.matches(event) and view.shows(event)):
        return None
    return event


def union(found: Sequence[Newest]) -> list[Event]:
    """All events that several filters were given, in order, each once: the answer to a REQ (NIP-01)."""
    every = {event.id: event for newest in found for event in newest.events}
    return sorted(every.values(), key=order)


def page(found: Sequence[Newest]) -> tuple[list[Event], Key | None]:
    """The part of `union` that has no gaps, and the key to read on below; None: there is nothing further.

    A filter that reached its limit may have more just below its last event, so a page ends there: read on below the
    key with the same filters, pages together give every event once and in order.
    """
    ends = [newest.events[-1] for newest in found if not newest.is_all]
    if not ends:
        return union(found), None
    last = min(ends, key=order)
    return [event for event in union(found) if order(event) <= order(last)], Key(
        last.created_at, bytes.fromhex(last.id)
    )


def order(event: Event) -> tuple[int, str]:
    """The place of an event in the order of an answer."""
    return -event.created_at, event.id
