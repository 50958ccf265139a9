"""Offsets live in PostgreSQL; where they do not fit the topic, the sink says so instead of leaving a gap."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, PolicyViolationError

from core import kafka
from core.archive.connection import Pool
from core.kafka.topics import create_topics
from core.settings import Settings
from schemas.topics import physical
from sinks.integrity.digest import archive_digest
from sinks.service import SinkService
from sinks.writing.consumer import GroupReader
from sinks.writing.stored_offsets import PositionError, StoredOffset
from tests.broker.sinks.material import event, feed, running_sink
from tests.waiting import until

pytestmark = pytest.mark.broker


async def archive(settings: Settings, pool: Pool, numbers: range) -> None:
    """Feed events and run a sink until they are rows."""
    async with feed(settings) as fed, running_sink(settings):
        await fed.events(event(number) for number in numbers)

        async def complete() -> object:
            return await pool.fetchval("SELECT count(*) FROM events") == numbers.stop

        await until(complete, "the archive holds everything")


async def make_again(settings: Settings) -> None:
    """Delete the events topic and create it under the same name."""
    admin = await kafka.admin(settings)
    name = physical(settings.kafka.topic_prefix, "events")
    await admin.delete_topics([name])

    async def created() -> bool:
        try:
            await create_topics(settings)
        except (KafkaError, RuntimeError, TimeoutError):
            return False
        return True

    async def gone() -> bool:
        return name not in await admin.list_topics()

    await until(gone, "the topic is gone")
    await until(created, "the topic is made anew")
    await kafka.stop_client(admin)


@pytest.mark.parametrize("ids_known", [True, False], ids=["by its id", "by the time of the last record"])
async def test_a_topic_that_was_made_again_is_an_error_with_a_remedy(
    settings: Settings, pool: Pool, *, ids_known: bool
) -> None:
    await archive(settings, pool, range(40))
    await make_again(settings)
    if not ids_known:  # as with a broker that is too old to tell them
        await pool.execute("UPDATE sink_offsets SET topic_id = NULL")
    async with feed(settings) as fed:
        await fed.events(event(number) for number in range(1000, 1400))  # more than before in each partition
    with pytest.raises(PositionError, match="made again") as caught:
        await run_sink_until_it_ends(settings)
    assert await pool.fetchval("SELECT count(*) FROM events") == 40
    await pool.execute(str(caught.value).rsplit(": ", 1)[1])
    async with running_sink(settings):

        async def complete() -> object:
            return await pool.fetchval("SELECT count(*) FROM events") == 440

        await until(complete, "the archive holds everything")


async def test_records_deleted_before_they_were_read_are_an_error(settings: Settings, pool: Pool) -> None:
    await archive(settings, pool, range(40))
    async with feed(settings) as fed:
        await fed.events(event(number) for number in range(40, 80))
    admin = await kafka.admin(settings)
    topic = physical(settings.kafka.topic_prefix, "events")
    ends = await kafka.end_offsets(settings, [topic])
    # A compacted topic refuses to delete records; the sink must not rely on that.
    await set_cleanup(admin, topic, "delete")
    until_the_end = {tp: RecordsToDelete(before_offset=end) for tp, end in ends.items()}

    async def deleted() -> bool:
        # The broker learns of the change from the controller, a moment later.
        try:
            await admin.delete_records(until_the_end)
        except PolicyViolationError:
            return False
        return True

    await until(deleted, "the records are deleted")
    await kafka.stop_client(admin)
    with pytest.raises(PositionError, match="deleted before the archive read them"):
        await run_sink_until_it_ends(settings)


async def test_reading_goes_on_where_the_rows_end_whatever_kafka_has_as_offset(settings: Settings, pool: Pool) -> None:
    await archive(settings, pool, range(40))
    topic = physical(settings.kafka.topic_prefix, "events")
    liar = await kafka.consumer(settings, topic, group_id=settings.sink.group_id)
    await liar.commit({TopicPartition(topic, number): 1_000 for number in range(settings.kafka.partitions)})
    await kafka.stop_client(liar)
    await pool.execute(
        "UPDATE sink_offsets SET next_offset = next_offset - 1, last_timestamp_ms = NULL WHERE next_offset > 1"
    )
    await archive(settings, pool, range(40, 80))
    assert (await archive_digest(pool)).events == 80


async def set_cleanup(admin: AIOKafkaAdminClient, topic: str, policy: str) -> None:
    """Change what Kafka does with old records of a topic."""
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"cleanup.policy": policy})])


async def run_sink_until_it_ends(settings: Settings) -> None:
    """Run a sink and raise what ends it."""
    service = SinkService(settings)
    try:
        await service.start()
        async with asyncio.timeout(60):
            await service.run()
    finally:
        await service.close()


async def test_records_of_a_partition_that_was_not_placed_are_discarded_and_read_again(settings: Settings) -> None:
    topic = physical(settings.kafka.topic_prefix, "events")
    async with feed(settings) as fed:
        await fed.events(event(number) for number in range(40))
    reader = GroupReader(settings.sink.group_id)
    # aiokafka reads on from a position of its own, as it may between an assignment and the pause that follows.
    consumer = await kafka.consumer(settings, topic, group_id=settings.sink.group_id, listener=reader)
    reader.attach(consumer)
    consumer.resume(*reader.assigned())
    identities = await reader.identities(reader.assigned())
    while any([await consumer.position(tp) < identity.end for tp, identity in identities.items()]):
        assert await reader.poll(0.1, 100) == []
    reader.place(
        {tp: StoredOffset(0, now.cluster_id, now.topic_id, None) for tp, now in identities.items()}, identities
    )
    found: list[int] = []

    async def all_found() -> bool:
        found.extend(len(chunk.records) for chunk in await reader.poll(0.1, 100))
        return sum(found) == 40

    await until(all_found, "all positions are found")
    assert reader.positions() == {tp: identity.end for tp, identity in identities.items()}
    await kafka.stop_client(consumer)


async def test_an_idle_reader_takes_nothing_and_goes_on_where_it_was(settings: Settings) -> None:
    topic = physical(settings.kafka.topic_prefix, "events")
    reader = GroupReader(settings.sink.group_id)
    consumer = await kafka.consumer(settings, topic, group_id=settings.sink.group_id, listener=reader)
    reader.attach(consumer)
    identities = await reader.identities(reader.assigned())
    stored = {tp: StoredOffset(0, now.cluster_id, now.topic_id, None) for tp, now in identities.items()}
    reader.place(stored, identities)
    async with feed(settings) as fed:
        await fed.events(event(number) for number in range(40))
    await reader.idle(0.1)
    assert consumer.paused() == reader.assigned()
    assert set(reader.positions().values()) == {0}
    reader.resume()
    found: list[int] = []

    async def all_found() -> bool:
        found.extend(len(chunk.records) for chunk in await reader.poll(0.1, 100))
        return sum(found) == 40

    await until(all_found, "all records are read")
    await kafka.stop_client(consumer)
