"""What follows without a consumer group makes its connection anew, against a real broker."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from core.kafka.following import Polls, follow
from core.kafka.topics import create_topics
from core.settings import Settings
from schemas.topics import physical

pytestmark = pytest.mark.broker


async def test_silence_ends_a_connection_and_the_next_is_told_of_nothing_before(settings: Settings) -> None:
    await create_topics(settings)
    partitions = [TopicPartition(physical(settings.kafka.topic_prefix, "coverage"), number) for number in (0, 1)]
    clients: list[AIOKafkaConsumer] = []
    failures: list[Exception] = []
    positions: list[int] = []

    async def read(polls: Polls) -> None:
        clients.append(polls.client)
        await polls.begin(partitions, {1: 7})
        positions.extend([await polls.client.position(tp) for tp in partitions])
        if len(clients) == 1:
            await polls.next()

    await follow(settings, read, failures.append, silent_s=0.0)
    assert [(type(each), str(each)) for each in failures] == [(TimeoutError, "no answer for 0 s")]
    assert len({id(each) for each in clients}) == 2
    assert positions == [0, 7, 0, 7]


async def test_a_failure_that_is_not_to_be_tried_again_comes_out(settings: Settings) -> None:
    async def read(_: Polls) -> None:
        raise LookupError("of our own")

    def failed(error: Exception) -> None:
        raise error

    with pytest.raises(LookupError):
        await follow(settings, read, failed)


async def test_a_consumer_that_cancels_itself_is_made_anew_and_a_real_cancellation_ends_it(settings: Settings) -> None:
    reads = 0
    is_waiting = asyncio.Event()
    failures: list[str] = []

    async def read(_: Polls) -> None:
        nonlocal reads
        reads += 1
        if reads == 1:
            raise asyncio.CancelledError
        is_waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(follow(settings, read, lambda error: failures.append(str(error))))
    await is_waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (reads, failures) == (2, ["the consumer has cancelled itself"])
