"""Projections: keyed rows derived from an event alone, and written by its transaction.

Facts that travel beside an event are capped, so they are no source. A row is written again and again without harm,
deleted with its event, and found anew from stored events by `sinks.backfill`. Where triggers of the database write them
(`Tables.by_triggers`), audits derive them here all the same. What it means for other events is decided
where it is read: the view `event_flags`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from core.archive.connection import Connection
from core.archive.rows import EventRow, event_from_row
from schemas.nostr.event import Event
from sinks.tables.digest_table import DigestTable, whole_rows

Row: TypeAlias = tuple[Any, ...]
Derived: TypeAlias = Mapping[str, Sequence[Row]]
"""Rows by the table that they belong to, each in the order of its columns."""


class Source(NamedTuple):
    """Which events may give rows, known without parsing their tags; a few more may be.

    Attributes:
        kinds: of events.
        kind_ranges: more kinds, of which there may be thousands.
        tag: the name of a tag that they have; a plain word.

    Events that are kept as bytes (`raw`) are always among them: their tags cannot be looked into.
    """

    kinds: frozenset[int] = frozenset()
    kind_ranges: tuple[range, ...] = ()
    tag: str | None = None


@dataclass(frozen=True)
class Projection:
    """A table of such rows.

    Attributes:
        name: of the table. Its migration ends with the statements of `sinks.backfill` that have older events searched.
        holds: one sentence on a row, for the reference in `docs/reference/tables.md`.
        columns: of the rows that `derive` gives; the digest covers all of them.
        of_event: those that name the event a row is of (`sinks.tables.event_key`), the id last.
        dated_by: the column with a time (Unix seconds), whose month a row belongs to in the digest.
        source: which events are looked into.
        derive: what an event and its row give, nothing for most; the same event always gives the same rows.
    """

    name: str
    holds: str
    columns: tuple[str, ...]
    of_event: tuple[str, ...]
    dated_by: str
    source: Source
    derive: Callable[[EventRow, Event], Iterable[Row]]

    @property
    def insert(self) -> str:
        """The statement that inserts a row, if it is not there."""
        places = ", ".join(f"${number}" for number in range(1, len(self.columns) + 1))
        return f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES ({places}) ON CONFLICT DO NOTHING"  # noqa: S608

    @property
    def digest(self) -> DigestTable:
        """What the digest covers of it."""
        return whole_rows(self.name, self.columns, self.dated_by)


def picked(projections: Iterable[Projection], rows: Sequence[EventRow]) -> list[EventRow]:
    """The rows from which anything may be derived: a few in a hundred, found without parsing their tags."""
    sources = [projection.source for projection in projections]
    kinds = frozenset().union(*(source.kinds for source in sources))
    found = [row for row in rows if row.kind in kinds or row.tags is None]
    for kind_range in {each for source in sources for each in source.kind_ranges}:
        found += [row for row in rows if row.kind in kind_range]
    for word in {f'"{source.tag}"' for source in sources if source.tag}:
        found += [row for row in rows if (tags := row.tags) is not None and word in tags]
    return list({row.id: row for row in found}.values())


def picked_in_sql(projections: Iterable[Projection]) -> str:
    """The condition in SQL on `events` that picks the same rows, and a few more."""
    conditions = {"raw IS NOT NULL": None}
    for source in (projection.source for projection in projections):
        conditions |= {f"kind = {kind}": None for kind in sorted(source.kinds)}
        conditions |= {f"kind BETWEEN {each[0]} AND {each[-1]}": None for each in source.kind_ranges}
        if source.tag:
            conditions[f"tags @> '[[\"{source.tag}\"]]'"] = None
    return " OR ".join(conditions)


def derive(projections: Sequence[Projection], rows: Iterable[Sequence[Any]]) -> Derived:
    """What rows of `events`, values in the order of `EVENT_COLUMNS`, give.

    Raises `schemas.nostr.event.EventError` (a ValueError) where `raw` of a row is not an event.
    """
    derived: dict[str, list[Row]] = {projection.name: [] for projection in projections}
    for row in rows:
        stored = EventRow(*row)
        event = event_from_row(stored)
        for projection in projections:
            derived[projection.name].extend(projection.derive(stored, event))
    return derived


async def write(connection: Connection, projections: Iterable[Projection], derived: Derived) -> None:
    """Insert what is not there yet, inside the transaction of the events that it came from."""
    for projection in projections:
        if rows := derived[projection.name]:
            # In one order, so that two instances wait for each other instead of deadlocking.
            await connection.executemany(projection.insert, sorted(rows))
