"""Publishes what a judged bundle leads to, in batches of one partition, and hands back what to wait for.

Records go into `AIOKafkaProducer.create_batch` rather than through `send`: half a microsecond a record instead of six,
one future for many records, and the records of a bundle leave together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder

from processors.validate.outcome import Groups, Outcome, Refused, Source
from schemas.erasure import Erasure
from schemas.reasons import Reason
from schemas.rejection import Rejection
from schemas.sighting import Sighting, encode
from schemas.topics import physical, topic

STAGE = "validate"
TOPICS = ("events", "sightings", "erasures", "rejections", "quarantine")

# The header of a batch (61 bytes, KIP-98), and a record's own lengths, numbers and header names, generously.
_OVERHEAD_BYTES = 1024
# Far below the limit of `sightings`, and a good unit for a batch of rows.
_SIGHTINGS_BYTES = 256 * 1024


class Record(NamedTuple):
    """One record to publish."""

    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]] = []  # noqa: RUF012 - never changed: the default of every record without headers

    def size_bytes(self) -> int:
        """Upper bound of its bytes in a batch of its own, before compression."""
        headers = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.key or b"") + len(self.value) + headers + _OVERHEAD_BYTES


class Outputs:
    """Turns outcomes into Kafka batches.

    Args:
        producer: started, idempotent, acks=all: it never gives up on a batch while the broker is away.
        prefix: of the topics' names.
        partitions: the count that they share.
        limits: largest record by logical topic name, in bytes, where it is not the topic table's.
    """

    def __init__(
        self, producer: AIOKafkaProducer, prefix: str, partitions: int, limits: dict[str, int] | None = None
    ) -> None:
        self._producer = producer
        self._partitions = partitions
        self._topics = {name: physical(prefix, name) for name in TOPICS}
        self._limits = {name: topic(name).max_message_bytes for name in TOPICS} | (limits or {})

    async def publish(self, outcome: Outcome, source: Source) -> list[asyncio.Future[Any]]:
        """Hand everything to the producer, waiting where it has no room.

        An event whose record is too large for its topic joins `outcome.refused` instead.

        Returns:
            Futures that are done when the records are durable. Each must be awaited: only there a failure is reported.
        """
        sent: list[asyncio.Future[Any]] = []
        for partition, records in outcome.by_partition.items():
            limit = self._limits["events"]
            fitting: list[Record] = []
            for event in records.events:
                record = Record(event.key, event.value)
                if len(event.value) <= limit - _OVERHEAD_BYTES:
                    fitting.append(record)
                else:
                    detail = f"the record would be {record.size_bytes()} bytes; its topic takes {limit}"
                    outcome.refused.append(
                        Refused(event.raw, Reason.OUTPUT_TOO_LARGE, None, detail, event.relay, event.seen_at_ms)
                    )
            sent += await self._send("events", partition, fitting)
            sent += await self._send("sightings", partition, list(_sightings(records.sightings)))
        for partition, rules in _by_partition(outcome.erasures, self._partitions).items():
            sent += await self._send("erasures", partition, rules)
        for name, items in (("rejections", outcome.refused), ("quarantine", outcome.quarantined)):
            sent += await self._send(name, source.partition, [self._rejection(name, item, source) for item in items])
        return sent

    async def _send(self, name: str, partition: int, records: list[Record]) -> list[asyncio.Future[Any]]:
        """Fill as many batches as the records need; each is closed, so that none lingers for more."""
        sent: list[asyncio.Future[Any]] = []
        batch: BatchBuilder | None = None
        for record in records:
            if batch is not None and _append(batch, record):
                continue
            if batch is not None:
                sent.append(await self._hand_over(batch, self._topics[name], partition))
            batch = self._producer.create_batch()
            _append(batch, record)
        if batch is not None:
            sent.append(await self._hand_over(batch, self._topics[name], partition))
        return sent

    async def _hand_over(self, batch: BatchBuilder, topic_name: str, partition: int) -> asyncio.Future[Any]:
        batch.close()
        while True:
            try:
                sent: asyncio.Future[Any] = await self._producer.send_batch(batch, topic_name, partition=partition)
            except KafkaTimeoutError:
                # Not taken, because the batch before it has not left: the broker is away, and is waited for.
                continue
            return sent

    def _rejection(self, name: str, item: Refused, source: Source) -> Record:
        headers = Rejection(
            reason=item.reason,
            stage=STAGE,
            relay=item.relay,
            field=item.field,
            detail=item.detail,
            source_topic=source.topic,
            source_partition=source.partition,
            source_offset=source.offset,
            seen_at_ms=item.seen_at_ms,
        ).to_headers()
        record = Record(None, item.raw, headers)
        excess = record.size_bytes() - self._limits[name]
        # Only where an operator made this topic narrower than `raw.bundles`: what fits is better than no trace at all.
        return record if excess <= 0 else record._replace(value=item.raw[: max(0, len(item.raw) - excess)])


def _append(batch: BatchBuilder, record: Record) -> bool:
    """Add a record, which an empty batch always takes; False if it is full."""
    return batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers) is not None


def _by_partition(erasures: list[Erasure], partitions: int) -> dict[int, list[Record]]:
    """Write rules as records, each for the partition of its target."""
    found: dict[int, list[Record]] = {}
    for rule in erasures:
        found.setdefault(rule.partition(partitions), []).append(Record(rule.key(), rule.encode()))
    return found


def _sightings(groups: Groups) -> Iterator[Record]:
    """Write groups as records of a bounded size."""
    lines: list[bytes] = []
    size = 0
    for (relay, seen_at_ms), ids in groups.items():
        line = encode([Sighting(relay, seen_at_ms, ids)])
        if lines and size + len(line) > _SIGHTINGS_BYTES:
            yield Record(None, b"".join(lines))
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield Record(None, b"".join(lines))
