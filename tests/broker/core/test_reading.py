from __future__ import annotations

import asyncio

import pytest
from aiokafka.admin import NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition

from core import waiting
from core.kafka import (
    admin,
    consumer,
    end_offsets,
    offsets_at,
    open_publisher,
    producer,
    read_between,
    read_to_end,
    stop_client,
)
from core.kafka.topics import create_topics
from core.settings import Settings
from schemas.topics import DAY_MS, physical
from tests.broker.core.away import paused
from tests.broker.processors.harness import date_by_writers
from tests.waiting import until

pytestmark = pytest.mark.broker

PATIENCE_S = 60.0


@pytest.fixture
async def coverage(settings: Settings) -> str:
    await create_topics(settings)
    return physical(settings.kafka.topic_prefix, "coverage")


async def write(settings: Settings, topic: str, records: list[tuple[int, bytes | None, bytes | None]]) -> None:
    sender = await open_publisher(settings)
    for partition, key, value in records:
        await sender.send(topic, value, key, partition)
    await sender.flush(PATIENCE_S)
    await sender.close()


async def test_the_newest_value_wins_and_a_tombstone_removes(settings: Settings, coverage: str) -> None:
    await write(
        settings,
        coverage,
        [
            (0, b"a", b"old"),
            (1, b"b", b"kept"),
            (0, b"a", b"new"),
            (1, b"c", b"doomed"),
            (1, b"c", None),
            (2, b"d", b"of another partition"),
        ],
    )
    # Partition 3 is empty, partition 2 is not asked for.
    assert await read_to_end(settings, coverage, [0, 1, 3]) == {b"a": b"new", b"b": b"kept"}
    assert await read_to_end(settings, coverage, []) == {}


async def test_it_ends_behind_control_records(settings: Settings, coverage: str) -> None:
    client = await producer(settings, transactional_id=f"{settings.kafka.topic_prefix}tx")
    async with client.transaction():
        await client.send_and_wait(coverage, b"value", b"key", partition=0)
    await stop_client(client)
    # The commit marker takes the last offset, soon after the commit, and no consumer ever sees it.
    async with asyncio.timeout(PATIENCE_S):
        while (await end_offsets(settings, [coverage]))[TopicPartition(coverage, 0)] < 2:  # noqa: ASYNC110 - an offset has no event
            await asyncio.sleep(0.01)
    assert await read_to_end(settings, coverage, [0]) == {b"key": b"value"}


async def test_it_ends_with_an_error_once_a_broker_is_silent_for_too_long(settings: Settings, coverage: str) -> None:
    await write(settings, coverage, [(0, b"a", b"1")])
    tp = TopicPartition(coverage, 0)
    with waiting.giving_up_after(2):
        # The second record is never written, as if the broker had gone after it named its end.
        reading = read_between(settings, {}, {tp: 2})
        assert (await anext(reading)).value == b"1"
        with pytest.raises(waiting.ServerAwayError, match=r"^Kafka at 127\.0\.0\.1:\d+ has not answered within 2 s"):
            await anext(reading)


async def test_it_ends_where_all_records_are_gone(settings: Settings) -> None:
    topic = f"{settings.kafka.topic_prefix}deleted"
    client = await admin(settings)
    await client.create_topics([NewTopic(topic, 1, 1)])
    await write(settings, topic, [(0, b"key", b"value")] * 5)
    await client.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=5)})
    await stop_client(client)
    async with asyncio.timeout(PATIENCE_S):
        assert await read_to_end(settings, topic, [0]) == {}


async def test_records_written_meanwhile_are_not_waited_for(settings: Settings, coverage: str) -> None:
    await write(settings, coverage, [(0, b"%d" % number, b"old") for number in range(5000)])
    stop = asyncio.Event()

    async def keep_writing() -> None:
        sender = await open_publisher(settings)
        while not stop.is_set():
            await (await sender.send(coverage, b"new", b"key", 0))
        await sender.close()

    writing = asyncio.create_task(keep_writing())
    async with asyncio.timeout(PATIENCE_S):
        found = await read_to_end(settings, coverage, [0])
    stop.set()
    await writing
    assert {b"%d" % number for number in range(5000)} <= found.keys()


async def test_a_broker_that_is_away_is_waited_for_visibly(settings: Settings, coverage: str) -> None:
    await write(settings, coverage, [(0, b"%d" % number, bytes(1000)) for number in range(1000)])
    with paused(settings.kafka.bootstrap_servers or ""):
        reading = asyncio.create_task(read_to_end(settings, coverage, [0, 1, 2, 3], silent_s=0.5))
        await until(waiting.reasons, "a wait")
    async with asyncio.timeout(PATIENCE_S):
        assert len(await reading) == 1000
    assert waiting.reasons() == []


async def test_a_time_is_found_where_younger_records_were_deleted_before_it(settings: Settings) -> None:
    """Kafka looks into their segments, as long as they are there, and says that there is none."""
    await create_topics(settings)
    topic = physical(settings.kafka.topic_prefix, "raw.bundles")
    left, all_old, empty, whole = (TopicPartition(topic, number) for number in range(4))
    await date_by_writers(settings, "raw.bundles")
    # A segment is closed after a day, which its records' times tell.
    days = {left: (20, 30, 40), all_old: (20, 10, 10), empty: (20, 30), whole: (5, 6)}
    sender = await producer(settings)
    for tp, times in days.items():
        for day in times:
            await sender.send_and_wait(topic, b"{}", partition=tp.partition, timestamp_ms=day * DAY_MS)
    await stop_client(sender)
    client = await admin(settings)
    await client.delete_records({left: RecordsToDelete(1), all_old: RecordsToDelete(1), empty: RecordsToDelete(2)})
    await stop_client(client)
    ends = await end_offsets(settings, [topic])
    reader = await consumer(settings)
    found = {day: await offsets_at(settings, reader, ends, day * DAY_MS) for day in (15, 35, 6, 50)}
    assert found == {
        15: {left: 1, all_old: 3, empty: 2, whole: 2},
        35: {left: 2, all_old: 3, empty: 2, whole: 2},
        6: {left: 1, all_old: 1, empty: 2, whole: 1},
        50: ends,
    }
    await stop_client(reader)
