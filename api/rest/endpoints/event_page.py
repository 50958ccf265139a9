"""Reads a page of the events of several filters, bounded in bytes and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from api.rest.signed import PAGE_BYTES
from core.archive.connection import Connection
from core.archive.event_query import Key
from core.archive.queries.cost import Deadline
from core.archive.queries.counting import Count, count
from core.archive.queries.newest import Newest, newest
from core.archive.queries.view import View
from core.settings.serving import ApiSettings
from schemas.nostr.filters import Filter


async def read_page(
    connection: Connection,
    filters: Sequence[Filter],
    view: View,
    settings: ApiSettings,
    *,
    below: Key | None = None,
    wants_count: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[list[Newest], Count | None]:
    """Read what each filter is given on a page, and the count of all, if it is wanted.

    Args:
        connection: to the archive.
        filters: alternatives, each with the size of the page as its `limit`.
        view: what is shown.
        settings: the bounds.
        below: the key that the page before gave.
        wants_count: count, too.
        clock: seconds, for `api.query_timeout_s`.

    Raises:
        TooCostlyError: a filter asks for too much.
        LateError: all together take too long.
    """
    deadline = Deadline(settings.query_timeout_s, clock)
    most, answer_bytes = settings.page_events, PAGE_BYTES // len(filters)
    found = []
    for each in filters:
        limit = min(each.limit or most, most)
        found.append(
            await newest(connection, each, view, limit=limit, deadline=deadline, below=below, answer_bytes=answer_bytes)
        )
    if not wants_count:
        return found, None
    deadline.check()
    return found, await count(connection, filters, view, exact_up_to=settings.count_exact, deadline=deadline)
