"""Encodes what is written about relays as records of its topics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from processors.runtime.outputs import Output, Record, grouped
from schemas.partition import relay_partition
from schemas.relay_urls.registrable_domain import domain_partition
from schemas.topics import physical, topic


class Write(Protocol):
    """A record to write about a relay; without a value it is a tombstone."""

    @property
    def topic(self) -> str:
        """Its name, without the prefix."""

    @property
    def url(self) -> str:
        """The key."""

    @property
    def host(self) -> str:
        """Of the relay, by which the partition is decided."""

    @property
    def value(self) -> bytes | None:
        """Of the record."""


class RelayOutputs:
    """Turns writes into outputs.

    Args:
        topics: that are written, without the prefix; each is partitioned by relay host or by relay domain.
        prefix: of the topics' names.
        partitions: their counts, by full name.
    """

    def __init__(self, topics: Iterable[str], prefix: str, partitions: Mapping[str, int]) -> None:
        self._topics = {name: physical(prefix, name) for name in topics}
        self._partitions = {name: partitions[full_name] for name, full_name in self._topics.items()}

    def of(self, writes: Iterable[Write]) -> list[Output]:
        """Give the records of each partition, in the order of the writes."""
        return grouped(
            (self._topics[write.topic], self._partition(write), Record(write.url.encode(), write.value))
            for write in writes
        )

    def _partition(self, write: Write) -> int:
        place = relay_partition if topic(write.topic).partitioned_by == "relay host" else domain_partition
        return place(write.host, self._partitions[write.topic])
