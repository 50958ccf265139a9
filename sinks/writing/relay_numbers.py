"""Relay URLs by small integer: get or create, with a bounded cache."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from core.archive.connection import Connection
from sinks.writing.stored_offsets import OffsetsMovedError

# Ten times the relays that anyone has listed; a full cache costs about 20 MB and is then filled anew.
_CACHED = 100_000

# `tableoid` says of which table a row is: two schemas have a `relays` each, and the names are exchanged by a switch.
_KNOWN = "SELECT url, id, tableoid FROM relays WHERE url = ANY($1::text[])"
# In order, so that two instances that meet the same new relays wait for each other instead of deadlocking.
_CREATE = """
INSERT INTO relays (url) SELECT url FROM unnest($1::text[]) AS new (url) ORDER BY url
ON CONFLICT DO NOTHING
"""


class ArchiveSwitchedError(OffsetsMovedError):
    """`relays` is another table than the one in which this batch's relays were looked up."""


class RelayIds:
    """Finds the integers of relay URLs. One per process; clear it whenever the database may be another one."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._table: int | None = None

    async def find(self, connection: Connection, urls: AbstractSet[str]) -> dict[str, int]:
        """The integer of each URL. New ones are committed at once: outside a batch, so that none waits for it."""
        # Again where the table turns out to be another one, which empties the cache.
        while missing := [url for url in urls if url not in self._ids]:
            if len(self._ids) + len(missing) > _CACHED:
                self._ids.clear()
                missing = list(urls)
            await self._load(connection, missing)
            if new := [url for url in missing if url not in self._ids]:
                await connection.execute(_CREATE, new)
                await self._load(connection, new)
        return {url: self._ids[url] for url in urls}

    async def check(self, connection: Connection) -> None:
        """Raise ArchiveSwitchedError unless the table `relays` is the one whose integers were handed out.

        Inside the transaction of a batch, once the offsets are locked: a switch waits for that lock.
        """
        if self._table is not None and await connection.fetchval("SELECT 'relays'::regclass::oid") != self._table:
            raise ArchiveSwitchedError("the archive was switched to other tables")

    def forget(self) -> None:
        """Drop the cache, after a failure behind which the database may have been restored or made anew."""
        self._ids.clear()
        self._table = None

    async def _load(self, connection: Connection, urls: list[str]) -> None:
        for row in await connection.fetch(_KNOWN, urls):
            if row["tableoid"] != self._table:
                self._ids.clear()
                self._table = row["tableoid"]
            self._ids[row["url"]] = row["id"]
