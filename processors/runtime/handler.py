"""The handler protocol of a processor: it turns one record into outputs, and does not depend on Faust.

The runtime gives it the records of a partition one after another and in order, publishes what follows from each, and
tells it when that is durable. Several topics of one process keep their partitions apart: equal numbers mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from aiokafka import TopicPartition

from processors.runtime.outputs import Output


class SourceRecord(NamedTuple):
    """A record as Kafka has it, with the full name of its topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Handled(NamedTuple):
    """What follows from one record.

    Attributes:
        outputs: to publish; gone through once.
        acknowledged: called in order of the records once all outputs are durable; not if the assignment ends before.
    """

    outputs: Iterable[Output]
    acknowledged: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a processor is.

    Attributes:
        assigned: its partitions.
        done: records acknowledged since the start, by topic (full name).
        in_flight: records taken and not yet acknowledged.
        bytes_in_flight: of their values.
        lag: records that the group has not committed, by partition, of all partitions.
    """

    assigned: frozenset[TopicPartition]
    done: Mapping[str, int]
    in_flight: int
    bytes_in_flight: int
    lag: Mapping[TopicPartition, int]


class Handler(Protocol):
    """The work of one process. It never catches what it cannot handle: an exception ends the process."""

    async def handle(self, record: SourceRecord) -> Handled:
        """Turn a record into outputs, whatever it holds.

        It may wait in between for work that runs elsewhere, such as signature checks in threads. The next record of the
        partition is handled when this has returned, other partitions' meanwhile.
        """

    def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Begin an assignment: drop the state of partitions that are not among these."""

    def revoked(self) -> None:
        """End the assignment: what was handled and not acknowledged will be read again, here or elsewhere."""

    def status(self, progress: Progress) -> dict[str, object]:
        """Return what a person wants to see of the process, as JSON-ready values."""


class State(Protocol):
    """What a handler must have read before it starts, such as a followed topic (`core.kafka.state_topic`)."""

    async def until_current(self) -> None:
        """Return at once where it is known, wait otherwise."""

    def ready(self) -> str | None:
        """Return why it is not known now, or None."""

    def check(self) -> None:
        """Raise what ended the following of it, if anything did."""
