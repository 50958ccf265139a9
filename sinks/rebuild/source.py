"""The records that a rebuild reads: every partition from its starting offset up to its present end offset."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import ceil

from aiokafka import TopicPartition

from core import kafka
from core.settings import Settings
from schemas.topics import physical
from sinks.tables import TABLES, contents
from sinks.writing.consumer import GroupReader
from sinks.writing.stored_offsets import TopicIdentity


@dataclass(frozen=True)
class Start:
    """From where topics are read: a time, offsets of some partitions, or their beginning.

    Attributes:
        text: as it was given, to be compared with that of an earlier run.
        time_ms: records of this time (Kafka's, Unix milliseconds) or later.
        offsets: by logical name of a topic and partition; those that are not named are read from their beginning.
    """

    text: str
    time_ms: int | None = None
    offsets: Mapping[tuple[str, int], int] = field(default_factory=dict)


BEGINNING = Start("beginning")


async def identities(settings: Settings) -> dict[TopicPartition, TopicIdentity]:
    """Every partition of the sink's topics, with where it begins and ends now."""
    partitions = list(await kafka.end_offsets(settings, contents(settings)))
    client = await kafka.consumer(settings)
    try:
        client.assign(partitions)
        reader = GroupReader(settings.sink.group_id)
        reader.attach(client)
        return await reader.identities(partitions)
    finally:
        await kafka.stop_client(client)


async def first_offsets(
    settings: Settings, found: Mapping[TopicPartition, TopicIdentity], start: Start
) -> dict[TopicPartition, int]:
    """Where each partition is to be begun.

    Raises:
        ValueError: an offset is named that its partition does not have; the message names it.
    """
    first = {tp: identity.beginning for tp, identity in found.items()}
    if start.time_ms is not None:
        client = await kafka.consumer(settings)
        try:
            ends = {tp: identity.end for tp, identity in found.items()}
            first = await kafka.offsets_at(settings, client, ends, start.time_ms)
        finally:
            await kafka.stop_client(client)
    for (name, number), offset in start.offsets.items():
        tp = TopicPartition(physical(settings.kafka.topic_prefix, name), number)
        if tp not in found or name not in {table.topic for table in TABLES.topics}:
            raise ValueError(f"{name}/{number} is no partition that the sink reads")
        if not found[tp].beginning <= offset <= found[tp].end:
            raise ValueError(
                f"{name}/{number} has offsets {found[tp].beginning} to {found[tp].end}, but {offset} is asked for"
            )
        first[tp] = offset
    return first


def floors(found: Mapping[TopicPartition, TopicIdentity]) -> list[str]:
    """Report for each topic that no longer has its first records how many are gone: a rebuild cannot restore them.

    A compacted topic begins where its oldest kept record is only if records were deleted by hand.
    """
    gone: dict[str, list[int]] = {}
    for tp, identity in found.items():
        if identity.beginning:
            gone.setdefault(tp.topic, []).append(identity.beginning)
    return [
        f"{topic} has lost the first records of {len(counts)} partitions, {sum(counts):,} in all, to its retention or "
        "by hand: what only they told is not rebuilt"
        for topic, counts in sorted(gone.items())
    ]


def shares(partitions: Collection[TopicPartition], jobs: int) -> list[list[TopicPartition]]:
    """Split partitions among at most so many jobs, among fewer where more would not make the largest share smaller.

    Equal numbers stay together: an event and its sightings are then written by the same job, and no two jobs write the
    same row.
    """
    numbers = sorted({tp.partition for tp in partitions})
    if not numbers:
        return []
    largest = ceil(len(numbers) / jobs)
    even = ceil(len(numbers) / largest)
    job = {number: place % even for place, number in enumerate(numbers)}
    split: list[list[TopicPartition]] = [[] for _ in range(even)]
    for tp in sorted(partitions):
        split[job[tp.partition]].append(tp)
    return split
