"""Whether rows and offsets of an archive belong together: the one is what the other says, after any crash."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from core.kafka import consumer, stop_client
from core.settings.model import Settings
from schemas.records import sighting
from schemas.topics import physical
from tests.pipeline.world import connect

Offsets = dict[TopicPartition, int]

_OFFSETS = "SELECT topic, partition, next_offset FROM sink_offsets WHERE partition >= 0"


async def stored_offsets(settings: Settings) -> Offsets:
    """The next offset of each partition, as the archive holds them now."""
    connection = await connect(settings)
    try:
        rows = await connection.fetch(_OFFSETS)
    finally:
        await connection.close()
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}


def behind(now: Offsets, seen: Offsets) -> int:
    """By how many records offsets have gone back."""
    return sum(max(0, offset - now.get(tp, 0)) for tp, offset in seen.items())


async def assert_together(settings: Settings) -> None:
    """Assert that the archive holds exactly what lies before its offsets in Kafka, while it goes on growing."""
    connection = await connect(settings)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            offsets = await connection.fetch(_OFFSETS)
            ids = {row["id"] for row in await connection.fetch("SELECT id FROM events")}
            pairs = {tuple(row) for row in await connection.fetch("SELECT id, relay FROM event_sightings")}
    finally:
        await connection.close()
    ends = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in offsets}
    events, sightings = (physical(settings.kafka.topic_prefix, name) for name in ("events", "sightings"))
    client = await consumer(settings)
    try:
        covered = {record.key async for record in _before(client, ends, events)}
        told = {
            (bytes.fromhex(event_id), group.relay)
            async for record in _before(client, ends, sightings)
            for group in sighting.decode(record.value or b"")
            for event_id, _ in group.ids
        }
    finally:
        await stop_client(client)
    assert ids == covered, f"{len(covered - ids)} events are lost, {len(ids - covered)} are not covered by offsets"
    assert pairs == told, f"{len(told - pairs)} pairs are lost, {len(pairs - told)} are not covered by offsets"


async def _before(client: AIOKafkaConsumer, ends: Offsets, topic: str) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """Every record of a topic that lies before these offsets."""
    mine = {tp: end for tp, end in ends.items() if tp.topic == topic}
    client.assign(list(mine))
    await client.seek_to_beginning(*mine)
    while any([await client.position(tp) < end for tp, end in mine.items()]):
        for tp, records in (await client.getmany(timeout_ms=200)).items():
            for record in records:
                if record.offset < mine[tp]:
                    yield record
