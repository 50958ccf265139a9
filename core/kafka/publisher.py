"""A producer with back-pressure (a bound on unacknowledged bytes) that reports every failed send.

aiokafka has no buffer limit, gives up on a record after 40 s without room, and reports a failed send only through a
future that may never be looked at. Here `send` waits for room as long as it takes, so a broker that is away pauses the
sender, and the first failed send makes every later call raise.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from math import inf
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from core import metrics, waiting
from core.byte_limiter import ByteLimiter
from core.kafka import clients
from core.settings.model import Settings
from schemas.topics import TOPICS, physical

logger = logging.getLogger(__name__)

# The header of a batch (61 bytes, KIP-98) and the variable-length numbers of one record, rounded up.
RECORD_OVERHEAD_BYTES = 128
# A broker measures what arrives, and aiokafka sends what compression made even where it is larger: lz4 adds 0.013 % to
# random bytes, gzip 0.03 %. A thousandth of the limit covers every codec.
_INCOMPRESSIBLE_SHARE = 1024
# Acknowledgements come within milliseconds; after this long without one, people are told that Kafka is waited for.
_QUIET_S = 5.0
FLUSH_S = 60.0
"""For what a command has written: it is acknowledged within milliseconds, and a person at a terminal wants to know that
Kafka is away."""

_open: set[Publisher] = set()


class PublishError(RuntimeError):
    """A record could not be delivered: what it covers must not be recorded as done, and the process must end."""


class RecordTooLargeError(ValueError):
    """A record is larger than its topic takes; it was not sent, and nothing else is affected."""


class ProducerRecord(NamedTuple):
    """A record to publish, with its partition; the topic by its full name."""

    topic: str
    value: bytes | None
    key: bytes | None
    partition: int
    headers: Sequence[tuple[str, bytes]] = ()


class Publisher:
    """Sends records with explicit partitions; see the module for what it adds to aiokafka's producer."""

    def __init__(
        self, producer: AIOKafkaProducer, *, most_bytes: int, limits: Mapping[str, int], quiet_s: float = _QUIET_S
    ) -> None:
        """Wrap a started producer.

        Args:
            producer: owned from now on: `close` stops it.
            most_bytes: unacknowledged bytes beyond which `send` waits; one record may be larger if it is alone.
            limits: max.message.bytes of each topic, by full name.
            quiet_s: without an acknowledgement after which people are told.
        """
        self.producer = producer
        self.in_flight_records = 0
        self._limiter = ByteLimiter(most_bytes, self.raise_if_failed)
        self._limits = {topic: limit - limit // _INCOMPRESSIBLE_SHARE for topic, limit in limits.items()}
        self._quiet_s = quiet_s
        self._failure: BaseException | None = None
        self._moved_at = time.monotonic()
        self._forget = waiting.watch(self._reason)
        _open.add(self)

    @property
    def in_flight_bytes(self) -> int:
        """Bytes handed over and not yet acknowledged."""
        return self._limiter.used_bytes

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> asyncio.Future[RecordMetadata]:
        """Hand a record over and return the future of its acknowledgement; waits while there is no room.

        Raises:
            PublishError: an earlier record was given up.
            RecordTooLargeError: this record is larger than its topic takes.
        """
        if self._failure is not None:
            self.raise_if_failed()
        size = _size_bytes(value, key, headers)
        if size > self._limits.get(topic, size):
            raise RecordTooLargeError(f"a record of {size} bytes is larger than the {self._limits[topic]} of {topic}")
        if not self._limiter.takes(size):
            metrics.PRODUCER_PAUSES.inc()
        elif not self.in_flight_records:
            self._moved_at = time.monotonic()
        await self._limiter.acquire(size)
        self.in_flight_records += 1
        try:
            try:
                future = await self.producer.send(topic, value, key, partition, headers=headers)
            except (KafkaError, OSError) as error:
                if not clients.is_transient(error):
                    raise
                future = await self._keep_trying(topic, value, key, partition, headers)
        except BaseException:
            self._release(size)
            raise
        future.add_done_callback(functools.partial(self._acknowledged, size))
        return future  # type: ignore[no-any-return]  # aiokafka's send has no types

    def takes(self, record: ProducerRecord) -> bool:
        """Whether a record is not larger than its topic takes."""
        return _size_bytes(record.value, record.key, record.headers) <= self._limits.get(record.topic, inf)

    async def deliver(self, records: Iterable[ProducerRecord]) -> None:
        """Hand records over and return once Kafka has acknowledged every one; waits for the broker without a limit.

        Raises:
            KafkaError: Kafka refused one for good.
            PublishError, RecordTooLargeError: as of `send`.
        """
        sent = [await self.send(*record) for record in records]
        await asyncio.gather(*sent)

    async def partition_count(self, topic: str) -> int:
        """Ask Kafka how many partitions a topic (full name) has, waiting until it is there.

        The broker's word and not the setting: an id sent to a partition by another count would not meet its copies.
        """

        async def attempt() -> int:
            found = await self.producer.partitions_for(topic)
            if not found:
                raise TimeoutError(f"the topic {topic} does not exist; `bigbrotr topics create` makes it")
            return len(found)

        return await waiting.until_it_works(f"the topic {topic}", attempt, clients.is_transient)

    def raise_if_failed(self) -> None:
        """Raise PublishError if any record was given up."""
        if self._failure is not None:
            raise PublishError(f"Kafka refused a record for good: {waiting.brief(self._failure)}") from self._failure

    async def flush(self, timeout_s: float = FLUSH_S) -> None:
        """Wait until everything handed over is acknowledged.

        Raises:
            TimeoutError: it was not within `timeout_s`.
            PublishError: a record was given up.
        """
        async with asyncio.timeout(timeout_s):
            await self._limiter.empty()

    async def close(self, timeout_s: float = clients.STOP_S) -> bool:
        """Stop the producer; False when records were left undelivered because `timeout_s` passed."""
        self._forget()
        _open.discard(self)
        return await clients.stop_client(self.producer, timeout_s)

    async def _keep_trying(
        self, topic: str, value: bytes | None, key: bytes | None, partition: int, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Future[RecordMetadata]:
        # After 40 s without room in the partition's batch, or without knowing the topic's partitions, aiokafka gives a
        # record up; nothing of it was sent.
        async def attempt() -> asyncio.Future[RecordMetadata]:
            self.raise_if_failed()
            return await self.producer.send(  # type: ignore[no-any-return]  # aiokafka's send has no types
                topic, value, key, partition, headers=headers
            )

        return await waiting.until_it_works(f"Kafka to take records of {topic}", attempt, clients.is_transient)

    def _release(self, size: int) -> None:
        self.in_flight_records -= 1
        self._limiter.release(size)

    def _acknowledged(self, size: int, future: asyncio.Future[RecordMetadata]) -> None:
        if not future.cancelled():
            error = future.exception()
            if error is None:
                self._moved_at = time.monotonic()
            elif self._failure is None:
                self._failure = error
                logger.error("a record could not be delivered: %s", waiting.brief(error))
        self._release(size)

    def _reason(self) -> str | None:
        quiet_s = time.monotonic() - self._moved_at
        if not self.in_flight_records or quiet_s < self._quiet_s:
            return None
        return f"waiting for Kafka to acknowledge {self.in_flight_bytes} bytes; none were for {quiet_s:.0f} s"


def _size_bytes(value: bytes | None, key: bytes | None, headers: Sequence[tuple[str, bytes]]) -> int:
    """Upper bound of a record's bytes in a batch of its own, before compression."""
    size = RECORD_OVERHEAD_BYTES + (len(value) if value else 0) + (len(key) if key else 0)
    return size + sum(len(name) + len(text) for name, text in headers) if headers else size


def _in_flight_bytes() -> float:
    return float(sum(publisher.in_flight_bytes for publisher in _open))


metrics.PRODUCER_IN_FLIGHT.set_function(_in_flight_bytes)


async def open_publisher(settings: Settings, *, most_bytes: int | None = None) -> Publisher:
    """Start a producer, waiting for the broker, and wrap it; `most_bytes` defaults to `kafka.in_flight_bytes`."""
    limits = {physical(settings.kafka.topic_prefix, topic.name): topic.max_message_bytes for topic in TOPICS}
    started = await clients.producer(settings)
    return Publisher(started, most_bytes=most_bytes or settings.kafka.in_flight_bytes, limits=limits)


@asynccontextmanager
async def publishing(settings: Settings) -> AsyncIterator[Publisher]:
    """Open a publisher for the length of a block, as commands do; what must be durable is flushed within it."""
    publisher = await open_publisher(settings)
    try:
        yield publisher
    finally:
        await publisher.close()
