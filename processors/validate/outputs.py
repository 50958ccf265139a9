"""Encodes the outputs of a validated bundle as records of the output topics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from processors.runtime.outputs import OVERHEAD_BYTES, Output, Record
from processors.validate.discovery.claims import RelayClaims
from processors.validate.discovery.findings import Finding
from processors.validate.outcome import Groups, NewEvent, Outcome, Refused, Source
from schemas.reasons import Reason
from schemas.records.erasure import Erasure
from schemas.records.rejection import Rejection
from schemas.records.sighting import Sighting, encode
from schemas.topics import physical, topic

STAGE = "validate"
TOPICS = ("events", "sightings", "erasures", "relays.found", "rejections", "quarantine")

# Far below the limit of `sightings`, and a good unit for a batch of rows.
_SIGHTINGS_BYTES = 256 * 1024


class Outputs:
    """Turns outcomes into outputs.

    Args:
        prefix: of the topics' names.
        partitions: the count that they share.
        limits: largest record by logical topic name, in bytes, where it is not the topic table's.
    """

    def __init__(self, prefix: str, partitions: int, limits: dict[str, int] | None = None) -> None:
        self._partitions = partitions
        self._topics = {name: physical(prefix, name) for name in TOPICS}
        self._limits = {name: topic(name).max_message_bytes for name in TOPICS} | (limits or {})

    def of(self, outcome: Outcome, source: Source) -> Iterator[Output]:
        """Give everything that is to be published of an outcome.

        An event whose record is too large for its topic joins `outcome.refused` instead.
        """
        topics = self._topics
        for partition, records in outcome.by_partition.items():
            yield Output(topics["events"], partition, self._fitting(records.events, outcome))
            yield Output(topics["sightings"], partition, list(_sightings(records.sightings)))
        found: list[Finding | RelayClaims] = [*outcome.relays, *outcome.claims]
        for name, records_of in (("erasures", outcome.erasures), ("relays.found", found)):
            for partition, written in _by_partition(records_of, self._partitions).items():
                yield Output(topics[name], partition, written)
        for name, items in (("rejections", outcome.refused), ("quarantine", outcome.quarantined)):
            yield Output(topics[name], source.partition, [self._rejection(name, item, source) for item in items])

    def _fitting(self, events: list[NewEvent], outcome: Outcome) -> list[Record]:
        limit = self._limits["events"]
        fitting: list[Record] = []
        for event in events:
            record = Record(event.key, event.value)
            if len(event.value) <= limit - OVERHEAD_BYTES:
                fitting.append(record)
            else:
                detail = f"the record would be {record.size_bytes()} bytes; its topic takes {limit}"
                outcome.refused.append(
                    Refused(event.raw, Reason.OUTPUT_TOO_LARGE, None, detail, event.relay, event.seen_at_ms)
                )
        return fitting

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


def _by_partition(records: Iterable[Erasure | Finding | RelayClaims], partitions: int) -> dict[int, list[Record]]:
    """Write records, each for the partition of its target, or of its relay."""
    found: dict[int, list[Record]] = {}
    for record in records:
        found.setdefault(record.partition(partitions), []).append(Record(record.key(), record.encode()))
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
