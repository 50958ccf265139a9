"""The digest of an archive, from what is stored: every id is computed again from its row.

Two archives with equal digests hold the same events, the same pairs of event and relay, and the same of all that is
derived, whatever the order and number of deliveries that filled them. Rows are streamed, so memory does not grow with
the archive. Months may be read by several processes at once, all of them as of one moment (an exported snapshot).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any, NamedTuple

import asyncpg
import uvloop

from core.archive.connection import Connection, Pool, reading, reading_options
from core.archive.months import hold_archive, months
from core.archive.rows import DamagedRowError
from core.parent import die_with_parent
from core.settings import Settings
from schemas.digest import ArchiveDigest, Digest
from sinks.tables import TABLES, Tables
from sinks.tables.digest_table import DigestTable, month_of
from sinks.tables.topic_tables.events import EVENTS
from sinks.tables.topic_tables.sightings import SIGHTINGS

# Rows in memory at once: an event is at most about a megabyte, so these are at most as many megabytes.
_PREFETCH = 64
# Rows named in an error: enough to look at, and still a readable message.
_NAMED = 10


class Mismatch(NamedTuple):
    """A row that does not give back what was signed: its id (64 hex digits) and what is wrong."""

    id: str
    detail: str


class DigestError(Exception):
    """Stored rows do not give back their events: the archive is damaged."""

    def __init__(self, mismatches: list[Mismatch], total: int) -> None:
        named = "; ".join(f"{mismatch.id}: {mismatch.detail}" for mismatch in mismatches)
        super().__init__(f"{total} rows do not give back what was signed: {named}")
        self.mismatches = mismatches
        self.total = total


class ArchiveReplacedError(Exception):
    """The schema's name went to other tables while they were read: the digest must be computed again."""


class Digests(NamedTuple):
    """That of the archive, and that of coverage and registry, which are state."""

    archive: ArchiveDigest
    state: ArchiveDigest


class _Part(NamedTuple):
    """A table, or a month of one: `condition` is SQL, empty for all of it."""

    table: DigestTable
    condition: str


@dataclass(slots=True)
class _Result:
    digest: ArchiveDigest = field(default_factory=ArchiveDigest)
    mismatches: list[Mismatch] = field(default_factory=list)
    damaged: int = 0

    def merge(self, other: _Result) -> None:
        self.digest.merge(other.digest)
        self.mismatches = [*self.mismatches, *other.mismatches][:_NAMED]
        self.damaged += other.damaged


async def archive_digest(pool: Pool) -> Digest:
    """Compute the digest of the events and sightings in an archive, as of one moment.

    Raises DigestError, naming the first rows, where an id does not fit its row or a sighting names no known relay.
    """
    result = _Result()
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        for table in (*EVENTS.digests, *SIGHTINGS.digests):
            await _read(connection, _Part(table, ""), result)
    return _checked(result).digest()


async def digests(settings: Settings, jobs: int, tables: Tables = TABLES) -> Digests:
    """Compute the digest of every table of an archive, as of one moment, with so many processes.

    Raises DigestError as `archive_digest` does, ArchiveReplacedError where the schema is switched
    meanwhile; one process alone keeps a switch out.
    """
    async with reading(settings) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        if jobs == 1:
            await hold_archive(connection)
            result = _Result()
            for part in await _parts(connection, tables):
                await _read(connection, part, result)
        else:
            result = await _side_by_side(connection, settings, await _parts(connection, tables), jobs)
    whole = _checked(result)
    names = {table.name for table in tables.state}
    return Digests(
        ArchiveDigest({name: tallies for name, tallies in whole.tallies.items() if name not in names}),
        ArchiveDigest({name: tallies for name, tallies in whole.tallies.items() if name in names}),
    )


async def _parts(connection: Connection, tables: Tables) -> list[_Part]:
    """Every table once, those with partitions by month; the largest come first, so that no process ends long after."""
    sized: list[tuple[int, _Part]] = []
    for table in (*tables.archive, *tables.state):
        if table.is_partitioned:
            found = await months(connection, table.name)
            sized += [(month.estimate, _Part(table, month.where(table.name))) for month in found]
        else:
            sized.append((0, _Part(table, "")))
    return [part for _, part in sorted(sized, key=lambda each: each[0], reverse=True)]


async def _side_by_side(connection: Connection, settings: Settings, parts: list[_Part], jobs: int) -> _Result:
    """Read parts in processes of their own: making ids again takes more time than PostgreSQL does."""
    snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
    archive = await connection.fetchval("SELECT 'events'::regclass::oid")
    options = reading_options(settings)
    loop = asyncio.get_running_loop()
    result = _Result()
    with ProcessPoolExecutor(jobs, get_context("spawn"), die_with_parent) as processes:
        tasks = [loop.run_in_executor(processes, _work, options, snapshot, archive, part) for part in parts]
        try:
            for task in asyncio.as_completed(tasks):
                result.merge(await task)
        except BaseException:
            processes.shutdown(wait=False, cancel_futures=True)
            raise
    return result


def _work(options: dict[str, Any], snapshot: str, archive: int, part: _Part) -> _Result:
    """Be one process, for one part."""

    async def read() -> _Result:
        connection = await asyncpg.connect(**options)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
                if await connection.fetchval("SELECT 'events'::regclass::oid") != archive:
                    raise ArchiveReplacedError("the archive was switched to other tables: compute the digest again")
                result = _Result()
                await _read(connection, part, result)
                return result
        finally:
            await connection.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(read())


async def _read(connection: Connection, part: _Part, result: _Result) -> None:
    table = part.table
    query = f"{table.query} WHERE {part.condition}" if part.condition else table.query
    add = result.digest.tally
    async for row in connection.cursor(query, prefetch=_PREFETCH):
        try:
            item = table.item(row)
        except DamagedRowError as error:
            result.merge(_Result(mismatches=[Mismatch(row["id"].hex(), str(error))], damaged=1))
            continue
        add(table.name, _month(table, row)).add(item)


def _month(table: DigestTable, row: Any) -> str:
    return "" if table.dated_by is None else month_of(row[table.dated_by])


def _checked(result: _Result) -> ArchiveDigest:
    if result.damaged:
        raise DigestError(result.mismatches, result.damaged)
    return result.digest
