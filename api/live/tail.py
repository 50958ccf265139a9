"""Reads the topic `events` into a feed, beginning where the archive was written up to.

There is no consumer group: each process reads for itself, and goes on where it was when Kafka has been away.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import TopicPartition

from api.live.archive import Archive, Topic, misfit
from api.live.backlog import Backlog
from api.live.feed import Feed
from api.live.intake import Intake
from core import kafka, waiting
from core.errors import OperatorError
from core.kafka.following import Polls, follow
from core.kafka.reading import partitions_of
from core.kafka.topic_identity import identify
from core.settings import Settings
from core.settings.errors import SettingsError
from core.waiting import brief
from schemas.topics import physical

logger = logging.getLogger(__name__)

LOOK_S = 5.0
"""Between two looks whether topic and archive are still those that were read."""
SINK_S = 10.0
"""A sink that has written nothing for this long is waited for no longer: a batch takes it seconds at most."""
_NOTE_S = 0.5
"""Between two comparisons of the archive with the topic: a fraction of the time after which it is behind."""
_POLL_RECORDS = 64
"""At a time. Each holds 1 MiB at most, and 10,000 usual ones a second still pass."""
_FETCH_BYTES = 256 * 1024
"""Of a partition in one answer: what waits to be taken is bounded by this for each; a larger batch comes whole."""


class _NotLiveError(Exception):
    """New events cannot follow what the archive has; the message says why."""


class Tail:
    """Reads the topic until it is cancelled, whatever fails: all else is served without it.

    Args:
        settings: of the process.
        feed: is given the events.
        look_s: between two looks whether topic and archive are still those that were read.
        sink_s: a sink that has written nothing for so long is waited for no longer.

    Attributes:
        backlog: tells whether the archive is behind the topic.
        lag: records that were not read yet when Kafka was last heard of.
    """

    def __init__(self, settings: Settings, feed: Feed, *, look_s: float = LOOK_S, sink_s: float = SINK_S) -> None:
        self.backlog = Backlog(sink_s)
        self.lag = 0
        self._settings = settings
        self._feed = feed
        self._look_s = look_s
        self._name = physical(settings.kafka.topic_prefix, "events")
        self._archive = Archive(settings, self._name)
        self._intake = Intake(feed, self._archive, self.backlog, sink_s)
        self._topic: Topic | None = None
        self._noted_at = -math.inf
        self._trouble: str | None = "new events are not read yet"

    @property
    def trouble(self) -> str | None:
        """Why new events are not shown now; None where they are."""
        if self._trouble is None and not self._archive.has_answered:
            return "new events are held back: the archive cannot be asked whether they are deleted"
        return self._trouble

    async def run(self) -> None:
        """Read on, and again after each failure, one of our own too."""
        with waiting.named_nowhere():
            await follow(
                self._settings,
                self._follow,
                self._note_failure,
                auto_offset_reset="none",
                max_poll_records=_POLL_RECORDS,
                max_partition_fetch_bytes=_FETCH_BYTES,
                fetch_max_wait_ms=kafka.FETCH_MAX_WAIT_MS,
            )

    async def close(self) -> None:
        """Let the connections to the archive go, once `run` has ended."""
        await self._archive.close()

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.warning("new events are not read: %s", trouble)
        self._trouble = trouble

    def _forget(self) -> None:
        """Follow nothing: the next look begins anew, and every subscription has ended."""
        self._topic = None
        self._feed.begin({})

    def _note_failure(self, error: Exception) -> None:
        if isinstance(error, _NotLiveError | OperatorError | SettingsError):
            self._say(str(error))
            return
        if isinstance(error, OffsetOutOfRangeError):
            self._forget()
        elif not kafka.is_transient(error):
            logger.error("reading new events has failed", exc_info=error)
        self._say(brief(error))

    async def _follow(self, polls: Polls) -> None:
        await self._look(polls.client)
        await self._read(polls)

    async def _read(self, polls: Polls) -> None:
        """Go on where the feed is, until Kafka is silent."""
        client, reached = polls.client, self._feed.ring.positions
        partitions = [TopicPartition(self._name, number) for number in reached]
        await polls.begin(partitions, reached)
        looked_at = time.monotonic()
        told_ms = 0
        while True:
            found = await polls.next()
            await self._intake.take([each for records in found.values() for each in records])
            for tp in partitions:
                self._feed.ring.reach(tp.partition, await client.position(tp))
            now_ms = max(client.last_poll_timestamp(tp) or 0 for tp in partitions)
            if found or now_ms != told_ms:
                told_ms, self._trouble = now_ms, None
                polls.heard()
            ends = {tp.partition: client.highwater(tp) or 0 for tp in partitions}
            self.lag = sum(max(0, end - reached[number]) for number, end in ends.items())
            await self._note_backlog(ends)
            if time.monotonic() - looked_at >= self._look_s:
                await self._look(client)
                looked_at = time.monotonic()

    async def _note_backlog(self, ends: Mapping[int, int]) -> None:
        """Note now and then where the topic ends, and how far the archive was written, if not to there."""
        if time.monotonic() < self._noted_at + _NOTE_S:
            return
        is_written = all(self.backlog.written.get(number, 0) >= end for number, end in ends.items())
        rows = None if is_written else await self._archive.standing()
        if rows is not None:
            self._intake.note_written(rows)
        self.backlog.note_ends(ends)
        self._noted_at = time.monotonic()

    async def _look(self, client: AIOKafkaConsumer) -> None:
        """Find out whether the topic is the one that was read, and is the archive's; begin where none was read."""
        identities = await identify(client._client, [self._name])  # noqa: SLF001 - there is no public way
        partitions = await partitions_of(client, self._name)
        numbers = tuple(tp.partition for tp in partitions)
        topic = Topic(identities.cluster_id, identities.topic_ids[self._name], numbers)
        if self._topic is not None and topic != self._topic:
            self._forget()
            raise _NotLiveError(f"the topic {self._name} was made anew")
        rows = await self._archive.standing()
        if rows is None:
            if self._topic is None:
                raise _NotLiveError("the archive cannot be asked how far it was written")
            return
        ends = await client.end_offsets(partitions)
        if (why := misfit(rows, topic, {tp.partition: end for tp, end in ends.items()})) is not None:
            self._forget()
            raise _NotLiveError(why)
        self._intake.note_written(rows)
        if self._topic is None:
            self._topic = topic
            self._feed.begin(self.backlog.written)
            logger.info("new events are read from where the archive was written up to")
