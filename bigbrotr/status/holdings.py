"""What Kafka tells for a status: offsets and sizes of topics, committed offsets, and what was refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from bigbrotr.services import READINGS
from bigbrotr.status.refused import refused
from bigbrotr.status.snapshot import Refused, TopicSize
from bigbrotr.status.topic_offsets import OffsetsReader
from core.kafka import Bounds, Offsets, lag
from core.settings import Settings
from schemas.topics import TOPICS, physical


@dataclass(frozen=True)
class Holdings:
    """Offsets of all topics, those committed by each service that commits to Kafka, sizes, and refused input."""

    bounds: Bounds = field(default_factory=lambda: Bounds({}, {}))
    committed: Mapping[str, Offsets] = field(default_factory=dict)
    topics: Mapping[str, TopicSize] = field(default_factory=dict)
    refused: Mapping[str, Refused] = field(default_factory=dict)


async def holdings(settings: Settings, reader: OffsetsReader, *, with_refused: bool) -> Holdings:
    """Ask for everything; the records of refused input are read only on request."""
    bounds = await reader.bounds(*(topic.name for topic in TOPICS))
    by_kafka = {name: each for name, each in READINGS.items() if each.progress == "kafka"}

    async def found_refused() -> dict[str, Refused]:
        return await refused(settings, reader, bounds) if with_refused else {}

    async def found_committed() -> list[Offsets]:
        each_group = (reader.committed(each.group_id(settings), *each.topics) for each in by_kafka.values())
        return await asyncio.gather(*each_group)

    found, disk_bytes, committed = await asyncio.gather(found_refused(), reader.sizes(bounds.ends), found_committed())
    sizes = _sizes(settings.kafka.topic_prefix, bounds, disk_bytes)
    return Holdings(bounds, dict(zip(by_kafka, committed, strict=True)), sizes, found)


def _sizes(prefix: str, bounds: Bounds, disk_bytes: Mapping[str, int]) -> dict[str, TopicSize]:
    found = {}
    for topic in TOPICS:
        name = physical(prefix, topic.name)
        ends = {tp: end for tp, end in bounds.ends.items() if tp.topic == name}
        if ends:
            found[topic.name] = TopicSize(lag(ends, bounds.begins, {}), sum(ends.values()), disk_bytes.get(name))
    return found
