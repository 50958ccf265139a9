"""What Kafka tells for a status: offsets and sizes of topics, committed offsets, and what was refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from bigbrotr.services import READINGS
from bigbrotr.status.refused import refused
from bigbrotr.status.registry import Registry, read_registry
from bigbrotr.status.snapshot import Refused, TopicSize
from bigbrotr.status.topic_offsets import OffsetsReader
from core.kafka import Bounds, Offsets, lag
from core.settings import Settings
from schemas.topics import TOPICS, physical

_REGISTRY_S = 2.0
"""Some ten thousand records; without them, a status is nearly whole."""


@dataclass(frozen=True)
class Holdings:
    """Offsets of all topics, those committed by each service that commits to Kafka, sizes, and what was asked for.

    `refused` input and the `registry` of relays (None where it did not answer in time) are read on request only.
    """

    bounds: Bounds = field(default_factory=lambda: Bounds({}, {}))
    committed: Mapping[str, Offsets] = field(default_factory=dict)
    topics: Mapping[str, TopicSize] = field(default_factory=dict)
    refused: Mapping[str, Refused] = field(default_factory=dict)
    registry: Registry | None = None


async def holdings(settings: Settings, reader: OffsetsReader, *, with_records: bool) -> Holdings:
    """Ask for everything; records of refused input and of the registry are read only on request."""
    bounds = await reader.bounds(*(topic.name for topic in TOPICS))
    by_kafka = {name: each for name, each in READINGS.items() if each.progress == "kafka"}

    async def found_refused() -> dict[str, Refused]:
        return await refused(settings, reader, bounds) if with_records else {}

    async def found_registry() -> Registry | None:
        return await _registry(settings, bounds) if with_records else None

    async def found_committed() -> list[Offsets]:
        each_group = (reader.committed(each.group_id(settings), *each.topics) for each in by_kafka.values())
        return await asyncio.gather(*each_group)

    found, registry, disk_bytes, committed = await asyncio.gather(
        found_refused(), found_registry(), reader.sizes(bounds.ends), found_committed()
    )
    sizes = _sizes(settings.kafka.topic_prefix, bounds, disk_bytes)
    return Holdings(bounds, dict(zip(by_kafka, committed, strict=True)), sizes, found, registry)


async def _registry(settings: Settings, bounds: Bounds) -> Registry | None:
    """Read relays and candidates where they are not too many to be read within the time of a status."""
    partitions = {
        name: [tp.partition for tp, end in bounds.ends.items() if tp.topic == full_name and end > bounds.begins[tp]]
        for name in ("relays", "relays.candidates")
        for full_name in (physical(settings.kafka.topic_prefix, name),)
    }
    try:
        async with asyncio.timeout(_REGISTRY_S):
            return await read_registry(settings, partitions)
    except TimeoutError:
        return None


def _sizes(prefix: str, bounds: Bounds, disk_bytes: Mapping[str, int]) -> dict[str, TopicSize]:
    found = {}
    for topic in TOPICS:
        name = physical(prefix, topic.name)
        ends = {tp: end for tp, end in bounds.ends.items() if tp.topic == name}
        if ends:
            found[topic.name] = TopicSize(lag(ends, bounds.begins, {}), sum(ends.values()), disk_bytes.get(name))
    return found
