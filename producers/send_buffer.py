"""Send buffer of a producer: takes records without waiting, sends them in order, bounds unacknowledged bytes.

The one place of a producer that knows what is durable: `flushed` returns when everything put before it is, so progress
may be recorded after it, and `room` makes a reader wait while too much is unacknowledged.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from core import metrics
from core.byte_limiter import ByteLimiter
from core.flag import Flag
from core.tasks import run_until_first

Value: TypeAlias = bytes  # a property of the send_buffer bears the type's own name
Headers = Sequence[tuple[str, bytes]]
Acknowledged = Callable[[int, int], None]
"""Told the partition and the offset of a record."""
_RECORD_OVERHEAD_BYTES = 256
"""What an entry costs in memory besides its value; keeps many tiny records within the bound."""


class RecordPlace(Protocol):
    """Where Kafka put a record (aiokafka's RecordMetadata)."""

    @property
    def partition(self) -> int:
        """Of the topic."""

    @property
    def offset(self) -> int:
        """In the partition."""


class Sender(Protocol):
    """What a send buffer needs: `core.kafka.Publisher`."""

    async def send(
        self, topic: str, value: bytes | None, key: bytes | None, partition: int, headers: Headers = ()
    ) -> asyncio.Future[Any]:
        """Send a record, waiting while the buffer is full; the future is done when the record is acknowledged."""


class _Record(NamedTuple):
    number: int
    topic: str
    value: bytes
    key: bytes | None
    partition: int
    headers: Headers
    acknowledged: Acknowledged | None
    priority_bytes: int

    @property
    def regular_bytes(self) -> int:
        return len(self.value) + _RECORD_OVERHEAD_BYTES - self.priority_bytes


class Room(ByteLimiter):
    """The room of a lane in a send buffer (`Backpressure`)."""

    async def room(self) -> None:
        """Wait until records may be put.

        Raises:
            Exception: what failed the send_buffer.
        """
        if self.full:
            metrics.PRODUCER_PAUSES.inc()
        await self.below_limit()


class SendBuffer:
    """Put records from anywhere on the event loop; `run` sends them. An undeliverable record fails the buffer."""

    def __init__(self, sender: Sender, in_flight_bytes: int, priority_bytes: int = 0) -> None:
        """Prepare; `run` sends.

        Args:
            sender: takes the records.
            in_flight_bytes: unacknowledged bytes from which on it is `full`.
            priority_bytes: those of the priority lane, which are counted apart, from which on `priority` is full.
                Records leave in order, so that Kafka takes of each lane in proportion to these bounds.
        """
        self._sender = sender
        self._regular = Room(in_flight_bytes, self.raise_if_failed)
        self.priority = Room(priority_bytes, self.raise_if_failed)
        self._queue: deque[_Record] = deque()
        self._unacknowledged: dict[int, None] = {}
        self._number = 0
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._arrived = Flag()
        self._failure: BaseException | None = None
        self._failed = Flag()

    @property
    def bytes(self) -> int:
        """Unacknowledged now."""
        return self._regular.used_bytes + self.priority.used_bytes

    @property
    def full(self) -> bool:
        """Whether readers must wait for `room`."""
        return self._regular.full

    def put(
        self,
        topic: str,
        value: Value,
        *,
        key: Value | None = None,
        partition: int,
        headers: Headers = (),
        acknowledged: Acknowledged | None = None,
        priority_bytes: int = 0,
    ) -> None:
        """Take a record. Never waits: a caller that puts without end must look at `full` between.

        Args:
            topic: physical name.
            value: the record's value.
            key: the record's key.
            partition: where it must go.
            headers: the record's headers.
            acknowledged: called once the record is durable.
            priority_bytes: so many of its bytes are of the priority lane.
        """
        self._number += 1
        record = _Record(self._number, topic, value, key, partition, headers, acknowledged, priority_bytes)
        self._queue.append(record)
        self._unacknowledged[record.number] = None
        self._regular.take(record.regular_bytes)
        self.priority.take(record.priority_bytes)
        self._arrived.set()

    async def room(self) -> None:
        """Wait until records may be put.

        Raises:
            Exception: what failed the send_buffer.
        """
        await self._regular.room()

    async def flushed(self) -> None:
        """Wait until everything put before this call is acknowledged.

        Raises:
            Exception: what failed the send_buffer.
        """
        self.raise_if_failed()
        if not self._unacknowledged:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((self._number, waiter))
        await waiter

    def raise_if_failed(self) -> None:
        """Raise what failed the send_buffer, if anything did."""
        if self._failure is not None:
            raise self._failure

    async def run(self) -> None:
        """Send what is put, until cancelled.

        Raises:
            Exception: a record failed for good: our own broken state.
        """
        try:
            await run_until_first(self._send(), self._failed.wait())
        except Exception as error:
            self._fail(error)
            raise
        self.raise_if_failed()

    async def _send(self) -> None:
        while True:
            while self._queue:
                record = self._queue.popleft()
                future = await self._sender.send(
                    record.topic, record.value, record.key, record.partition, record.headers
                )
                future.add_done_callback(functools.partial(self._done, record))
            self._arrived.clear()
            await self._arrived.wait()

    def _done(self, record: _Record, done: asyncio.Future[Any]) -> None:
        if done.cancelled():
            self._fail(RuntimeError(f"a record for {record.topic} was dropped before it was acknowledged"))
            return
        error = done.exception()
        if error is not None:
            self._fail(error)
            return
        if record.acknowledged is not None:
            place: RecordPlace = done.result()
            record.acknowledged(place.partition, place.offset)
        self._regular.release(record.regular_bytes)
        self.priority.release(record.priority_bytes)
        del self._unacknowledged[record.number]
        if self._waiters:
            self._wake()

    def _wake(self) -> None:
        oldest = next(iter(self._unacknowledged), self._number + 1)
        waiting = []
        for number, waiter in self._waiters:
            if waiter.done():
                continue
            if number < oldest:
                waiter.set_result(None)
            else:
                waiting.append((number, waiter))
        self._waiters = waiting

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._failed.set()
        self._regular.wake()
        self.priority.wake()
        for _, waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(self._failure)
        self._waiters.clear()
