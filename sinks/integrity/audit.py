"""Audits the archive: each event is made again from its row, its id, signature and all derived columns are checked.

So are the rows of other tables that follow from it, the counts of all, the URLs of relays and what was understood of
their information documents. Several
connections share one snapshot and take pieces of partitions from one list, in the order in which they lie on disk. Rows
are checked in threads; memory does not grow with the archive.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from core.archive.connection import Connection, Pool
from core.archive.months import Month, hold_archive, months
from core.archive.rows import COLUMN_LIST, EventRow
from sinks.integrity.audit_counts import miscounts
from sinks.integrity.audit_documents import wrong_documents
from sinks.integrity.audit_projections import audited, wrong_rows
from sinks.integrity.audit_registry import wrong_relays
from sinks.integrity.audit_report import NAMED, AuditReport, Scope
from sinks.integrity.audit_row import audit_rows, audit_sighting, refine_created_at
from sinks.tables import TABLES, Tables, projection
from sinks.tables.projection import Projection

# Rows in memory at once for each job: an event is at most about a megabyte, so these are at most as many megabytes.
_PREFETCH = 64
_SIGHTINGS_PREFETCH = 1000  # they are small
# 128 MiB: some hundred thousand events, which keep a job busy for some ten seconds.
_PIECE_PAGES = 16_384
# Each is kept in memory until the end, to be looked for among the sightings.
_REFINED = 20

_TIMES_OF_IDS = "SELECT id, created_at FROM sightings WHERE id = ANY($1::bytea[])"


Progress = Callable[[AuditReport], None]


class _Piece(NamedTuple):
    """A part of a partition that one job reads; `pages` are the first and the one behind the last, or None for all."""

    table: str
    month: Month
    pages: tuple[int, int] | None


async def audit(
    pool: Pool, scope: Scope, *, jobs: int, progress: Progress | None = None, tables: Tables = TABLES
) -> AuditReport:
    """Audit the archive of one moment.

    Args:
        pool: with one connection more than jobs.
        scope: what to audit.
        jobs: connections that read at once, and threads that check.
        progress: called with the growing report.
        tables: of the archive.
    """
    async with pool.acquire() as lead, lead.transaction(isolation="repeatable_read", readonly=True):
        await hold_archive(lead)
        snapshot = await lead.fetchval("SELECT pg_export_snapshot()")
        run = _Audit(scope, progress, await audited(lead, tables))
        await run.plan(lead)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(jobs):
                    group.create_task(run.job(pool, snapshot))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # the others were ended because of it
        await run.refine(lead)
        if scope.is_whole:
            run.report.miscounts = await miscounts(lead)
            run.report.relays = await wrong_relays(lead, NAMED)
            run.report.documents = await wrong_documents(lead, NAMED)
        return run.report


class _Audit:
    """One run: what is left to read, and what was found."""

    def __init__(self, scope: Scope, progress: Progress | None, projections: Sequence[Projection]) -> None:
        self.report = AuditReport(orphans=0 if scope.sample is None else None)
        self._scope = scope
        self._progress = progress
        self._projections = projections
        self._pieces: Iterator[_Piece] = iter(())
        self._relays: frozenset[int] = frozenset()
        self._undecided: dict[str, EventRow] = {}
        self._began_s = time.monotonic()

    async def plan(self, connection: Connection) -> None:
        """See what there is to read. A sample by number needs to know of how many."""
        self._relays = frozenset(row["id"] for row in await connection.fetch("SELECT id FROM relays"))
        there = [
            (table, month)
            for table in ("events", "sightings")
            for month in await months(connection, table)
            if month.meets(self._scope.since_s, self._scope.until_s)
        ]
        total = 0
        for table, month in there:
            if table == "events":
                count = f'SELECT count(*) FROM "{month.partition}"'  # noqa: S608 - a partition's name, from the catalog
                total += month.estimate or await connection.fetchval(count)
        if self._scope.sample is not None:
            self._scope.sample.of(total)
        self.report.expected = total if self._scope.sample is None else round(total * self._scope.sample.share)
        self._pieces = iter([piece for table, month in there for piece in self._cut(table, month)])

    def _cut(self, table: str, month: Month) -> Iterator[_Piece]:
        # A sample goes through the index on id prefixes; sightings are joined, which is done once for a month.
        if self._scope.sample is not None or table == "sightings":
            yield _Piece(table, month, None)
            return
        for first in range(0, month.pages, _PIECE_PAGES):
            yield _Piece(table, month, (first, first + _PIECE_PAGES))

    async def job(self, pool: Pool, snapshot: str) -> None:
        """Read pieces until none is left."""
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            for piece in self._pieces:
                await (self._events if piece.table == "events" else self._sightings)(connection, piece)

    async def _events(self, connection: Connection, piece: _Piece) -> None:
        conditions = [*self._times("part"), *self._sampled("part")]
        if piece.pages is not None:
            conditions.append(f"part.ctid >= '({piece.pages[0]},0)' AND part.ctid < '({piece.pages[1]},0)'")
        where = " AND ".join(conditions) or "TRUE"
        query = f'SELECT {COLUMN_LIST} FROM "{piece.month.partition}" AS part WHERE {where}'  # noqa: S608 - numbers
        cursor = await connection.cursor(query)
        picked: list[EventRow] = []
        while fetched := await cursor.fetch(_PREFETCH):
            rows = [EventRow(*row) for row in fetched]
            altered = await asyncio.to_thread(audit_rows, rows)
            for bad in altered:
                self.report.add("events", piece.month.name, bad.row.id, bad.wrongs)
                several = any("created_at" in wrong.columns and len(wrong.columns) > 1 for wrong in bad.wrongs)
                if several and len(self._undecided) < _REFINED:
                    self._undecided[bad.row.id.hex()] = bad.row
            # What follows from a row that was altered cannot be told.
            wrong_ids = {bad.row.id for bad in altered}
            picked += [row for row in projection.picked(self._projections, rows) if row.id not in wrong_ids]
            if len(picked) >= _PREFETCH:
                await self._follow(connection, piece, picked)
                picked.clear()
            self.report.events += len(rows)
            self._told()
        await self._follow(connection, piece, picked)

    async def _follow(self, connection: Connection, piece: _Piece, rows: Sequence[EventRow]) -> None:
        """Audit what must follow from events that are right."""
        for wrong in await wrong_rows(connection, self._projections, rows):
            self.report.add(wrong.table, piece.month.name, wrong.event_id, [wrong.wrong])

    async def _sightings(self, connection: Connection, piece: _Piece) -> None:
        where = " AND ".join([*self._times("part"), *self._sampled("event")]) or "TRUE"
        query = (
            "SELECT part.id, part.relay_ids, part.seen_ats_ms, event.id IS NULL AS orphan "  # noqa: S608 - numbers
            f'FROM "{piece.month.partition}" AS part LEFT JOIN events AS event '
            "ON event.created_at = part.created_at AND event.id = part.id "
            f"AND {piece.month.where('event')} WHERE {where}"
        )
        async for row in connection.cursor(query, prefetch=_SIGHTINGS_PREFETCH):
            wrong = audit_sighting(row["relay_ids"], row["seen_ats_ms"], self._relays)
            if wrong is not None:
                self.report.add("sightings", piece.month.name, row["id"], [wrong])
            self.report.sightings += 1
            if self.report.orphans is not None:
                self.report.orphans += row["orphan"]
        self._told()

    async def refine(self, connection: Connection) -> None:
        """Look for altered times: a sighting still has the event's own."""
        if not self._undecided:
            return
        for row in await connection.fetch(_TIMES_OF_IDS, [stored.id for stored in self._undecided.values()]):
            event_id = row["id"].hex()
            wrong = refine_created_at(self._undecided[event_id], row["created_at"])
            if wrong is not None:
                self.report.refine(event_id, wrong)
        self._told()

    def _times(self, table: str) -> list[str]:
        bounds = ((">=", self._scope.since_s), ("<=", self._scope.until_s))
        return [f"{table}.created_at {sign} {time_s}" for sign, time_s in bounds if time_s is not None]

    def _sampled(self, table: str) -> list[str]:
        return [] if self._scope.sample is None else [self._scope.sample.condition(f"{table}.id_prefix")]

    def _told(self) -> None:
        self.report.seconds = time.monotonic() - self._began_s
        if self._progress is not None:
            self._progress(self.report)
