"""Encodes what is written about relays as records of its topics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from processors.assess.writes import Write
from processors.runtime.outputs import Output, Record, grouped
from schemas.partition import relay_partition
from schemas.relay_urls.registrable_domain import domain_partition
from schemas.topics import physical

TOPICS = ("relays.health", "relays.found")


class Outputs:
    """Turns writes into outputs.

    Args:
        prefix: of the topics' names.
        partitions: their counts, by full name.
    """

    def __init__(self, prefix: str, partitions: Mapping[str, int]) -> None:
        self._topics = {name: physical(prefix, name) for name in TOPICS}
        self._partitions = {name: partitions[full_name] for name, full_name in self._topics.items()}

    def of(self, writes: Iterable[Write]) -> list[Output]:
        """Give the records of each partition, in the order of the writes."""
        return grouped(
            (self._topics[write.topic], self._partition(write), Record(write.url.encode(), write.value))
            for write in writes
        )

    def _partition(self, write: Write) -> int:
        place = relay_partition if write.topic == "relays.health" else domain_partition
        return place(write.host, self._partitions[write.topic])
