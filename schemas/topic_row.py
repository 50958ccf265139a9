"""The fields of a row of the topic table: codec, writers, readers, partitions, and limits of size and retention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Cleanup = Literal["delete", "compact"]
Partitioning = Literal["event id", "content hash", "relay domain", "relay host", "as received"]
Program = Literal[
    "connector",
    "erase",
    "finder",
    "import",
    "prober",
    "processor",
    "registry",
    "rejections command",
    "relays command",
    "seeder",
    "sink",
]
"""Services and commands."""
Share = Literal["share", "all", "on demand"]
"""How a program reads: each instance the partitions that its consumer group gives it, each instance all partitions, or
a command what it is asked for."""


class Codec(NamedTuple):
    """How the value of a record is written.

    Attributes:
        form: the format, for people.
        decoder: `module:name` of the function that reads a record, as `pkgutil.resolve_name` takes it. Not the function
            itself: modules of records import limits from the table.
    """

    form: str
    decoder: str

    @property
    def module(self) -> str:
        """The module that reads and writes it."""
        return self.decoder.partition(":")[0]

    def __str__(self) -> str:
        return f"{self.form} ({self.module})"


class Reader(NamedTuple):
    """A program that reads a topic, and how much of it one instance reads."""

    program: Program
    share: Share


@dataclass(frozen=True, slots=True)
class Topic:
    """One row of the table.

    Attributes:
        name: logical name, without the prefix.
        description: what one record says.
        key: what the key is.
        codec: how the value is written, and what reads it.
        partitioned_by: what decides the partition. Topics with the same rule have the same partition counts.
        cleanup: Kafka's cleanup.policy.
        writers: programs that write it. A compacted topic has one writer, but for `erasures`, where equal keys mean
            equal rules.
        readers: programs that read it.
        max_message_bytes: Kafka's max.message.bytes.
        partitions: their fixed number, a power of two; None where the setting `kafka.partitions` decides it.
        retention_ms: how long records are kept by a `delete` topic; -1 is without limit.
        retention_bytes: how much a partition may hold before the oldest go, whatever their age; -1 is no bound.
        compaction_lag_ms: within what time a compacted topic is cleaned of a record that was replaced.
        extra: further Kafka settings of this topic.
    """

    name: str
    description: str
    key: str
    codec: Codec
    partitioned_by: Partitioning
    cleanup: Cleanup
    writers: tuple[Program, ...]
    readers: tuple[Reader, ...]
    max_message_bytes: int
    partitions: int | None = None
    retention_ms: int = -1
    retention_bytes: int = -1
    compaction_lag_ms: int | None = None
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def compacted(self) -> bool:
        """Whether only the newest record of each key is kept."""
        return self.cleanup == "compact"

    def partition_count(self, configured: int) -> int:
        """The number of partitions that the topic is made with, where `configured` is `kafka.partitions`."""
        return configured if self.partitions is None else self.partitions
