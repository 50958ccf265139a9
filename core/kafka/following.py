"""Follows partitions without a consumer group: one connection after another, each until it fails or falls silent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from core.backoff import Backoff
from core.kafka.clients import consumer, stop_client
from core.settings.model import Settings
from core.tasks import is_being_cancelled
from core.waiting import INITIAL_S, MAX_S

SILENT_S = 30.0
"""Without an answer for this long the connection is made anew: aiokafka's consumer can fall silent after time-outs."""
_POLL_MS = 200
"""How late, at most, what else there is to do between two polls is done."""


class Polls:
    """Polls one consumer, until Kafka is silent.

    Args:
        client: without a group.
        backoff: is reset when Kafka is heard of.
        silent_s: without `heard` for this long, polling fails.
    """

    def __init__(self, client: AIOKafkaConsumer, backoff: Backoff, silent_s: float) -> None:
        self.client = client
        self._backoff = backoff
        self._silent_s = silent_s
        self._heard_s = time.monotonic()

    async def begin(self, partitions: Sequence[TopicPartition], reached: Mapping[int, int]) -> None:
        """Assign partitions of a topic, each from the offset that was reached in it, or from its beginning."""
        self.client.assign(partitions)
        if fresh := [tp for tp in partitions if tp.partition not in reached]:
            # In one call: each waits for a turn of aiokafka's fetcher.
            await self.client.seek_to_beginning(*fresh)
        for tp in partitions:
            if tp.partition in reached:
                self.client.seek(tp, reached[tp.partition])
        self._heard_s = time.monotonic()

    def heard(self) -> None:
        """Kafka has told something new."""
        self._heard_s = time.monotonic()
        self._backoff.reset()

    async def next(self) -> dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]]:
        """Give the records that there are, none after a moment without any.

        Raises:
            TimeoutError: Kafka has been silent for too long.
        """
        if time.monotonic() - self._heard_s >= self._silent_s:
            raise TimeoutError(f"no answer for {self._silent_s:g} s")
        return await self.client.getmany(timeout_ms=_POLL_MS)


async def follow(
    settings: Settings,
    read: Callable[[Polls], Awaitable[None]],
    failed: Callable[[Exception], None],
    *,
    silent_s: float = SILENT_S,
    **options: Any,
) -> None:
    """Read with one consumer after another, with back-off, until `read` returns.

    Args:
        settings: of the process.
        read: assigns partitions and polls; goes on where the connection before has ended.
        failed: is told of what a connection ended with, and raises what is not to be tried again.
        silent_s: Kafka may tell nothing new for so long.
        options: of the consumer, as `core.kafka.consumer` takes them.
    """
    backoff = Backoff(INITIAL_S, MAX_S)
    while True:
        try:
            client = await consumer(settings, **options)
            try:
                return await read(Polls(client, backoff, silent_s))
            finally:
                await stop_client(client)
        except asyncio.CancelledError:
            if is_being_cancelled():
                raise
            failed(ConnectionError("the consumer has cancelled itself"))  # aiokafka is known to
        except Exception as error:  # noqa: BLE001 - `failed` raises what is not to be tried again
            failed(error)
        await asyncio.sleep(backoff.next_s())
