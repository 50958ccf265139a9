"""A batch: records decoded since the last commit, the tables they go to, and the offsets they cover."""

from __future__ import annotations

import time
from bisect import bisect_left
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
    """One record, the table that it goes to, what it holds, as that table decodes it, and how many rows that can be."""

    record: Record
    table: AnyTopicTable
    item: Any
    rows: int


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
        sent: how many of them, from the first on, Kafka has.
        advances: how far it reads each partition.
        offsets: of every record, in order.
        times_ms: the timestamps of the same records.
        tables: those that records were read for.
        rows: how many rows the entries can become, by topic.
    """

    generation: int
    entries: list[Entry] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    sent: int = 0
    advances: dict[TopicPartition, Advance] = field(default_factory=dict)
    offsets: dict[TopicPartition, list[int]] = field(default_factory=dict)
    times_ms: dict[TopicPartition, list[int]] = field(default_factory=dict)
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
        times_ms = self.times_ms.setdefault(partition, [])
        for record in records:
            last = record
            offsets.append(record.offset)
            times_ms.append(record.timestamp)
            self.size_bytes += len(record.value or b"")
            try:
                decoded = table.decode(record)
            except ValueError as error:
                self.rejected.append(Rejected(record, str(error)))
                continue
            if decoded is None:
                continue
            item, count, seen_at_ms = decoded
            self.entries.append(Entry(record, table, item, count))
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

    def split(self, most: int) -> tuple[Batch, Batch]:
        """The first entries, so many, with all that was read before the next of their partitions, and the rest.

        Committed one after the other they are this one. They are not to be added to: `size_bytes` is not kept, and
        `oldest_seen_ms` is that of the whole.
        """
        bounds = {tp: advance.following for tp, advance in self.advances.items()}
        for entry in reversed(self.entries[most:]):
            bounds[_partition(entry.record)] = entry.record.offset
        for tp, bound in bounds.items():
            # Where compaction has left a hole before the first record, what is awaited comes before it.
            if bound == self.offsets[tp][0]:
                bounds[tp] = self.advances[tp].expected
        begun = {tp: (advance.expected, bounds[tp]) for tp, advance in self.advances.items()}
        left = {tp: (bounds[tp], advance.following) for tp, advance in self.advances.items()}
        return self._part(self.entries[:most], begun), self._part(self.entries[most:], left)

    def _part(self, entries: list[Entry], spans: Mapping[TopicPartition, tuple[int, int]]) -> Batch:
        part = Batch(self.generation, entries, tables=self.tables, oldest_seen_ms=self.oldest_seen_ms)
        for tp, (expected, following) in spans.items():
            records = slice(bisect_left(self.offsets[tp], expected), bisect_left(self.offsets[tp], following))
            if times_ms := self.times_ms[tp][records]:
                part.offsets[tp], part.times_ms[tp] = self.offsets[tp][records], times_ms
                part.advances[tp] = Advance(expected, following, times_ms[-1])
        for place, each in enumerate(self.rejected):
            expected, following = spans[_partition(each.record)]
            if expected <= each.record.offset < following:
                part.rejected.append(each)
                part.sent += place < self.sent
        for entry in entries:
            part.rows[entry.table.topic] += entry.rows
        return part


def _partition(record: Record) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)
