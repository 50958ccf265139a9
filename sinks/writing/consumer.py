"""Reads the sink's topics in a consumer group, from the offsets that PostgreSQL holds and never from Kafka's.

aiokafka assigns partitions before a starting offset can be set. So every partition starts paused and unplaced:
its records are discarded until `place` has sought the stored offset. A placed partition is read without a gap, or an
error says what is missing: there is no reset policy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from core import kafka, metrics
from core.kafka.topic_identity import identify
from sinks.tables.topic_table import Record
from sinks.writing.stored_offsets import PositionError, StoredOffset, TopicIdentity, remedy

_log = logging.getLogger(__name__)

# A poll that is held up by a rebalance is given up after this much more than it was to wait.
_OVERTIME_S = 1.0
# A commit of offsets is only for lag: it must not hold up the batch that comes next.
_COMMIT_S = 5.0


class Chunk(NamedTuple):
    """Consecutive records of one partition; `expected` is the offset at which the first of them was awaited."""

    partition: TopicPartition
    expected: int
    records: list[Record]


class GroupReader(ConsumerRebalanceListener):
    """The position of one group member in its partitions, and the listener of its consumer: make it, then `attach`.

    `generation` grows whenever what was read before may be another member's now.
    """

    def __init__(self, group_id: str) -> None:
        self.generation = 0
        self._group_id = group_id
        self._attached: AIOKafkaConsumer | None = None
        self._positions: dict[TopicPartition, int] = {}
        # The last record that the archive took: the first that is read again, to see that it is still the same one.
        self._last_taken: dict[TopicPartition, tuple[int, int]] = {}

    def attach(self, consumer: AIOKafkaConsumer) -> None:
        """Take over a started consumer that has this reader as its listener."""
        self._attached = consumer
        self.displace()

    @property
    def _consumer(self) -> AIOKafkaConsumer:
        assert self._attached is not None, "attach comes first"
        return self._attached

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002 - aiokafka's signature
        """Drop all positions: what was read and not committed is read again after the next assignment."""
        self.generation += 1
        self._positions.clear()
        self._last_taken.clear()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Keep new partitions still until they are placed."""
        self.generation += 1
        self._positions.clear()
        self._last_taken.clear()
        if self._attached is not None:
            self._attached.pause(*assigned)
        metrics.REBALANCES.inc()
        _log.info("%d partitions assigned", len(assigned))

    def assigned(self) -> set[TopicPartition]:
        """The partitions of this member."""
        return set(self._consumer.assignment())

    def unplaced(self) -> set[TopicPartition]:
        """Partitions whose stored offset must be looked up before they can be read."""
        return self.assigned() - self._positions.keys()

    def positions(self) -> dict[TopicPartition, int]:
        """The next offset to read in each placed partition."""
        return dict(self._positions)

    def displace(self) -> None:
        """Distrust every position, after another instance moved an offset: all are looked up again."""
        self.generation += 1
        self._positions.clear()
        self._last_taken.clear()
        self._consumer.pause(*self.assigned())

    async def identities(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, TopicIdentity]:
        """What the broker says now of partitions. Raises KafkaError where it is away."""
        wanted = sorted(partitions)
        client = self._consumer._client  # noqa: SLF001 - aiokafka has no public way to send a request of one's own
        identity = await identify(client, sorted({tp.topic for tp in wanted}))
        begins, ends = await kafka.bounds(self._consumer, wanted)
        return {
            tp: TopicIdentity(identity.cluster_id, identity.topic_ids[tp.topic], begins[tp], ends[tp]) for tp in wanted
        }

    def partition_count(self, topic: str) -> int:
        """How many partitions a topic (full name) has that this member reads."""
        return len(self._consumer.partitions_for_topic(topic) or ())

    def place(
        self, stored: Mapping[TopicPartition, StoredOffset], identities: Mapping[TopicPartition, TopicIdentity]
    ) -> None:
        """Seek partitions to their stored offsets (checked by `check_position`) and let them flow."""
        for tp, offset in stored.items():
            start = offset.next_offset
            if offset.last_timestamp_ms is not None and start > identities[tp].beginning:
                start -= 1
                self._last_taken[tp] = (start, offset.last_timestamp_ms)
            self._consumer.seek(tp, start)
            self._positions[tp] = offset.next_offset
            self._consumer.resume(tp)

    async def poll(self, timeout_s: float, max_records: int) -> list[Chunk]:
        """Read what is there, waiting for it at most so long. Records of unplaced partitions are discarded.

        Raises PositionError where records are gone that were never read, or are not those that were read before.
        """
        try:
            async with asyncio.timeout(timeout_s + _OVERTIME_S):
                fetched = await self._consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=max_records)
        except (TimeoutError, NoOffsetForPartitionError):
            # Held up by a rebalance, or a partition has no position yet. What a cut-short call may have taken is read
            # again.
            self._seek_back()
            return []
        except OffsetOutOfRangeError:
            await self._check_beginnings()
            self._seek_back()
            return []
        chunks = []
        for tp, records in fetched.items():
            if (expected := self._positions.get(tp)) is None:
                continue
            fresh = self._fresh(tp, expected, records)
            if fresh:
                self._positions[tp] = fresh[-1].offset + 1
                chunks.append(Chunk(tp, expected, fresh))
        return chunks

    async def idle(self, seconds: float) -> None:
        """Stay a member of the group without reading: a pause, and a poll that returns nothing."""
        self._consumer.pause(*self.assigned())
        await self.poll(seconds, 1)

    def resume(self) -> None:
        """Let the placed partitions flow again after `idle`."""
        placed = self._positions.keys() & self.assigned()
        self._consumer.resume(*placed)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit the archive's offsets to Kafka, so that tools show its lag. No process resumes from these offsets."""
        ours = {tp: offset for tp, offset in offsets.items() if tp in self._positions}
        if not ours:
            return
        try:
            async with asyncio.timeout(_COMMIT_S):
                await self._consumer.commit(ours)
        except (KafkaError, IllegalStateError, TimeoutError) as error:
            _log.info("Kafka did not accept the offsets, which only serve to show lag: %s", error)

    def _fresh(self, tp: TopicPartition, expected: int, records: list[Record]) -> list[Record]:
        """Check and drop the record that was taken before; what is left begins at or after the expected offset."""
        taken = self._last_taken.pop(tp, None)
        if taken is not None and records[0].offset == taken[0]:
            if records[0].timestamp != taken[1]:
                raise PositionError(
                    f"record {taken[0]} of partition {tp.partition} of topic {tp.topic} is of time "
                    f"{records[0].timestamp} ms, but the archive took one of {taken[1]} ms there: the topic was made "
                    f"again. "
                    f"{remedy(tp.topic, self._group_id)}"
                )
            records = records[1:]
        return [record for record in records if record.offset >= expected]

    def _seek_back(self) -> None:
        for tp in self._positions.keys() & self.assigned():
            taken = self._last_taken.get(tp)
            self._consumer.seek(tp, self._positions[tp] if taken is None else taken[0])

    async def _check_beginnings(self) -> None:
        placed = self._positions.keys() & self.assigned()
        for tp, identity in (await self.identities(placed)).items():
            position = self._positions.get(tp)
            if position is not None and not identity.beginning <= position <= identity.end:
                raise PositionError(
                    f"partition {tp.partition} of topic {tp.topic} has offsets {identity.beginning} to {identity.end}, "
                    f"but record {position} comes next: what lay between was deleted before the archive read it. "
                    f"{remedy(tp.topic, self._group_id)}"
                )
