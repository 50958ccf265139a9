"""What Kafka has of the registry of relays: admitted and denied ones, candidates, and what people want."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from core.kafka import read_to_end
from core.settings import Settings
from schemas.records.relay import RelayRecord, Source
from schemas.records.relay_command import RelayCommand
from schemas.topics import physical

T = TypeVar("T")
TOPICS = ("relays", "relays.candidates", "relays.commands")
Partitions = Mapping[str, Collection[int]]
"""Numbers of partitions by topic, without the prefix."""


@dataclass(frozen=True)
class Registry:
    """The newest records, by normalised URL; commands by their keys."""

    relays: Mapping[str, RelayRecord] = field(default_factory=dict)
    candidates: Mapping[str, RelayRecord] = field(default_factory=dict)
    commands: Mapping[str, RelayCommand] = field(default_factory=dict)


async def read_registry(settings: Settings, partitions: Partitions) -> Registry:
    """Read these partitions of the three topics to their end; of topics that are not named, nothing."""

    async def found(topic: str, decode: Callable[[bytes], T]) -> dict[str, T]:
        if not partitions.get(topic):
            return {}
        name = physical(settings.kafka.topic_prefix, topic)
        read = await read_to_end(settings, name, partitions[topic], lambda _key, value: decode(value))
        return {key.decode(errors="replace"): value for key, value in read.items()}

    return Registry(
        *await asyncio.gather(
            found("relays", RelayRecord.decode),
            found("relays.candidates", RelayRecord.decode),
            found("relays.commands", RelayCommand.decode),
        )
    )


def sources_of(record: RelayRecord) -> tuple[Source, ...]:
    """Who named a relay; records of before there was a registry are a person's."""
    return record.sources or ("operator",)


def not_read(registry: Registry, read: Collection[str]) -> dict[str, int]:
    """Count the known relays that are not read, by why: `waiting` are those that a connector would read.

    Args:
        registry: with candidates.
        read: the URLs of those that are.
    """
    waiting = (record.left_because or "waiting" for url, record in registry.relays.items() if url not in read)
    counts = Counter(waiting)
    counts["candidate"] = sum(url not in read for url in registry.candidates)
    return {why: count for why, count in counts.items() if count}
