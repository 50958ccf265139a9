"""Sends input that a producer refuses to the dead-letter topic `rejections` with its reason, and counts it."""

from __future__ import annotations

from core import metrics
from producers.send_buffer import SendBuffer
from schemas.reasons import Reason
from schemas.records.rejection import Rejection
from schemas.topics import RAW_LIMIT_BYTES

KEPT_BYTES = 2 * RAW_LIMIT_BYTES
"""Of a refused input; half of what the topic allows for a record, and more than a diagnosis needs."""


class Rejections:
    """The dead letters of one producer."""

    def __init__(self, send_buffer: SendBuffer, topic: str, partitions: int, stage: str) -> None:
        """Write to `topic` (physical name); `stage` stands in the headers and labels the metric."""
        self._send_buffer = send_buffer
        self._topic = topic
        self._partitions = partitions
        self._stage = stage
        self._next = 0

    def put(
        self,
        reason: Reason,
        value: bytes,
        *,
        seen_at_ms: int,
        relay: str | None = None,
        field: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Keep a refused input. Never waits."""
        self.count(reason)
        if len(value) > KEPT_BYTES:
            detail = f"{detail or 'is too long'}; only the first {KEPT_BYTES} of {len(value)} bytes are kept"
            value = value[:KEPT_BYTES]
        rejection = Rejection(
            reason=reason, stage=self._stage, relay=relay, field=field, detail=detail, seen_at_ms=seen_at_ms
        )
        # There is no id to choose by: in turn, so that no partition's bound is used up by one relay.
        self._next = (self._next + 1) % self._partitions
        self._send_buffer.put(self._topic, value, partition=self._next, headers=rejection.to_headers())

    def count(self, reason: Reason) -> None:
        """Count a refused input of which nothing is kept."""
        metrics.REJECTED.labels(self._stage, reason).inc()
