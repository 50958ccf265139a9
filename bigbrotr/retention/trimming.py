"""Deletes bundles that the processor has committed past and `reprocess` no longer needs, to bound Kafka's disk.

`raw.bundles` has no time limit: one would delete what a processor that was away has not read, and coverage calls read.
So records go only where the processor's group has committed past them, which it does once all that follows from them is
durable, and only once they are older than the keep time, which is how far back `reprocess` reaches.

Kafka moves the beginning of a partition at once, and frees disk later: within minutes, each segment that lies wholly
below it, never the one that is written to (`schemas.topics` says how large and old that one gets).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from bigbrotr.status.topic_offsets import OffsetsReader
from core import kafka
from core.kafka.topic_admin import TopicsError
from core.settings import Settings
from schemas.topics import DAY_MS, physical

TOPIC = "raw.bundles"


@dataclass(frozen=True, slots=True)
class Standing:
    """A partition before a pass.

    Attributes:
        begin: the oldest offset that it holds.
        end: the next offset to be written, asked for after `committed`.
        committed: the next offset that the group reads; None if it never committed, or so long ago that Kafka forgot.
        young: the first offset whose record is younger than the keep time; `end` if none is.
    """

    begin: int
    end: int
    committed: int | None
    young: int

    @property
    def read_to(self) -> int | None:
        """Up to where everything was read; None where the group's offset does not say so.

        One beyond the end is of an earlier topic of this name: what the present one holds was not read.
        """
        return None if self.committed is None or self.committed > self.end else self.committed

    @property
    def first_kept(self) -> int:
        """The offset at which the partition is to begin: only what is both read and old lies below."""
        return self.begin if self.read_to is None else max(self.begin, min(self.read_to, self.young))


@dataclass(frozen=True, slots=True)
class Trim:
    """What a pass did, or would have done: the partitions of the topic (its full name) as they were before it."""

    topic: str
    before: dict[int, Standing]

    @property
    def deleted(self) -> dict[int, int]:
        """Records that went, by partition, where any did."""
        counts = {number: each.first_kept - each.begin for number, each in self.before.items()}
        return {number: count for number, count in counts.items() if count}

    @property
    def remaining(self) -> int:
        """Records that stay in the topic."""
        return sum(each.end - each.first_kept for each in self.before.values())

    @property
    def left_alone(self) -> list[int]:
        """Partitions that hold something of which the group's offset does not say whether it was read."""
        return [number for number, each in self.before.items() if each.read_to is None and each.begin < each.end]


async def trim(settings: Settings, *, dry_run: bool) -> Trim:
    """Make one pass. It may be repeated, and cut off at any moment; running services go on meanwhile.

    Raises:
        TopicsError: there is no such topic.
        KafkaError: Kafka refuses, or is away (`core.kafka.is_transient` tells which).
    """
    topic = physical(settings.kafka.topic_prefix, TOPIC)
    async with OffsetsReader(settings) as offsets:
        before = await _standings(offsets, settings.processor.group_id, settings.kafka.bundles_keep_days)
    if not before:
        raise TopicsError(f"there is no topic {topic}: `bigbrotr topics create` makes it")
    done = Trim(topic, before)
    if done.deleted and not dry_run:
        client = await kafka.admin(settings)
        try:
            await client.delete_records(
                {TopicPartition(topic, number): RecordsToDelete(before[number].first_kept) for number in done.deleted}
            )
        finally:
            await kafka.stop_client(client)
    return done


def report_lines(done: Trim, group_id: str, *, dry_run: bool) -> Iterator[str]:
    """Describe what a pass did, or would have done; `group_id` is the processor's."""
    went = "would be deleted" if dry_run else "deleted"
    for number, count in done.deleted.items():
        yield f"{done.topic}/{number}: {count:,} {went}, begins at {done.before[number].first_kept:,}"
    total = f"{done.topic}: {sum(done.deleted.values()):,} bundles {went}, {done.remaining:,} remain"
    if done.left_alone:
        total += f"; {len(done.left_alone)} partitions left alone, of which {group_id} has no offset that counts"
    yield total


async def _standings(offsets: OffsetsReader, group_id: str, keep_days: int) -> dict[int, Standing]:
    # First: a group goes on meanwhile, and an offset that is asked for later may lie beyond the end told before.
    committed = await offsets.committed(group_id, TOPIC)
    begins, ends = await offsets.bounds(TOPIC)
    # The broker's clock and ours may differ: for no days, what they say must not matter.
    young = await offsets.since(ends, time.time_ns() // 1_000_000 - keep_days * DAY_MS) if keep_days else ends
    return {tp.partition: Standing(begins[tp], end, committed.get(tp), young[tp]) for tp, end in sorted(ends.items())}
