"""Follows the topic `erasures`: all of it is read before anything is judged or written, and then what comes.

Every reader needs every rule, so there is no consumer group: each process reads all partitions from their beginning.
Whoever acts on rules waits for `until_current` first. It holds them back where the rules may be old, at the start and
after an outage of the broker, until everything that Kafka has of them has been taken.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from core import kafka, metrics
from core.backoff import Backoff
from core.settings_model import Settings
from core.waiting import INITIAL_S, MAX_S, brief, waiting_for
from schemas.erasure import Erasure, Erasures
from schemas.topics import physical

_log = logging.getLogger(__name__)

# Kafka answers a fetch after half a second at the latest, also when there is nothing; several answers may be late.
CURRENT_S = 5.0
# Without an answer for this long the connection is made anew: aiokafka's consumer can fall silent after time-outs.
_SILENT_S = 30.0
_POLL_MS = 500
# Decoding takes about 5 µs a record: the event loop must turn in between.
_POLL_RECORDS = 2_000


def into(index: Erasures) -> Callable[[Sequence[Erasure]], Awaitable[None]]:
    """Make what a follower hands rules to, where they only go into an index."""

    async def take(rules: Sequence[Erasure]) -> None:
        for rule in rules:
            index.add(rule)

    return take


class ErasureFollower:
    """Hands every rule to `take`, at least once, those of a partition in order.

    Args:
        settings: of the process.
        take: called with one or more rules; the next are read when it has returned. What it raises ends `start`, or
            comes out of `check`.
    """

    def __init__(self, settings: Settings, take: Callable[[Sequence[Erasure]], Awaitable[None]]) -> None:
        self._settings = settings
        self._take = take
        self._topic = physical(settings.kafka.topic_prefix, "erasures")
        self._reached: dict[TopicPartition, int] = {}
        self._current_at: dict[TopicPartition, float] = {}
        self._turned = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read what the topic has now, waiting for the broker as long as it takes; then follow it in a task."""
        self._task = asyncio.create_task(self._run(), name="erasures")
        current = asyncio.create_task(self.until_current())
        try:
            with waiting_for(f"the records of {self._topic}"):
                await asyncio.wait({self._task, current}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            current.cancel()
        self.check()

    async def until_current(self) -> None:
        """Return at once where the rules are those of a few seconds ago (`CURRENT_S`); wait for them otherwise."""
        while not self.is_current():
            self._turned.clear()
            await self._turned.wait()

    def is_current(self) -> bool:
        """Whether everything that Kafka had of rules a few seconds ago has been taken."""
        return bool(self._current_at) and time.time() - min(self._current_at.values()) < CURRENT_S

    def ready(self) -> str | None:
        """Tell that the rules are still being read, or None."""
        return None if self.is_current() else "reading what must not be stored, from the topic erasures"

    def check(self) -> None:
        """Raise what ended the following, if anything did: without it, erased events would come back."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def close(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        backoff = Backoff(INITIAL_S, MAX_S)
        while True:
            try:
                await self._follow(backoff)
            except Exception as error:
                if not kafka.is_transient(error):
                    raise
                _log.warning("the topic erasures cannot be read now: %s", brief(error))
            await asyncio.sleep(backoff.next_s())

    async def _follow(self, backoff: Backoff) -> None:
        """Read on from where an earlier connection came to; only an error ends it."""
        asked_at = time.time()
        ends = await kafka.end_offsets(self._settings, [self._topic])
        client = await kafka.consumer(self._settings, max_poll_records=_POLL_RECORDS)
        try:
            client.assign(list(ends))
            fresh = [tp for tp in ends if tp not in self._reached]
            if fresh:
                # In one call: each waits for a turn of aiokafka's fetcher.
                await client.seek_to_beginning(*fresh)
            for tp, position in self._reached.items():
                client.seek(tp, position)
            heard_at = time.monotonic()
            while time.monotonic() - heard_at < _SILENT_S:
                if await self._look(client, ends, asked_at):
                    heard_at = time.monotonic()
                    backoff.reset()
                records = await client.getmany(timeout_ms=_POLL_MS)
                for some in records.values():
                    await self._hand_over(some)
            raise TimeoutError(f"no answer for {_SILENT_S:.0f} s")
        finally:
            await kafka.stop_client(client)

    async def _look(self, client: AIOKafkaConsumer, ends: dict[TopicPartition, int], asked_at: float) -> bool:
        """Note which partitions were read to their end, and as of when; tell whether Kafka has told anything new."""
        moved = False
        for tp, end in ends.items():
            position = await client.position(tp)
            current_at = asked_at if position >= end else 0.0
            # The end as the last answer told it: later than `end`, and asked for by the way.
            highwater = client.highwater(tp)
            if highwater is not None and position >= highwater:
                current_at = client.last_poll_timestamp(tp) / 1000
            if position != self._reached.get(tp) or current_at > self._current_at.get(tp, 0.0):
                moved = True
            self._reached[tp] = position
            self._current_at[tp] = max(current_at, self._current_at.get(tp, 0.0))
        self._turned.set()
        return moved

    async def _hand_over(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        rules: list[Erasure] = []
        for record in records:
            try:
                rules.append(Erasure.decode(record.value or b""))
            except ValueError as error:
                # Skipped, because it says nothing; counted, because somebody may have meant something.
                metrics.BAD_ERASURES.inc()
                _log.error(
                    "record %d of partition %d of %s is no erasure: %s",
                    record.offset,
                    record.partition,
                    record.topic,
                    brief(error),
                )
        if rules:
            await self._take(rules)
