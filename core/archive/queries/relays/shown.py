"""Pages of rows of which some are not shown: neither a page nor the key to read on tells of those."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

K = TypeVar("K")
R = TypeVar("R")

FURTHER_ROWS = 1_000
"""Read at a time, at least, where a page's worth of rows had too few to be shown: if thousands of relays were private,
a page of one would take as many statements."""


async def shown_page(
    read: Callable[[K | None, int], Awaitable[Sequence[R]]],
    is_shown: Callable[[R], bool],
    key: Callable[[R], K],
    *,
    limit: int,
    above: K | None,
) -> tuple[list[R], K | None]:
    """Read the rows of a page, and the key of the last one, above which to read on, if there is more.

    Args:
        read: gives so many of the rows above a key, or of all, in order.
        is_shown: whether a row may be given.
        key: of a row.
        limit: of the page.
        above: the key that the page before gave; None: this is the first.
    """
    shown: list[R] = []
    count = limit + 1
    while True:
        rows = await read(above, count)
        shown += filter(is_shown, rows)
        if len(shown) > limit:
            return shown[:limit], key(shown[limit - 1])
        if len(rows) < count:
            return shown, None
        above, count = key(rows[-1]), max(count, FURTHER_ROWS)
