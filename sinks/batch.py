"""What was read since the last commit: decoded rows, the records they came from, and the offsets they cover."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeAlias

from aiokafka import ConsumerRecord, TopicPartition

from core.archive.rows import EventRow
from core.settings import Settings
from schemas import event_record, sighting
from schemas.event_id import IdForm
from schemas.sighting import Sighting
from schemas.topics import physical
from sinks.offsets import Advance
from sinks.rows import event_row
from sinks.tables import coverage

Record: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"

# Decoded rows take about three times the bytes of their records: a batch stays below 64 MiB.
MAX_BATCH_BYTES = 16 * 1024 * 1024
# An event is seen by 2.4 relays in the mean: sightings alone close a batch when they are four times its events.
_PAIRS_PER_EVENT = 4
# A longer URL is no relay's, and beyond 2,704 bytes the unique index of `relays` would refuse it.
_MAX_URL_BYTES = 2048
_INT64_END = 2**63
_NIP01, _DEL = IdForm.NIP01.value, IdForm.DEL.value


class Content(Enum):
    """What the records of a topic hold."""

    EVENTS = "events"
    SIGHTINGS = "sightings"
    COVERAGE = "coverage"


def contents(settings: Settings) -> dict[str, Content]:
    """What each topic (full name) of the sink holds."""
    return {physical(settings.kafka.topic_prefix, content.value): content for content in Content}


class Entry(NamedTuple):
    """One record and what it holds: an event, sightings, or a relay's coverage."""

    record: Record
    event: EventRow | None
    sightings: Sequence[Sighting]
    coverage: coverage.Change | None = None


class Rejected(NamedTuple):
    """A record that cannot be stored, and why."""

    record: Record
    detail: str


@dataclass(slots=True)
class Batch:
    """An open batch. `generation` is the assignment in which it was read: it is worthless in any other.

    Attributes:
        entries: what is to be written.
        rejected: what cannot be.
        advances: how far it reads each partition.
        offsets: of every record, in order.
    """

    generation: int
    entries: list[Entry] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    advances: dict[TopicPartition, Advance] = field(default_factory=dict)
    offsets: dict[TopicPartition, list[int]] = field(default_factory=dict)
    events: int = 0
    pairs: int = 0
    size_bytes: int = 0
    oldest_seen_ms: int | None = None
    opened_s: float = field(default_factory=time.monotonic)

    def add(self, partition: TopicPartition, expected: int, records: Iterable[Record], content: Content) -> None:
        """Decode consecutive records of one partition, the first of which was awaited at offset `expected`.

        A record that cannot be decoded is set apart in `rejected`; its offset is covered all the same.
        """
        last: Record | None = None
        offsets = self.offsets.setdefault(partition, [])
        for record in records:
            last = record
            offsets.append(record.offset)
            self.size_bytes += len(record.value or b"")
            try:
                if content is Content.COVERAGE:
                    self._add_coverage(record)
                elif record.value is None:  # A tombstone: the record of an erased event. There is nothing to add.
                    continue
                elif content is Content.EVENTS:
                    self._add_event(record, record.value)
                else:
                    self._add_sightings(record, record.value)
            except ValueError as error:
                self.rejected.append(Rejected(record, str(error)))
        if last is not None:
            known = self.advances.get(partition)
            self.advances[partition] = Advance(known.expected if known else expected, last.offset + 1, last.timestamp)

    def is_full(self, max_events: int) -> bool:
        """Whether the batch has reached its bound in events, sightings or bytes."""
        return (
            self.events >= max_events
            or self.pairs >= max_events * _PAIRS_PER_EVENT
            or self.size_bytes >= MAX_BATCH_BYTES
        )

    def age_s(self) -> float:
        """Seconds since the batch was opened."""
        return time.monotonic() - self.opened_s

    def leave_out(self, ids: AbstractSet[bytes]) -> int:
        """Drop events by their ids (32 bytes each); how many entries that were."""
        kept = [entry for entry in self.entries if entry.event is None or entry.event.id not in ids]
        left_out = len(self.entries) - len(kept)
        self.entries = kept
        return left_out

    def set_apart(self, bad: Mapping[int, str]) -> None:
        """Move entries, by their place, to `rejected` with the reason given for each."""
        self.rejected.extend(Rejected(self.entries[place].record, detail) for place, detail in bad.items())
        self.entries = [entry for place, entry in enumerate(self.entries) if place not in bad]

    def _add_event(self, record: Record, value: bytes) -> None:
        decoded = event_record.decode(value)
        form = _DEL if "del_form" in decoded.facts else _NIP01
        self.entries.append(Entry(record, event_row(decoded.event, decoded.raw, form), ()))
        self.events += 1
        if self.oldest_seen_ms is None or decoded.seen_at_ms < self.oldest_seen_ms:
            self.oldest_seen_ms = decoded.seen_at_ms

    def _add_sightings(self, record: Record, value: bytes) -> None:
        groups = sighting.decode(value)
        for group in groups:
            _check_sighting(group)
            self.pairs += len(group.ids)
        self.entries.append(Entry(record, None, groups))

    def _add_coverage(self, record: Record) -> None:
        change = coverage.decode(record.key, record.value, record.timestamp)
        _check_url(change.relay)
        self.entries.append(Entry(record, None, (), change))


def _check_url(url: str) -> None:
    if len(url.encode()) > _MAX_URL_BYTES or "\0" in url:
        raise ValueError(f"relay: must be a URL of at most {_MAX_URL_BYTES} bytes without U+0000")


def _check_sighting(group: Sighting) -> None:
    _check_url(group.relay)
    if group.seen_at_ms >= _INT64_END:
        raise ValueError("seen_at: must be milliseconds below 2^63")
