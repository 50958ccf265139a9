"""One partition during one assignment: records handled one after another, acknowledged strictly in order.

Handling record N+1 begins when it is known what follows from record N, not when Kafka has it: up to
`records_in_flight` records wait for that at once. A lane that fails acknowledges nothing more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from faust import Event

from core import metrics
from processors.runtime.context import Context
from processors.runtime.handler import SourceRecord

# Nothing wakes a lane when Faust begins to drain; a drain has many seconds.
_LOOK_EVERY_S = 0.25


class Published(NamedTuple):
    """A record whose outputs are with the producer."""

    event: Event
    acknowledged: Callable[[], None]
    sent: list[asyncio.Future[Any]]
    began: float


class Lane:
    """The work on one partition.

    Args:
        partition: of a source topic.
        context: what all lanes share.
        fail: called with the error that ends this lane, and with it the process.
    """

    def __init__(self, partition: TopicPartition, context: Context, fail: Callable[[BaseException], None]) -> None:
        self._partition = partition
        self._context = context
        self._fail = fail
        self._slots = asyncio.Semaphore(context.records_in_flight)
        self._waiting: asyncio.Queue[Event] = asyncio.Queue()
        self._published: asyncio.Queue[Published] = asyncio.Queue()
        self._expected: int | None = None
        self._bytes = 0
        self._closed = False
        self.in_flight = 0
        self._tasks = [asyncio.create_task(self._handle()), asyncio.create_task(self._acknowledge())]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def put(self, event: Event) -> None:
        """Take a record, waiting while too many are in flight."""
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
        """Stop where it stands: what is not acknowledged will be read again by the partition's next owner."""
        for task in self._tasks:
            task.remove_done_callback(self._ended)
            task.cancel()
        # A record that waits to be put is let through, to be given back.
        self._closed = True
        self._context.room.release(self._bytes)
        self._bytes = 0
        self._slots.release()

    async def _handle(self) -> None:
        context = self._context
        topic, partition = self._partition
        while True:
            event = await self._waiting.get()
            if not await self._may_begin():
                self._give_back(event)
                continue
            began = time.monotonic()
            message = event.message
            await self._follow(message.offset)
            record = SourceRecord(topic, partition, message.offset, message.key, message.value)
            outputs, acknowledged = await context.handler.handle(record)
            sent = await context.publisher.publish(outputs)
            self._published.put_nowait(Published(event, acknowledged, sent, began))

    async def _may_begin(self) -> bool:
        """Wait until what must be known is; False where Faust drains, which must not wait for that too."""
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
            event, acknowledged, sent, began = await self._published.get()
            if sent:
                await asyncio.gather(*sent)
            acknowledged()
            event.ack()
            self._release(event)
            self._context.done[self._partition.topic] += 1
            metrics.ACK_SECONDS.observe(time.monotonic() - began)

    def _give_back(self, event: Event) -> None:
        """Drop a record that was not begun, which a drain would wait for."""
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
