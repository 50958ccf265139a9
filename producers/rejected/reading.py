"""Reads refused input from Kafka, record by record, and only the offsets that a period of time can be in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from core import kafka
from core.kafka.topic_admin import topic_partitions
from core.settings import Settings
from producers.rejected.records import Place, RejectedInput, Selection
from schemas.topics import physical

# The broker dates records, and its clock may differ from ours: so much around a time is read too.
_CLOCKS_MS = 60_000


class GoneError(LookupError):
    """A record is not in its topic (any more); the message states what the topic has."""


class Stretch(NamedTuple):
    """What is to be read of each partition: from one offset up to but not including another."""

    begins: kafka.Offsets
    ends: kafka.Offsets

    def records(self) -> int:
        """How many records that are, at most."""
        return kafka.lag(self.ends, self.begins, {})


async def stretch(settings: Settings, wanted: Selection) -> Stretch:
    """Ask Kafka where the wanted records lie, up to those that are there now; topics that do not exist hold none."""
    names = [physical(settings.kafka.topic_prefix, name) for name in wanted.topics]
    present = await _present(settings)
    partitions = [TopicPartition(name, number) for name in names for number in sorted(present.get(name, ()))]
    if not partitions:
        return Stretch({}, {})
    client = await kafka.consumer(settings)
    try:
        begins, ends = await kafka.bounds(client, partitions)
        if wanted.since_ms is not None:
            begins = await kafka.offsets_at(settings, client, ends, max(0, wanted.since_ms - _CLOCKS_MS))
        if wanted.until_ms is not None:
            ends = await kafka.offsets_at(settings, client, ends, wanted.until_ms + _CLOCKS_MS)
        return Stretch(begins, ends)
    finally:
        await kafka.stop_client(client)


async def read(settings: Settings, wanted: Selection, where: Stretch) -> AsyncIterator[RejectedInput | None]:
    """Give what is wanted, in the order of each partition; None for each record that is not wanted."""
    prefix = settings.kafka.topic_prefix
    async for record in kafka.read_between(settings, where.begins, where.ends):
        item = _item(prefix, record)
        yield item if wanted.wants(item) else None


async def read_places(settings: Settings, places: list[Place]) -> list[RejectedInput]:
    """Give the records at places.

    Raises:
        GoneError: there is none at one of them.
    """
    prefix = settings.kafka.topic_prefix
    records = await read_records(
        settings, [(TopicPartition(physical(prefix, place.topic), place.partition), place.offset) for place in places]
    )
    return [_item(prefix, record) for record in records.values()]


async def read_records(
    settings: Settings, places: list[tuple[TopicPartition, int]]
) -> dict[tuple[TopicPartition, int], ConsumerRecord[bytes, bytes]]:
    """Give single records of any topics (full names), in the order of the places.

    Raises:
        GoneError: there is none at one of them.
    """
    present = await _present(settings)
    for tp, _ in places:
        if tp.partition not in present.get(tp.topic, ()):
            raise GoneError(f"{tp.topic} has no partition {tp.partition}")
    begins, ends = await _bounds(settings, {tp for tp, _ in places})
    found = {}
    for tp, offset in places:
        begin, end = begins[tp], ends[tp]
        if not begin <= offset < end:
            has = f"offsets {begin} to {end - 1}" if begin < end else "nothing"
            raise GoneError(f"partition {tp.partition} of {tp.topic} has {has}, and {offset} is not there")
        async for record in kafka.read_between(settings, {tp: offset}, {tp: offset + 1}):
            found[tp, offset] = record
        if (tp, offset) not in found:
            raise GoneError(f"offset {offset} of partition {tp.partition} of {tp.topic} was removed by compaction")
    return found


async def _bounds(settings: Settings, partitions: set[TopicPartition]) -> kafka.Bounds:
    client = await kafka.consumer(settings)
    try:
        return await kafka.bounds(client, partitions)
    finally:
        await kafka.stop_client(client)


async def _present(settings: Settings) -> Mapping[str, set[int]]:
    client = await kafka.admin(settings)
    try:
        found = await topic_partitions(client)
        return {name: {each["partition"] for each in partitions} for name, partitions in found.items()}
    finally:
        await kafka.stop_client(client)


def _item(prefix: str, record: ConsumerRecord[bytes, bytes]) -> RejectedInput:
    place = Place(record.topic.removeprefix(prefix), record.partition, record.offset)
    return RejectedInput.of(place, record.timestamp, record.key, record.value, record.headers)
