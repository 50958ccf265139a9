"""What the crawl asks. Plain values, without clock or I/O."""

from __future__ import annotations

from typing import NamedTuple


class Query(NamedTuple):
    """What to ask: bounds in seconds, both included, None for none; never more than `limit` events.

    `kinds` and `authors` narrow the filter that is crawled; None leaves them as they are there.
    """

    since: int | None
    until: int | None
    limit: int
    kinds: tuple[int, ...] | None = None
    authors: tuple[str, ...] | None = None


class Difference(NamedTuple):
    """Seconds, both included, that are to be compared with the archive instead of paged through (NIP-77)."""

    since: int
    until: int


Step = Query | Difference
