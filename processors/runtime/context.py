"""What all lanes share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from processors.runtime.continuity import Continuity
from processors.runtime.room import Room
from processors.validate.erasing import Erasing
from processors.validate.outputs import Outputs
from processors.validate.verify import Verifier
from schemas.judge import Policy


@dataclass(slots=True)
class Context:
    """The parts of the validate agent that do not belong to one partition.

    Attributes:
        policy: what is archived.
        erasing: what is dropped because it is erased.
        until_current: waits while it is not known what has been erased.
        partitions: the partition count of the topics that are keyed by event id.
        bundles_in_flight: bundles of a partition between being taken and being acknowledged.
        is_flowing: False while Faust drains, at a revoke or a stop: no bundle is begun then.
        progress: bundles acknowledged since the start.
    """

    policy: Policy
    erasing: Erasing
    until_current: Callable[[], Awaitable[None]]
    partitions: int
    bundles_in_flight: int
    seen_ids_per_partition: int
    verifier: Verifier
    outputs: Outputs
    room: Room
    continuity: Continuity
    is_flowing: Callable[[], bool]
    progress: int = 0
