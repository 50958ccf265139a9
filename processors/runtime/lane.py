"""One partition during one assignment: bundles judged one after another, acknowledged strictly in order.

Judging bundle N+1 begins when the signatures of bundle N are known, not when Kafka has its outputs: up to
`processor.bundles_in_flight` bundles wait for that at once. A lane that fails acknowledges nothing more.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from faust import Event

from core import metrics
from processors.runtime.context import Context
from processors.validate.outcome import Outcome, Source
from processors.validate.outputs import STAGE
from processors.validate.pipeline import conclude_bundle, examine_bundle
from processors.validate.seen import SeenSet

log = logging.getLogger(__name__)

# Nothing wakes a lane when Faust begins to drain; a drain has many seconds.
_LOOK_EVERY_S = 0.25


class Published(NamedTuple):
    """A bundle whose outputs are with the producer."""

    event: Event
    outcome: Outcome
    sent: list[asyncio.Future[Any]]
    began: float


class Lane:
    """The work on one partition.

    Args:
        partition: of `raw.bundles`.
        seen: what is remembered of it.
        context: what all lanes share.
        fail: called with the error that ends this lane, and with it the process.
    """

    def __init__(self, partition: int, seen: SeenSet, context: Context, fail: Callable[[BaseException], None]) -> None:
        self._partition = partition
        self._seen = seen
        self._context = context
        self._fail = fail
        self._slots = asyncio.Semaphore(context.bundles_in_flight)
        self._waiting: asyncio.Queue[Event] = asyncio.Queue()
        self._published: asyncio.Queue[Published] = asyncio.Queue()
        self._expected: int | None = None
        self._bytes = 0
        self._closed = False
        self.in_flight = 0
        self._tasks = [asyncio.create_task(self._judge()), asyncio.create_task(self._acknowledge())]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def put(self, event: Event) -> None:
        """Take a bundle, waiting while too many are in flight."""
        await self._slots.acquire()
        size = len(event.message.value or b"")
        await self._context.room.acquire(size)
        self._bytes += size
        self.in_flight += 1
        if self._closed:
            self._give_back(event)
        else:
            self._waiting.put_nowait(event)

    def close(self) -> None:
        """Stop where it stands: what is not acknowledged will be read again by whoever has the partition then."""
        for task in self._tasks:
            task.remove_done_callback(self._ended)
            task.cancel()
        self._seen.forget_in_flight()
        # A bundle that waits to be put is let through, to be given back.
        self._closed = True
        self._context.room.release(self._bytes)
        self._bytes = 0
        self._slots.release()

    async def _judge(self) -> None:
        context = self._context
        while True:
            event = await self._waiting.get()
            if not await self._may_begin():
                self._give_back(event)
                continue
            began = time.monotonic()
            message = event.message
            await self._follow(message.offset)
            source = Source(message.topic, self._partition, message.offset)
            found = examine_bundle(message.value or b"", self._seen, context.policy, context.erasing)
            verdicts = await context.verifier.verify(found.signatures)
            outcome = conclude_bundle(found, verdicts, self._seen, source, context.partitions)
            self._seen.hold(outcome.learned)
            sent = await context.outputs.publish(outcome, source)
            self._published.put_nowait(Published(event, outcome, sent, began))

    async def _may_begin(self) -> bool:
        """Wait until it is known what has been erased; False where Faust drains, which must not wait for that too."""
        context = self._context
        while context.is_flowing():
            try:
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await context.until_current()
            except TimeoutError:
                continue
            return context.is_flowing()
        return False

    async def _acknowledge(self) -> None:
        while True:
            event, outcome, sent, began = await self._published.get()
            if sent:
                await asyncio.gather(*sent)
            self._seen.learn(outcome.learned)
            event.ack()
            self._release(event)
            self._context.progress += 1
            _count(outcome, time.monotonic() - began)

    def _give_back(self, event: Event) -> None:
        """Let go of a bundle that was not begun, which a drain would wait for."""
        event.app.consumer.unacked.discard(event.message)
        self._release(event)

    def _release(self, event: Event) -> None:
        size = len(event.message.value or b"")
        self.in_flight -= 1
        self._bytes -= size
        self._context.room.release(size)
        self._slots.release()

    async def _follow(self, offset: int) -> None:
        """Make sure that no offset was skipped: Faust would commit past it."""
        if self._expected is None or offset > self._expected:
            await self._context.continuity.check(self._partition, self._expected, offset)
        self._expected = offset + 1

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)


def _count(outcome: Outcome, seconds: float) -> None:
    metrics.BUNDLES.inc()
    metrics.ACK_SECONDS.observe(seconds)
    metrics.COPIES.inc(outcome.lines)
    metrics.DUPLICATES.inc(outcome.duplicates)
    metrics.VERIFIED.inc(outcome.checked)
    for records in outcome.by_partition.values():
        metrics.ACCEPTED.inc(len(records.events))
        metrics.SIGHTINGS.inc(sum(map(len, records.sightings.values())))
    for cause, copies in outcome.erased.items():
        metrics.ERASED.labels(cause).inc(copies)
    for refused in outcome.refused:
        metrics.REJECTED.labels(STAGE, refused.reason).inc()
    for quarantined in outcome.quarantined:
        metrics.QUARANTINED.labels(quarantined.reason).inc()
