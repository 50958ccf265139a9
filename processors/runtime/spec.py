"""Declaration of one processor: its name, source and output topics, and bounds on work in flight."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProcessorSpec:
    """One Faust process.

    Attributes:
        name: of the process, as the broker's logs show it.
        group_id: its consumer group.
        sources: topics that it consumes, by logical name; their partition counts may differ.
        outputs: topics that it publishes to, by logical name.
        records_in_flight: of a partition between being taken and being acknowledged.
        in_flight_bytes: values of all partitions together.
        drain_s: how long a revoke may wait for open records.
        follows: topics that it follows by partition, by logical name.
    """

    name: str
    group_id: str
    sources: tuple[str, ...]
    outputs: tuple[str, ...]
    records_in_flight: int
    in_flight_bytes: int
    drain_s: float
    follows: tuple[str, ...] = ()
