"""Sends records that cannot be stored to the dead-letter topic `unwritten`, and waits for the acknowledgement.

Not to `rejections`, which has a bound in bytes: what relays sent would push out what is missing in the archive.
"""

from __future__ import annotations

from collections.abc import Iterable

from core import metrics
from core.kafka import ProducerRecord, Publisher
from schemas.reasons import Reason
from schemas.records.rejection import Rejection
from sinks.tables.topic_table import Record
from sinks.writing.batch import Rejected

STAGE = "sink"
# Longer messages of a database add nothing that the first lines do not say.
_MAX_DETAIL = 1000


class RejectionSender:
    """Publishes rejections of this stage; the record's bytes stay as they are, the headers say where it was.

    A record too large for `unwritten` is named without its bytes: they stay where the headers say.
    """

    def __init__(self, publisher: Publisher, topic: str) -> None:
        self._publisher = publisher
        self._topic = topic

    async def send(self, rejected: Iterable[Rejected]) -> None:
        """Return once Kafka has acknowledged every one: only then may the offsets that cover them move."""
        await self._publisher.deliver(self._as_record(record, detail) for record, detail in rejected)

    def _as_record(self, record: Record, detail: str) -> ProducerRecord:
        rejection = Rejection(
            reason=Reason.BAD_ROW,
            stage=STAGE,
            detail=detail[:_MAX_DETAIL],
            source_topic=record.topic,
            source_partition=record.partition,
            source_offset=record.offset,
        )
        metrics.REJECTED.labels(STAGE, Reason.BAD_ROW.value).inc()
        whole = ProducerRecord(self._topic, record.value, record.key, record.partition, rejection.to_headers())
        return whole if self._publisher.takes(whole) else whole._replace(value=b"")
