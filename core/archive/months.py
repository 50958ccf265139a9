"""The partitions of the archive in order of time, for readers that walk it from end to end.

A statement for each month bounds every sort to a month's rows, lets several connections share the work, and tells how
far it is.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from core.archive.connection import Connection

# pg_get_expr writes: FOR VALUES FROM ('1609459200') TO ('1612137600'), without quotes for MINVALUE and MAXVALUE.
_BOUNDS = re.compile(r"FROM \('?(MINVALUE|-?\d+)'?\) TO \('?(MAXVALUE|-?\d+)'?\)")
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1

# A partition without a page holds no row that any open snapshot sees.
_PARTITIONS = """
SELECT child.relname AS name, pg_get_expr(child.relpartbound, child.oid) AS bounds,
       greatest(child.reltuples, 0)::bigint AS estimate,
       pg_relation_size(child.oid) / current_setting('block_size')::bigint AS pages
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = $1::text::regclass AND pg_relation_size(child.oid) > 0
"""


_HOLD = "SELECT FROM sink_offsets LIMIT 0"


class Month(NamedTuple):
    """A partition that holds rows: `created_at` from `from_s` to before `to_s`, in Unix seconds.

    Attributes:
        name: of the month, as `2026-11`; `past` and `future` for what lies before and after the months.
        partition: the name of the table.
        estimate: how many rows the statistics of the database see in it; 0 where there are none yet.
        pages: how many pages of the database it takes.
    """

    from_s: int
    to_s: int
    name: str
    partition: str
    estimate: int
    pages: int

    def where(self, table: str) -> str:
        """The condition that the planner needs to read this partition alone."""
        return f"{table}.created_at >= {self.from_s} AND {table}.created_at < {self.to_s}"

    def meets(self, since_s: int | None, until_s: int | None) -> bool:
        """Whether a row can lie in it and from `since_s` to `until_s`, both included."""
        return (since_s is None or since_s < self.to_s) and (until_s is None or until_s >= self.from_s)


async def hold_archive(connection: Connection) -> None:
    """Keep a switch to other tables (`sinks.switch`) out to the end of the transaction.

    Without, statements after a switch would read another archive than those before, with other numbers of relays. The
    lock is one that only a switch waits for; it gives up after half a minute and says why.
    """
    await connection.execute(_HOLD)


async def months(connection: Connection, table: str) -> list[Month]:
    """The partitions of `events` or `sightings` that hold rows, oldest first."""
    found = []
    for row in await connection.fetch(_PARTITIONS, table):
        bounds = _BOUNDS.search(row["bounds"])
        assert bounds is not None, row["bounds"]
        from_s = _INT64_MIN if bounds[1] == "MINVALUE" else int(bounds[1])
        to_s = _INT64_MAX if bounds[2] == "MAXVALUE" else int(bounds[2])
        name = row["name"].removeprefix(f"{table}_").replace("_", "-")
        found.append(Month(from_s, to_s, name, row["name"], row["estimate"], row["pages"]))
    return sorted(found)
