"""The handler of `relays.found`: has the registrar decide, and drops what says nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from aiokafka import TopicPartition

from core import metrics
from processors.assess.assessor import Assessor
from processors.registry.keys import read_found
from processors.registry.registrar import Registrar
from processors.relay_keys import UnusableError
from processors.relay_outputs import RelayOutputs
from processors.runtime.handler import Handled, Progress, SourceRecord
from processors.runtime.outputs import Output

log = logging.getLogger(__name__)


class RegistryHandler:
    """Handles what is found of relays.

    Args:
        registrar: decides.
        assessor: takes the claims of monitors, which are no business of the registry.
        outputs: writes what it decided as records.
        now_ms: tells the time, Unix milliseconds.
    """

    def __init__(
        self, registrar: Registrar, assessor: Assessor, outputs: RelayOutputs, now_ms: Callable[[], int]
    ) -> None:
        self._registrar = registrar
        self._assessor = assessor
        self._outputs = outputs
        self._now_ms = now_ms

    @property
    def has_due(self) -> bool:
        """Whether something is due at once."""
        return self._registrar.has_due

    def due(self, now_ms: int) -> Iterable[Output]:
        """Give some of what is due."""
        return self._outputs.of(self._registrar.due(now_ms))

    async def handle(self, record: SourceRecord) -> Handled:
        """Take one finding."""
        try:
            found = read_found(record.value)
            if found.claims:
                self._assessor.claimed(found.url, found.claims, self._now_ms())
                return Handled((), metrics.FOUND.inc)
            writes = self._registrar.found(found, self._now_ms())
        except UnusableError as error:
            metrics.FOUND_DROPPED.labels(error.reason).inc()
            log.warning(
                "record %d of partition %d of relays.found is dropped: %s", record.offset, record.partition, error
            )
            return Handled((), _nothing)
        return Handled(self._outputs.of(writes), metrics.FOUND.inc)

    def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Write about the domains of these partitions."""
        self._registrar.own({tp.partition for tp in partitions})

    def revoked(self) -> None:
        """Write about no domain; what is known stays, and follows the topics."""
        self._registrar.own(())

    def status(self, progress: Progress) -> dict[str, object]:
        """Return what is assigned, known and waiting."""
        book = self._registrar.book
        return {
            "partitions": sorted(tp.partition for tp in progress.assigned),
            "found_done": sum(progress.done.values()),
            "found_in_flight": progress.in_flight,
            "known": len(book),
            "commands": self._registrar.commands,
            "is_settled": not self._registrar.has_due,
            "lag": {str(tp.partition): records for tp, records in progress.lag.items()},
        }


def _nothing() -> None:
    """Acknowledge a record that nothing follows from."""
