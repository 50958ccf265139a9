"""State that all lanes of a processor share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from core.byte_limiter import ByteLimiter
from processors.runtime.continuity import Continuity
from processors.runtime.handler import Handler, State
from processors.runtime.outputs import OutputPublisher


@dataclass(slots=True)
class Context:
    """The parts of a processor that do not belong to one partition.

    Attributes:
        handler: what is done with a record.
        state: what must be known before a record is handled.
        publisher: takes what follows from a record.
        records_in_flight: of a partition between being taken and being acknowledged.
        is_flowing: False while Faust drains, at a revoke or a stop: no record is begun then.
        done: records acknowledged since the start, by topic.
    """

    handler: Handler
    state: Sequence[State]
    publisher: OutputPublisher
    records_in_flight: int
    room: ByteLimiter
    continuity: Continuity
    is_flowing: Callable[[], bool]
    done: Counter[str] = field(default_factory=Counter)

    async def until_current(self) -> None:
        """Wait while it is not known what must be."""
        for each in self.state:
            await each.until_current()
