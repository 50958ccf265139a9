"""The handler of `raw.bundles`: validates bundles and updates their metrics."""

from __future__ import annotations

from functools import partial

from aiokafka import TopicPartition

from core import metrics
from core.settings import DiscoverySettings
from processors.runtime.handler import Handled, Progress, SourceRecord
from processors.validate.archived import ArchivedEvents
from processors.validate.discovery.told import Told
from processors.validate.erasing import Erasing
from processors.validate.known.pairs import RelayTokens
from processors.validate.known.seen import SeenSet
from processors.validate.outcome import Outcome, Source
from processors.validate.outputs import STAGE, Outputs
from processors.validate.pipeline import conclude_bundle, examine_bundle
from processors.validate.verify import Verifier
from schemas.nostr.judge import Policy


class ValidationHandler:
    """Examines a bundle, has its signatures checked in threads, and concludes; deduplicates by acknowledged events.

    Args:
        policy: what is archived.
        erasing: what is dropped because it is erased.
        partitions: the partition count of the topics that are keyed by event id.
        seen_ids_per_partition: events that are remembered of each partition.
        relays: tokens of relays; None: every sighting is published.
        archive: is asked for what a seen-set does not know; None: it is not.
        verifier: checks signatures.
        outputs: writes outcomes as records.
        discovery: which relays are found in events.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        erasing: Erasing,
        partitions: int,
        seen_ids_per_partition: int,
        relays: RelayTokens | None,
        archive: ArchivedEvents | None,
        verifier: Verifier,
        outputs: Outputs,
        discovery: DiscoverySettings,
    ) -> None:
        self._policy = policy
        self._erasing = erasing
        self._partitions = partitions
        self._seen_ids = seen_ids_per_partition
        self._relays = relays
        self._archive = archive
        self._verifier = verifier
        self._outputs = outputs
        self._discovery = discovery
        self._told = Told()
        self._seen: dict[int, SeenSet] = {}

    @property
    def seen_keys(self) -> int:
        """Keys in all seen-sets; an event has two or more."""
        return sum(len(seen) for seen in self._seen.values())

    async def handle(self, record: SourceRecord) -> Handled:
        """Validate a bundle; its events count as in flight until they are acknowledged."""
        seen = self._seen.get(record.partition)
        if seen is None:
            seen = self._seen[record.partition] = SeenSet(self._seen_ids, self._relays)
        source = Source(record.topic, record.partition, record.offset)
        found = examine_bundle(record.value or b"", seen, self._policy, self._erasing)
        if self._archive is not None:
            await self._archive.teach(found, seen, source)
        verdicts = await self._verifier.verify(found.signatures)
        outcome = conclude_bundle(found, verdicts, seen, source, self._partitions, discovery=self._discovery)
        outcome.relays = self._told.news(outcome.relays)
        self._told.learn(outcome.relays)
        seen.hold(outcome.learned)
        return Handled(self._outputs.of(outcome, source), partial(_acknowledged, outcome, seen))

    def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Keep the deduplication state of partitions that are assigned again, and drop that of the others."""
        for gone in self._seen.keys() - {tp.partition for tp in partitions}:
            del self._seen[gone]

    def revoked(self) -> None:
        """Drop what was in flight."""
        for seen in self._seen.values():
            seen.forget_in_flight()
        self._told.forget()

    def status(self, progress: Progress) -> dict[str, object]:
        """Return what is assigned, open, waiting and remembered."""
        return {
            "partitions": sorted(tp.partition for tp in progress.assigned),
            "bundles_done": sum(progress.done.values()),
            "bundles_in_flight": progress.in_flight,
            "bytes_in_flight": progress.bytes_in_flight,
            "seen_keys": self.seen_keys,
            "erasures": len(self._erasing.index),
            "lag": {str(tp.partition): records for tp, records in progress.lag.items()},
        }


def _acknowledged(outcome: Outcome, seen: SeenSet) -> None:
    seen.learn(outcome.learned)
    metrics.RELAYS_FOUND.inc(len(outcome.relays))
    metrics.BUNDLES.inc()
    metrics.COPIES.inc(outcome.lines)
    metrics.DUPLICATES.inc(outcome.duplicates)
    metrics.VERIFIED.inc(outcome.checked)
    metrics.KNOWN_SIGHTINGS.inc(outcome.known_sightings)
    for records in outcome.by_partition.values():
        metrics.ACCEPTED.inc(len(records.events))
        metrics.SIGHTINGS.inc(sum(map(len, records.sightings.values())))
    for cause, copies in outcome.erased.items():
        metrics.ERASED.labels(cause).inc(copies)
    for refused in outcome.refused:
        metrics.REJECTED.labels(STAGE, refused.reason).inc()
    for quarantined in outcome.quarantined:
        metrics.QUARANTINED.labels(quarantined.reason).inc()
