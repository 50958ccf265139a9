"""A batch: records decoded since the last commit, the tables they go to, and the offsets they cover."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from sinks.tables.topic_table import AnyTopicTable, Record
from sinks.tables.topic_tables.events import EVENTS
from sinks.writing.stored_offsets import Advance

# Decoded rows take about three times the bytes of their records: a batch stays below 64 MiB.
MAX_BATCH_BYTES = 16 * 1024 * 1024


class Entry(NamedTuple):
    """One record, the table that it goes to, and what it holds, as that table decodes it."""

    record: Record
    table: AnyTopicTable
    item: Any


class Rejected(NamedTuple):
    """A record that cannot be stored, and why."""

    record: Record
    detail: str


@dataclass(slots=True)
class Batch:
    """An open batch. `generation` is the assignment in which it was read: it is invalid in any other.

    Attributes:
        entries: what is to be written.
        rejected: what cannot be.
        advances: how far it reads each partition.
        offsets: of every record, in order.
        tables: those that records were read for.
        rows: how many rows the entries can become, by topic.
    """

    generation: int
    entries: list[Entry] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    advances: dict[TopicPartition, Advance] = field(default_factory=dict)
    offsets: dict[TopicPartition, list[int]] = field(default_factory=dict)
    tables: set[AnyTopicTable] = field(default_factory=set)
    rows: Counter[str] = field(default_factory=Counter)
    size_bytes: int = 0
    oldest_seen_ms: int | None = None
    opened_s: float = field(default_factory=time.monotonic)

    def add(self, partition: TopicPartition, expected: int, records: Iterable[Record], table: AnyTopicTable) -> None:
        """Decode consecutive records of one partition, the first of which was awaited at offset `expected`.

        A record that cannot be decoded is set apart in `rejected`; its offset is covered all the same.
        """
        last: Record | None = None
        rows = 0
        offsets = self.offsets.setdefault(partition, [])
        for record in records:
            last = record
            offsets.append(record.offset)
            self.size_bytes += len(record.value or b"")
            try:
                decoded = table.decode(record)
            except ValueError as error:
                self.rejected.append(Rejected(record, str(error)))
                continue
            if decoded is None:
                continue
            item, count, seen_at_ms = decoded
            self.entries.append(Entry(record, table, item))
            rows += count
            if seen_at_ms is not None and (self.oldest_seen_ms is None or seen_at_ms < self.oldest_seen_ms):
                self.oldest_seen_ms = seen_at_ms
        self.tables.add(table)
        self.rows[table.topic] += rows
        if last is not None:
            known = self.advances.get(partition)
            self.advances[partition] = Advance(known.expected if known else expected, last.offset + 1, last.timestamp)

    def is_full(self, max_events: int) -> bool:
        """Whether the batch has reached its bound in rows of a table, which is told in events, or in bytes."""
        return self.size_bytes >= MAX_BATCH_BYTES or any(
            self.rows[table.topic] >= max_events * table.rows_per_event
            for table in self.tables
            if table.rows_per_event is not None
        )

    def age_s(self) -> float:
        """Seconds since the batch was opened."""
        return time.monotonic() - self.opened_s

    @property
    def events(self) -> int:
        """How many events it holds."""
        return self.rows[EVENTS.topic]

    def event_ids(self) -> set[bytes]:
        """The ids of its events (32 bytes each)."""
        return {entry.item.id for entry in self.entries if entry.table.topic == EVENTS.topic}

    def leave_out(self, ids: AbstractSet[bytes]) -> int:
        """Drop events by their ids (32 bytes each); how many entries that were."""
        kept = [entry for entry in self.entries if entry.table.topic != EVENTS.topic or entry.item.id not in ids]
        left_out = len(self.entries) - len(kept)
        self.entries = kept
        return left_out

    def set_apart(self, bad: Mapping[int, str]) -> None:
        """Move entries, by their place, to `rejected` with the reason given for each."""
        self.rejected.extend(Rejected(self.entries[place].record, detail) for place, detail in bad.items())
        self.entries = [entry for place, entry in enumerate(self.entries) if place not in bad]
