"""The handler of `raw.probes`: has the assessor fold a probe, and drops what is none."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

from aiokafka import TopicPartition

from core import metrics
from processors.assess.assessor import Assessor
from processors.assess.following import Following
from processors.relay_keys import UnusableError
from processors.relay_outputs import RelayOutputs
from processors.runtime.handler import Handled, Progress, SourceRecord
from processors.runtime.outputs import Output
from schemas.records.probe import ProbeRecord

log = logging.getLogger(__name__)

_MOST_BYTES = 64 * 1024
"""Twice what a record with the longest words in every check has."""


class AssessHandler:
    """Handles probes, and what becomes due without any.

    Args:
        assessor: decides.
        following: is told which partitions are assigned.
        outputs: writes what was decided as records.
    """

    def __init__(self, assessor: Assessor, following: Following, outputs: RelayOutputs) -> None:
        self._assessor = assessor
        self._following = following
        self._outputs = outputs

    @property
    def has_due(self) -> bool:
        """Whether something is due at once."""
        return self._assessor.has_ready

    def due(self, now_ms: int) -> Iterable[Output]:
        """Give some of what is due."""
        return self._outputs.of(self._assessor.due(now_ms))

    async def handle(self, record: SourceRecord) -> Handled:
        """Take one probe."""
        try:
            writes = self._assessor.probed(_probe(record.value))
        except UnusableError as error:
            metrics.PROBES_DROPPED.labels(error.reason).inc()
            log.warning(
                "record %d of partition %d of raw.probes is dropped: %s", record.offset, record.partition, error
            )
            return Handled((), _nothing)
        return Handled(self._outputs.of(writes), metrics.PROBES.inc)

    def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Follow the relays of these partitions, and write about them."""
        numbers = {tp.partition for tp in partitions}
        self._assessor.own(numbers)
        self._following.want(numbers)

    def revoked(self) -> None:
        """Write about no relay; what is known stays, and follows the topics."""
        self._assessor.own(())

    def status(self, progress: Progress) -> dict[str, object]:
        """Return what is assigned, known and waiting."""
        return {
            "partitions": sorted(tp.partition for tp in progress.assigned),
            "known": len(self._assessor.book),
            "is_settled": not self._assessor.has_ready,
            "lag": {str(tp.partition): records for tp, records in progress.lag.items()},
        }

    def tick(self) -> None:
        """Refresh the gauge: of the relays that this process writes about, so that processes can be summed."""
        owned = self._assessor.owned
        states = Counter(entry.state for _, entry in self._assessor.book.everything() if entry.partition in owned)
        metrics.HEALTH.clear()
        for state, relays in states.items():
            metrics.HEALTH.labels(state).set(relays)


def _probe(value: bytes | None) -> ProbeRecord:
    if value is None or len(value) > _MOST_BYTES:
        raise UnusableError("too_long", f"{len(value or b'')} bytes; 1 to {_MOST_BYTES} are taken")
    try:
        return ProbeRecord.decode(value)
    except ValueError as error:
        raise UnusableError("unreadable", str(error).partition("\n")[0]) from None


def _nothing() -> None:
    """Acknowledge a record that nothing follows from."""
