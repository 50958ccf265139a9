"""Audits counts: compares those that are kept by month with the rows."""

from __future__ import annotations

from typing import NamedTuple

from core.archive.connection import Connection

# Counts that are known to lack older rows differ by these, which is no damage.
_DIFFERENCES = """
SELECT relation, to_char(month, 'YYYY-MM') AS month, counted, stored FROM count_differences
WHERE NOT EXISTS (SELECT FROM uncounted_rows) ORDER BY relation, month
"""


class Miscount(NamedTuple):
    """A month (as `2026-11`) of `events`, or of the pairs of `sightings`: its count, and what the rows give."""

    table: str
    month: str
    counted: int
    stored: int


async def miscounts(connection: Connection) -> list[Miscount]:
    """The months in which counts and rows differ. Reads all rows."""
    return [Miscount(*row) for row in await connection.fetch(_DIFFERENCES)]
