from __future__ import annotations

import asyncio
import contextlib
import random

import pytest
from aiokafka.errors import MessageSizeTooLargeError, ProducerClosed

from core import metrics, waiting
from core.kafka import (
    ProducerRecord,
    Publisher,
    PublishError,
    RecordTooLargeError,
    consumer,
    end_offsets,
    open_publisher,
    producer,
    publisher,
    stop_client,
)
from core.kafka.topics import create_topics
from core.settings import Settings
from schemas.topics import physical
from tests.broker.core.away import paused
from tests.waiting import until

pytestmark = pytest.mark.broker

KIB, MIB = 1024, 1024 * 1024
PATIENCE_S = 60.0


@pytest.fixture
async def events(settings: Settings) -> str:
    await create_topics(settings)
    return physical(settings.kafka.topic_prefix, "events")


async def count(settings: Settings, topic: str) -> int:
    return sum((await end_offsets(settings, [topic])).values())


def servers_of(settings: Settings) -> str:
    assert settings.kafka.bootstrap_servers is not None
    return settings.kafka.bootstrap_servers


def pauses() -> float:
    return metrics.values()["bigbrotr_producer_pauses_total"]


async def until_paused(before: float) -> None:
    await until(lambda: pauses() > before, "a pause of the sender")


async def test_records_arrive_in_order_with_key_partition_and_headers(settings: Settings, events: str) -> None:
    sender = await open_publisher(settings)
    futures = [
        await sender.send(events, b"%d" % number, b"key", 3, [("reason", b"why")] if number else ())
        for number in range(100)
    ]
    await sender.flush(PATIENCE_S)
    assert (sender.in_flight_bytes, sender.in_flight_records) == (0, 0)
    assert [future.result().offset for future in futures] == list(range(100))
    assert {future.result().partition for future in futures} == {3}
    assert await sender.close()

    reader = await consumer(settings, events)
    records = [await reader.getone() for _ in range(100)]
    await stop_client(reader)
    assert [record.value for record in records] == [b"%d" % number for number in range(100)]
    assert (records[0].headers, records[1].headers) == ((), (("reason", b"why"),))


async def test_while_the_broker_is_away_no_more_than_the_bound_is_held_and_nothing_is_lost(
    settings: Settings, events: str
) -> None:
    sender = Publisher(await producer(settings), most_bytes=MIB, limits={}, quiet_s=0)
    await sender.producer.partitions_for(events)
    most_held = sent = 0

    async def send(number: int) -> None:
        nonlocal most_held, sent
        for key in range(50):
            await sender.send(events, bytes(40 * KIB), b"%d-%d" % (number, key), key % 4)
            sent += 1
            most_held = max(most_held, sender.in_flight_bytes)

    before = pauses()
    with paused(servers_of(settings)):
        tasks = [asyncio.create_task(send(number)) for number in range(4)]
        await until_paused(before)
        assert sent < 200
        assert any("waiting for Kafka to acknowledge" in reason for reason in waiting.reasons())
        with pytest.raises(TimeoutError):
            await sender.flush(0.1)
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*tasks)
    await sender.flush(PATIENCE_S)
    assert most_held <= MIB
    assert waiting.reasons() == []
    assert await sender.close()
    assert await count(settings, events) == 200


@pytest.mark.parametrize("partitions_known", [True, False])
async def test_a_send_outlasts_the_time_limit_of_the_client(
    settings: Settings, events: str, *, partitions_known: bool
) -> None:
    """aiokafka gives up on a record after request_timeout_ms; a broker that is away longer is still waited for."""
    client = await producer(settings, request_timeout_ms=300, max_batch_size=16 * KIB)
    sender = Publisher(client, most_bytes=MIB, limits={})
    if partitions_known:
        await client.partitions_for(events)

    async def send() -> None:
        for number in range(40):
            await sender.send(events, bytes(4 * KIB), b"%d" % number, 0)

    with paused(servers_of(settings)):
        task = asyncio.create_task(send())
        await until(lambda: any("Kafka to take records" in reason for reason in waiting.reasons()), "a refusal")
    async with asyncio.timeout(PATIENCE_S):
        await task
    await sender.flush(PATIENCE_S)
    assert await sender.close()
    # Idempotence: what was tried again while the broker was away is there once.
    assert await count(settings, events) == 40


async def test_a_record_given_up_makes_every_later_call_raise(settings: Settings, events: str) -> None:
    sender = Publisher(await producer(settings), most_bytes=16 * MIB, limits={})
    # Random, because the broker counts the bytes after compression.
    refused = await sender.send(physical(settings.kafka.topic_prefix, "sightings"), random.randbytes(3 * MIB), None, 0)
    with pytest.raises(MessageSizeTooLargeError):
        await refused
    with pytest.raises(PublishError, match="MessageSizeTooLargeError"):
        sender.raise_if_failed()
    with pytest.raises(PublishError):
        await sender.send(events, b"value", b"key", 0)
    with pytest.raises(PublishError):
        await sender.flush(PATIENCE_S)
    await sender.close()


@pytest.mark.parametrize("codec", ["none", "lz4", "zstd", "snappy", "gzip"])
async def test_a_record_larger_than_its_topic_takes_is_refused_alone(
    settings: Settings, events: str, codec: str
) -> None:
    with_codec = settings.kafka.model_copy(update={"compression": codec})
    sender = await open_publisher(settings.model_copy(update={"kafka": with_codec}))
    with pytest.raises(RecordTooLargeError, match=r"larger than the 4190208 of .*events"):
        await sender.send(events, bytes(4 * MIB), b"key", 0)
    # Random, so that it is as large on its way as the topic takes, and larger than what a reader asks for at a time.
    largest = random.randbytes(4 * MIB - 4 * KIB - publisher.RECORD_OVERHEAD_BYTES - len(b"key"))
    assert sender.takes(ProducerRecord(events, largest, b"key", 0))
    assert not sender.takes(ProducerRecord(events, largest, b"key", 0, [("one", b"byte more")]))
    await sender.send(events, largest, b"key", 0)
    await sender.flush(PATIENCE_S)
    assert await sender.close()
    reader = await consumer(settings, events)
    async with asyncio.timeout(PATIENCE_S):
        assert (await reader.getone()).value == largest
    assert await stop_client(reader)


async def test_what_is_delivered_is_acknowledged_also_where_the_broker_was_away(
    settings: Settings, events: str
) -> None:
    sender = await open_publisher(settings)
    await sender.deliver(ProducerRecord(events, b"value", b"key", partition) for partition in range(3))
    assert (sender.in_flight_records, await count(settings, events)) == (0, 3)
    with paused(servers_of(settings)):
        delivering = asyncio.create_task(sender.deliver([ProducerRecord(events, None, b"key", 0)]))
        await until(lambda: sender.in_flight_records, "the record is handed over")
        assert not delivering.done()
    async with asyncio.timeout(PATIENCE_S):
        await delivering
    assert await sender.close()
    assert await count(settings, events) == 4


async def test_a_cancelled_wait_for_room_takes_nothing(settings: Settings, events: str) -> None:
    sender = await open_publisher(settings, most_bytes=100 * KIB)
    await sender.producer.partitions_for(events)
    before = pauses()
    with paused(servers_of(settings)):
        await sender.send(events, bytes(90 * KIB), b"0", 0)
        waits = asyncio.create_task(sender.send(events, bytes(90 * KIB), b"1", 0))
        await until_paused(before)
        waits.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waits
    await sender.flush(PATIENCE_S)
    assert sender.in_flight_bytes == 0
    assert await sender.close()
    assert await count(settings, events) == 1


async def test_a_cancelled_send_that_the_client_holds_up_takes_nothing(settings: Settings, events: str) -> None:
    sender = await open_publisher(settings)
    with paused(servers_of(settings)):
        # The client must ask for the partitions of a topic that it cannot have heard of, and gets no answer.
        waits = asyncio.create_task(sender.send(f"{events}.not-made", b"value", b"key", 0))
        await until(lambda: sender.in_flight_records, "the record is handed over")
        waits.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waits
        assert (sender.in_flight_bytes, sender.in_flight_records) == (0, 0)
    assert await sender.close()


async def test_closing_does_not_wait_for_a_broker_that_is_away(settings: Settings, events: str) -> None:
    sender = await open_publisher(settings)
    await sender.producer.partitions_for(events)
    with paused(servers_of(settings)):
        future = await sender.send(events, b"value", b"key", 0)
        assert not await sender.close(0.2)
    with pytest.raises(ProducerClosed):
        await future
    assert waiting.reasons() == []
