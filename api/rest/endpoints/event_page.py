"""Reads a page of the events of several filters, bounded in bytes and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from api.reader import TooSlowError
from api.rest.signed import PAGE_BYTES
from core.archive.connection import Connection
from core.archive.event_query import Key
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
        clock: seconds. Nothing is begun after `api.query_timeout_s`, so that one request keeps no place for minutes.

    Raises:
        TooCostlyError: a filter asks for too much.
        TooSlowError: all together take too long.
    """
    began_s = clock()

    def check_time() -> None:
        if clock() - began_s > settings.query_timeout_s:
            raise TooSlowError("the archive could not answer all of it in time; ask for each filter by itself")

    most, answer_bytes = settings.page_events, PAGE_BYTES // len(filters)
    found = []
    for each in filters:
        check_time()
        limit = min(each.limit or most, most)
        found.append(await newest(connection, each, view, limit=limit, below=below, answer_bytes=answer_bytes))
    if not wants_count:
        return found, None
    check_time()
    return found, await count(connection, filters, view, exact_up_to=settings.count_exact)
