"""Writes a batch in one transaction: the offsets it covers by compare-and-set, then the rows of every table.

COPY (binary) into temporary tables, then INSERT … SELECT: arrays and UNNEST cost a fifth more, COPY of text almost half
(`tests/bench/bench_sink.py`). `synchronous_commit` is off: offsets and rows are in the same transaction, so a crash of
the server may lose the last moments of both and never of one; the sink then reads again what the offsets no longer
cover. A crash of a client loses nothing at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from aiokafka import TopicPartition

from core.archive.connection import Connection
from sinks.erasure import check_batch
from sinks.tables import TABLES, Tables, projection
from sinks.tables.topic_table import AnyTopicTable
from sinks.tables.topic_tables.events import EVENTS
from sinks.writing.bad_rows import find_bad
from sinks.writing.batch import Batch, Entry
from sinks.writing.rejection_breaker import store_refused
from sinks.writing.relay_numbers import RelayIds
from sinks.writing.stored_offsets import move_offsets

_Items: TypeAlias = list[tuple[AnyTopicTable, list[Any]]]
"""What there is to write, by table, in the order in which tables are written."""
# Rows of attempts that failed are dead, but every statement of the next attempts reads them, until a commit.
_TRIED_TOGETHER = 250
_NOTHING: Mapping[TopicPartition, list[int]] = MappingProxyType({})

LOCK_TIMEOUT_S = 60.0
"""Half of what a statement may take by default: a wait for a lock must not look like a record that takes long."""

# A process that is frozen in the middle of a batch must not block its successor on the offsets' locks without limit.
_PREPARE = """
SET LOCAL synchronous_commit = off;
SET LOCAL idle_in_transaction_session_timeout = '30s';
SET LOCAL client_min_messages = warning;
"""
_STAGING = "CREATE TEMPORARY TABLE IF NOT EXISTS {staging} (LIKE {table}) ON COMMIT DELETE ROWS;"
_EMPTY = "DELETE FROM {staging};"


def preparation(tables: Tables) -> str:
    """The statements that begin a batch's transaction: its settings, and temporary tables to copy rows into."""
    return _PREPARE + "".join(_STAGING.format(staging=table.staging, table=table.name) for table in _staged(tables))


class Writer:
    """Writes batches of one consumer group. Not for concurrent use: batches are committed one after another.

    A wait for a lock ends after `lock_timeout_s` with an error that `core.postgres.is_transient` knows.
    """

    def __init__(self, group_id: str, tables: Tables = TABLES, *, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
        self._group_id = group_id
        self._tables = tables
        self._preparation = f"SET LOCAL lock_timeout = {max(1, round(lock_timeout_s * 1000))};" + preparation(tables)
        self._emptying = "".join(_EMPTY.format(staging=table.staging) for table in _staged(tables))
        self._relays = RelayIds()

    async def write(
        self, connection: Connection, batch: Batch, refused: Mapping[TopicPartition, list[int]] = _NOTHING
    ) -> dict[str, int]:
        """Write and commit a batch, and beside its offsets those of the last refused records.

        Gives how many rows changed, by topic.

        Raises OffsetsMovedError where another instance went on from the same offsets, or where the archive was
        switched to other tables (`bigbrotr switch`: `forget` then), and whatever asyncpg raises:
        `core.postgres.is_transient` and `bad_rows.is_row_error` tell what to do then. Raises ErasedError where an event
        of the batch is erased. Nothing of the batch is kept.
        """
        items = self._items(batch.entries)
        relay_ids = await self._relays.find(connection, _urls(items))
        async with connection.transaction():
            return await self._fill(connection, batch, refused, items, relay_ids)

    async def try_smallest(self, connection: Connection, batch: Batch) -> None:
        """Do what `write` does, with the smallest item in the place of each (`TopicTable.smallest`), and keep nothing.

        Raises what `write` raises.
        """
        items = self._items([each._replace(item=each.table.smallest(each.item)) for each in batch.entries])
        relay_ids = await self._relays.find(connection, _urls(items))
        transaction = connection.transaction()
        await transaction.start()
        try:
            await self._fill(connection, batch, _NOTHING, items, relay_ids)
        finally:
            if not connection.is_closed():
                await transaction.rollback()

    async def find_bad_rows(self, connection: Connection, batch: Batch) -> dict[int, str]:
        """The places of the entries that the database refuses, with its reason; nothing is written."""
        bad: dict[int, str] = {}
        for first in range(0, len(batch.entries), _TRIED_TOGETHER):
            bad |= await self._find_bad(connection, batch.entries[first : first + _TRIED_TOGETHER], first)
        return bad

    async def _find_bad(self, connection: Connection, entries: Sequence[Entry], first: int) -> dict[int, str]:
        async def attempt(some: Sequence[Entry]) -> None:
            self.forget()  # What an attempt that failed has added has no number any more.
            items = self._items(some)
            await self._write_items(connection, items, await self._relays.find(connection, _urls(items)))
            # Tried rows must not be tried again with the next half: the temporary tables are emptied by hand.
            await connection.execute(self._emptying)

        async with connection.transaction():  # At its end the temporary tables are empty files again.
            await connection.execute(self._preparation)
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(self._preparation)
            return await find_bad(connection, entries, attempt, first)
        finally:
            self.forget()
            if not connection.is_closed():
                await transaction.rollback()

    def forget(self) -> None:
        """Drop what is remembered of the database, after a failure behind which it may be another one."""
        self._relays.forget()

    async def _fill(
        self,
        connection: Connection,
        batch: Batch,
        refused: Mapping[TopicPartition, list[int]],
        items: _Items,
        relay_ids: dict[str, int],
    ) -> dict[str, int]:
        await connection.execute(self._preparation)
        await move_offsets(connection, self._group_id, batch.advances)
        await store_refused(connection, self._group_id, refused)
        # From here to the end the locked offsets keep a switch out: all statements mean the same tables.
        await self._relays.check(connection)
        return await self._write_items(connection, items, relay_ids)

    def _items(self, entries: Collection[Entry]) -> _Items:
        by_table = [(table, [entry.item for entry in entries if entry.table is table]) for table in self._tables.topics]
        # Their offsets are moved: none may be passed over.
        assert sum(len(items) for _, items in by_table) == len(entries), "a record of a table that is not written here"
        return [(table, items) for table, items in by_table if items]

    async def _write_items(self, connection: Connection, items: _Items, relay_ids: dict[str, int]) -> dict[str, int]:
        projections = self._tables.projections
        for table, some in items:
            if table.prepare is not None:
                await table.prepare(connection, some, relay_ids)
            if table.topic == EVENTS.topic:
                rows = projection.derive(projections, projection.picked(projections, some))
                await projection.write(connection, projections, rows)
        await check_batch(connection, [table for table, _ in items])
        return {table.topic: await table.write(connection, some, relay_ids) for table, some in items}


def _staged(tables: Tables) -> list[AnyTopicTable]:
    return [table for table in tables.topics if table.prepare is not None]


def _urls(items: _Items) -> set[str]:
    return {url for table, some in items if table.relays is not None for item in some for url in table.relays(item)}
