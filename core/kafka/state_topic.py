"""Follows a compacted topic: reads it to its end, then passes on new records.

There is no consumer group: each process reads for itself, wholly or the partitions that something else has assigned to
it. Who acts on what the topic says waits for it first: `assign` returns when everything that Kafka had by then was
taken, and `until_current` holds back where that may be old, as after an outage of the broker.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Generic, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from core.flag import Flag
from core.kafka.clients import is_transient
from core.kafka.following import SILENT_S, Polls, follow
from core.kafka.reading import partitions_of
from core.kafka.state_change import Change, change_of
from core.kafka.state_positions import ReadPositions
from core.settings.model import Settings
from core.tasks import cancel, first_of
from core.waiting import FIRST_TRY_S, brief, waiting_for

T = TypeVar("T")
_log = logging.getLogger(__name__)

CURRENT_S = 5.0
"""Kafka answers a fetch after half a second at the latest, also when there is nothing; several answers may be late."""
_POLL_RECORDS = 2_000
"""Decoding takes about 5 µs a record: the event loop must turn in between."""


class StateTopic(Generic[T]):
    """Passes every record of a compacted topic to `take`, at least once, those of a partition in order.

    Args:
        settings: of the process.
        topic: full name.
        decode: makes a value of a record's key and value; raises ValueError where it is none.
        take: called with one or more changes; the next are read when it has returned. What it raises ends `assign`, or
            comes out of `check`.
        current_s: how old the knowledge may be that everything was taken, for `until_current`.
        silent_s: without an answer for this long the connection is made anew.
    """

    def __init__(
        self,
        settings: Settings,
        topic: str,
        decode: Callable[[bytes, bytes], T],
        take: Callable[[Sequence[Change[T]]], Awaitable[None]],
        *,
        current_s: float = CURRENT_S,
        silent_s: float = SILENT_S,
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._decode = decode
        self._take = take
        self._current_s = current_s
        self._silent_s = silent_s
        self._positions = ReadPositions()
        self._reassigned = Flag()
        self._turned = Flag()
        self._failed = ""
        self._task: asyncio.Task[None] | None = None

    async def assign(self, partitions: Collection[int] | None = None) -> None:
        """Follow these partitions (None: all); return when of the new ones everything is taken that Kafka has now.

        Those that were followed before go on where they are; of all others nothing more is handed over. Waits for the
        broker as long as it takes.
        """
        self._positions.assign(partitions)
        self._reassigned.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=self._topic)
        with waiting_for(f"the records of {self._topic}", patience_s=FIRST_TRY_S) as wait:
            while not self._positions.is_read():
                self._turned.clear()
                await first_of(self._task, self._turned)
                self.check()
                wait.met = self._failed

    async def until_current(self) -> None:
        """Return at once where everything of a few seconds ago (`current_s`) was taken; wait otherwise."""
        while not self.is_current():
            self._turned.clear()
            await self._turned.wait()

    def is_current(self) -> bool:
        """Whether everything that Kafka had a few seconds ago has been taken."""
        return self._positions.is_current(time.time() - self._current_s)

    def ready(self) -> str | None:
        """Return the reason while the topic is still being read, else None."""
        return None if self.is_current() else f"reading the topic {self._topic}"

    def check(self) -> None:
        """Raise what ended the following, if anything did."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def close(self) -> None:
        """Stop following."""
        if self._task is not None:
            await cancel(self._task)

    async def _run(self) -> None:
        while True:
            if self._positions.wanted == frozenset():
                self._reassigned.clear()
                await self._reassigned.wait()
            else:
                await follow(
                    self._settings,
                    self._read,
                    self._note_failure,
                    silent_s=self._silent_s,
                    max_poll_records=_POLL_RECORDS,
                )

    def _note_failure(self, error: Exception) -> None:
        if not is_transient(error):
            raise error
        self._failed = brief(error)
        self._turned.set()
        _log.warning("the topic %s cannot be read, retrying: %s", self._topic, self._failed)

    async def _read(self, polls: Polls) -> None:
        """Read on from where an earlier connection came to, until there is another assignment."""
        client, reached = polls.client, self._positions.reached
        self._reassigned.clear()
        wanted = self._positions.wanted
        if wanted == frozenset():
            return
        partitions = await partitions_of(client, self._topic)
        if wanted is not None:
            partitions = [tp for tp in partitions if tp.partition in wanted]
        asked_at = time.time()
        ends = dict(await client.end_offsets(partitions))
        await polls.begin(partitions, reached)
        while True:
            positions = {tp: await client.position(tp) for tp in partitions}
            if self._reassigned.is_set():
                # One that was lost, and one that returned, are no longer as far as this connection is.
                positions = {tp: position for tp, position in positions.items() if tp.partition in reached}
                self._look(client, positions, ends, asked_at)
                return
            if self._look(client, positions, ends, asked_at):
                polls.heard()
                self._failed = ""
            for tp, records in (await polls.next()).items():
                if self._positions.wants(tp.partition):
                    await self._hand_over(records)

    def _look(
        self,
        client: AIOKafkaConsumer,
        positions: dict[TopicPartition, int],
        ends: dict[TopicPartition, int],
        asked_at: float,
    ) -> bool:
        """Update the position of each partition; return whether Kafka has reported anything new."""
        news = False
        for tp, position in positions.items():
            known = [(ends[tp], asked_at)]
            # The end as the last answer told it: later than `ends`, and asked for by the way.
            if (highwater := client.highwater(tp)) is not None:
                known.append((highwater, client.last_poll_timestamp(tp) / 1000))
            news |= self._positions.note(tp.partition, position, known)
        self._turned.set()
        return news

    async def _hand_over(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        changes = [change_of(record, record.key, self._decode) for record in records if record.key is not None]
        if changes:
            await self._take(changes)
