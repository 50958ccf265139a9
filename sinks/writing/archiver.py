"""The sink's loop: seek, read, decode, write; while the database is away, retry and stay in the consumer group."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from functools import partial

from aiokafka import TopicPartition

from core import kafka, metrics
from core.archive.connection import Pool, TimedOutError
from core.clock import CLOCK
from core.flag import Flag
from core.kafka import Publisher
from core.service import UndrainedError
from core.settings import Settings
from core.waiting import until_it_works
from schemas.topics import physical
from sinks.erasure import Eraser
from sinks.tables import TABLES, Tables, contents
from sinks.tables.topic_table import KeysOfTopic
from sinks.tables.topic_tables.events import EVENTS
from sinks.tables.topic_tables.sightings import SIGHTINGS
from sinks.writing.batch import Batch
from sinks.writing.consumer import GroupReader
from sinks.writing.group_wait import AbandonedError, GroupWait
from sinks.writing.missed_tombstones import delete_absent, may_lack_tombstones
from sinks.writing.part_writer import PartWriter
from sinks.writing.portions import Portions
from sinks.writing.rejection_breaker import RejectionBreaker
from sinks.writing.rejections import RejectionSender
from sinks.writing.stored_offsets import (
    OffsetsMovedError,
    StoredOffset,
    TopicIdentity,
    check_position,
    resumed_offsets,
)
from sinks.writing.writer import Writer

_log = logging.getLogger(__name__)

# Records unpacked in one go. A fetch is bounded as it travels, compressed: the largest events, of a mebibyte each, can
# be there by the thousand, and this many of them beside a full batch are what memory must hold. Small ones cost about a
# microsecond more each than in polls of 500.
_POLL_RECORDS = 32
# How long an empty poll waits, which is also how late a stop may be noticed.
_POLL_S = 0.5
# Committed offsets are sent to Kafka this often; only tools that show lag read them.
_TELL_KAFKA_S = 1.0


class Archiver:
    """Moves one group member's partitions into the archive. `step` is called until the process is to stop."""

    def __init__(
        self,
        settings: Settings,
        reader: GroupReader,
        pool: Pool,
        publisher: Publisher,
        eraser: Eraser,
        *,
        stopping: Flag,
        batch_age_s: float,
        tables: Tables = TABLES,
    ) -> None:
        sink = settings.sink
        self._reader = reader
        # A wait for a lock must end, and say so, before it is taken for a statement that takes long.
        writer = Writer(sink.group_id, tables, lock_timeout_s=settings.postgres.command_timeout_s / 2)
        self._writer = PartWriter(pool, writer, eraser, GroupWait(reader, stopping, sink.drain_s))
        self._portions = Portions()
        self._rejections = RejectionSender(publisher, physical(settings.kafka.topic_prefix, "unwritten"))
        self._storm = RejectionBreaker(sink.storm_inputs, sink.storm_share)
        self._settings = settings
        self._group_id = sink.group_id
        self._contents = contents(settings, tables)
        self._batch_events = sink.batch_events
        self._batch_age_s = batch_age_s
        self._batch = Batch(reader.generation)
        self._untold: dict[TopicPartition, int] = {}
        self._told_s = time.monotonic()
        self.committed: dict[TopicPartition, int] = {}
        """The next offset of each partition, as far as this process has committed it."""

    def open_events(self) -> int:
        """Events that were read and are not committed yet."""
        return self._batch.events

    async def step(self) -> None:
        """Take what is there, for at most a moment, and write the batch when it is full or old enough.

        Raises PositionError where stored offsets do not fit the topic, StormError where most of what comes is refused,
        and whatever says that the database is in disorder: all of them end the process.
        """
        if self._reader.unplaced():
            await self._place()
        batch = self._current()
        wait_s = min(_POLL_S, max(0.0, self._batch_age_s - batch.age_s())) if batch.advances else _POLL_S
        chunks = await self._reader.poll(wait_s, _POLL_RECORDS)
        batch = self._current()
        for chunk in chunks:
            batch.add(chunk.partition, chunk.expected, chunk.records, self._contents[chunk.partition.topic])
        if batch.advances and (batch.is_full(self._batch_events) or batch.age_s() >= self._batch_age_s):
            await self.flush()
        if self._untold and time.monotonic() - self._told_s >= _TELL_KAFKA_S:
            await self.tell_kafka()

    async def flush(self) -> None:
        """Write the open batch. It is dropped, and read again, where its partitions are no longer ours.

        What takes too long is tried in halves, and so is what comes then, until that goes well again. Raises StormError
        where most of a stretch is refused: then nothing of the part in which that is so leaves this process.
        """
        self._portions.take(self._current())
        began_s = time.monotonic()
        while (part := self._portions.part()) is not None:
            refused = self._storm.check(part)
            await self._rejections.send(part.rejected[part.sent :])
            part.sent = len(part.rejected)
            try:
                written = await self._writer.write(part, refused)
            except OffsetsMovedError as error:
                _log.warning("%s; reading the stored offsets again", error)
                self._reader.displace()
                break
            except AbandonedError as error:
                _log.info("a batch of %d events was dropped, to be read again: %s", part.events, error)
                break
            except TimedOutError as error:
                records, size = len(part.entries), self._portions.timed_out()
                _log.warning("writing %d records took too long, next are %d: %s", records, size, error)
                continue
            if written is None:
                continue
            self._storm.take(part)
            self._count(part, written, began_s)
            self._portions.written()
            began_s = time.monotonic()
        self._batch = Batch(self._reader.generation)

    async def tell_kafka(self) -> None:
        """Commit to Kafka what PostgreSQL holds already, so that tools show the lag of the archive."""
        untold, self._untold, self._told_s = self._untold, {}, time.monotonic()
        await self._reader.commit(untold)

    def _current(self) -> Batch:
        """The open batch, a new one if the assignment changed since the last was opened."""
        stale = self._batch.generation != self._reader.generation
        if stale or not self._batch.advances:
            if stale and self._batch.advances:
                _log.info("the assignment changed: a batch of %d events is read again", self._batch.events)
            self._batch = Batch(self._reader.generation)
        return self._batch

    async def _place(self) -> None:
        """Look up where to go on in partitions that were assigned, check that it fits, and seek."""
        generation = self._reader.generation
        partitions = self._reader.unplaced()
        identities = await until_it_works("Kafka", lambda: self._reader.identities(partitions), kafka.is_transient)
        try:
            stored = await self._writer.with_database(
                partial(resumed_offsets, group_id=self._group_id, identities=identities)
            )
        except (AbandonedError, UndrainedError):  # Nothing was read of these partitions, so nothing is left undone.
            return
        if generation != self._reader.generation:
            return
        for tp, offset in stored.items():
            check_position(tp, self._group_id, offset, identities[tp])
            self._storm.resume(tp, offset.next_offset, offset.refused)
        if await self._delete_absent(stored, identities) and generation == self._reader.generation:
            self._reader.place(stored, identities)

    async def _delete_absent(
        self, stored: Mapping[TopicPartition, StoredOffset], identities: Mapping[TopicPartition, TopicIdentity]
    ) -> bool:
        """Delete rows whose tombstones may never be read; False where the partitions are no longer ours."""
        for topic, table in self._contents.items():
            if table.delete_absent is None:
                continue
            doubtful = {
                tp: offset
                for tp, offset in stored.items()
                if tp.topic == topic and may_lack_tombstones(offset, identities[tp], CLOCK.now_ms())
            }
            if not doubtful:
                continue
            keys = await kafka.read_to_end(self._settings, topic, None, lambda *_: True)
            numbers = {tp.partition for tp in doubtful}
            held = KeysOfTopic(keys.keys(), numbers, self._reader.partition_count(topic))
            attempt = partial(delete_absent, group_id=self._group_id, table=table, held=held, stored=doubtful)
            try:
                deleted = await self._writer.with_database(attempt)
            except (AbandonedError, UndrainedError, OffsetsMovedError) as error:
                _log.info("the rows of %s are looked at again: %s", table.name, error)
                return False
            if deleted:
                _log.info("%d rows of %s are deleted: their tombstones are gone", deleted, table.name)
        return True

    def _count(self, batch: Batch, written: Mapping[str, int], began_s: float) -> None:
        offsets = {tp: advance.following for tp, advance in batch.advances.items()}
        self.committed.update(offsets)
        self._untold.update(offsets)
        metrics.BATCHES.inc()
        metrics.ARCHIVED.inc(written.get(EVENTS.topic, 0))
        metrics.SIGHTINGS.inc(batch.rows[SIGHTINGS.topic])
        metrics.BATCH_SECONDS.observe(time.monotonic() - began_s)
        if batch.oldest_seen_ms is not None:
            metrics.END_TO_END_SECONDS.observe(max(0.0, time.time() - batch.oldest_seen_ms / 1000))
