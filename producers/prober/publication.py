"""What the prober writes: each probe, and before it the document that it names, where Kafka does not have that yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from core import metrics
from core.kafka import ProducerRecord, Publisher
from core.kafka.state_change import Change
from core.kafka.state_topic import StateTopic
from core.settings import Settings
from producers.targets import full_name
from schemas.partition import event_partition, relay_partition
from schemas.records.probe import ProbeRecord
from schemas.records.relay_document import RelayDocumentRecord
from schemas.relay_urls.relay_url import RelayUrl


class Publication:
    """Writes probes and documents; both wait while Kafka is away."""

    def __init__(self, settings: Settings, publisher: Publisher) -> None:
        """Write through a publisher; `start` reads which documents are there."""
        self._publisher = publisher
        self._probes = full_name(settings, "raw.probes")
        self._documents = full_name(settings, "relays.documents")
        self._counts = {self._probes: 0, self._documents: 0}
        self._known: set[bytes] = set()
        """Hashes of documents, 32 bytes each: those of a year are some megabytes."""
        self._following = StateTopic(settings, self._documents, lambda key, _: bytes.fromhex(key.decode()), self._take)
        self._turn = asyncio.Lock()
        """One document at a time: relays that give the same one are probed at the same time."""

    async def start(self) -> None:
        """Learn which documents Kafka has, waiting for it and for the topics."""
        for topic in self._counts:
            self._counts[topic] = await self._publisher.partition_count(topic)
        await self._following.assign()

    async def close(self) -> None:
        """Follow the topic no more."""
        await self._following.close()

    def check(self) -> None:
        """Raise what ended the following of documents, or a record that could not be delivered."""
        self._following.check()
        self._publisher.raise_if_failed()

    async def publish(self, url: RelayUrl, probe: ProbeRecord, document: RelayDocumentRecord | None) -> None:
        """Write a probe and, before it, its document; return when Kafka has both.

        Raises:
            PublishError: Kafka refused a record for good.
        """
        if document is not None:
            await self._publish_document(document)
        partition = relay_partition(url.host, self._counts[self._probes])
        await self._publisher.deliver([ProducerRecord(self._probes, probe.encode(), url.url.encode(), partition)])
        metrics.PROBES_WRITTEN.labels(probe.verdict).inc()

    async def _publish_document(self, document: RelayDocumentRecord) -> None:
        number = bytes.fromhex(document.hash)
        async with self._turn:
            if number in self._known:
                return
            partition = event_partition(document.hash, self._counts[self._documents])
            await self._publisher.deliver(
                [ProducerRecord(self._documents, document.encode(), document.hash.encode(), partition)]
            )
            self._known.add(number)
            metrics.PROBE_DOCUMENTS.inc()

    async def _take(self, changes: Sequence[Change[bytes]]) -> None:
        self._known.update(change.value for change in changes if change.value is not None)
