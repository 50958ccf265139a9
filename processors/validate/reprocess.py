"""Validates the bundles of a period again, by the present rules and settings, beside a running processor.

The same pure pipeline with a seen-set of its own: what is accepted is published again, and the archive converges. What
is refused again goes to `rejections` again. Nothing is committed: it can be repeated, and interrupted at any moment.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from core import kafka
from core.settings import Settings
from processors.runtime.outputs import BatchPublisher
from processors.validate.known.seen import SeenSet
from processors.validate.opening import Validation, open_validation
from processors.validate.outcome import Outcome, Source
from processors.validate.pipeline import conclude_bundle, examine_bundle
from schemas.nostr.judge import Policy
from schemas.topics import physical

# Bundles that are unpacked at once; each is at most a little over a mebibyte.
_POLL_BUNDLES = 64
_POLL_MS = 500


class Watcher(Protocol):
    """Receives progress and notices."""

    def progress(self, done: int, total: int) -> None:
        """Receive, after every poll, how many of the bundles were validated."""

    def note(self, text: str) -> None:
        """Receive a notice for people."""


@dataclass(slots=True)
class Report:
    """What became of the copies.

    Attributes:
        bundles: records of `raw.bundles` that were validated.
        copies: lines in them.
        duplicates: copies that were met before in this run.
        accepted: events that were published.
        sightings: pairs of event and relay that were published.
        refused, quarantined: inputs by reason.
        erased: copies that were dropped because they are erased, by cause.
    """

    bundles: int = 0
    copies: int = 0
    duplicates: int = 0
    accepted: int = 0
    sightings: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    erased: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count one bundle."""
        self.bundles += 1
        self.copies += outcome.lines
        self.duplicates += outcome.duplicates
        for records in outcome.by_partition.values():
            self.accepted += len(records.events)
            self.sightings += sum(map(len, records.sightings.values()))
        self.refused.update(each.reason.value for each in outcome.refused)
        self.quarantined.update(each.reason.value for each in outcome.quarantined)
        self.erased.update({cause.value: copies for cause, copies in outcome.erased.items()})


class Span(NamedTuple):
    """Offsets of one partition, the end not included."""

    first: int
    end: int


async def reprocess(settings: Settings, since_ms: int, until_ms: int, watcher: Watcher) -> Report:
    """Validate again the bundles with a Kafka timestamp from `since_ms` to before `until_ms` (Unix milliseconds).

    Returns when everything that follows from them is durable. Raises what ends a processor: an output that Kafka
    refuses for good.
    """
    async with AsyncExitStack() as stack:
        opened = await open_validation(settings, stack)
        topic = physical(settings.kafka.topic_prefix, "raw.bundles")
        client = await kafka.consumer(settings)
        stack.push_async_callback(kafka.stop_client, client)
        partitions = [TopicPartition(topic, number) for number in range(opened.partitions)]
        spans = await _spans(settings, client, partitions, watcher, since_ms=since_ms, until_ms=until_ms)
        run = _Run(settings, opened)
        await run.judge(client, spans, watcher)
        return run.report


async def _spans(
    settings: Settings,
    client: AIOKafkaConsumer,
    partitions: list[TopicPartition],
    watcher: Watcher,
    *,
    since_ms: int,
    until_ms: int,
) -> dict[TopicPartition, Span]:
    begins, ends = await kafka.bounds(client, partitions)
    firsts = await kafka.offsets_at(settings, client, ends, since_ms)
    lasts = await kafka.offsets_at(settings, client, ends, until_ms)
    spans = {tp: Span(firsts[tp], lasts[tp]) for tp in partitions}
    if gone := [tp for tp in partitions if begins[tp] and spans[tp].first <= begins[tp]]:
        watcher.note(
            f"{len(gone)} partitions of {gone[0].topic} may have lost bundles of that time: `bigbrotr topics trim` "
            "deletes what was judged after kafka.bundles_keep_days"
        )
    return {tp: span for tp, span in spans.items() if span.first < span.end}


class _Run:
    """Validates bundles, each partition's in order, and holds a bounded number whose outputs are not durable yet."""

    def __init__(self, settings: Settings, opened: Validation) -> None:
        processor = settings.processor
        self.report = Report()
        self._opened = opened
        self._policy = Policy(archive_ephemeral=processor.archive_ephemeral)
        self._discovery = settings.discovery
        self._publisher = BatchPublisher(opened.clients.producer)
        self._seen_ids = processor.seen_ids_per_partition
        self._seen: dict[TopicPartition, SeenSet] = {}
        self._in_flight: deque[list[asyncio.Future[Any]]] = deque()
        self._most_in_flight = processor.bundles_in_flight

    async def judge(self, client: AIOKafkaConsumer, spans: dict[TopicPartition, Span], watcher: Watcher) -> None:
        """Go through the spans to their ends, and wait until all outputs are durable."""
        total = sum(span.end - span.first for span in spans.values())
        client.assign(list(spans))
        for tp, span in spans.items():
            client.seek(tp, span.first)
        while left := [tp for tp, span in spans.items() if await client.position(tp) < span.end]:
            await self._opened.erasures.until_current()
            self._opened.erasures.check()
            fetched = await client.getmany(*left, timeout_ms=_POLL_MS, max_records=_POLL_BUNDLES)
            await asyncio.gather(
                *(
                    self._partition(tp, [record for record in records if record.offset < spans[tp].end])
                    for tp, records in fetched.items()
                )
            )
            await self._settle(self._most_in_flight)
            watcher.progress(self.report.bundles, total)
        await self._settle(0)
        watcher.progress(total, total)
        if missed := total - self.report.bundles:
            watcher.note(f"{missed} bundles of that time were deleted (`bigbrotr topics trim`) before they were read")

    async def _partition(self, tp: TopicPartition, records: list[ConsumerRecord[bytes, bytes]]) -> None:
        opened = self._opened
        seen = self._seen.setdefault(tp, SeenSet(self._seen_ids, opened.relays))
        for record in records:
            source = Source(tp.topic, tp.partition, record.offset)
            found = examine_bundle(record.value or b"", seen, self._policy, opened.erasing)
            if opened.archive is not None:
                await opened.archive.teach(found, seen, source)
            verdicts = await opened.verifier.verify(found.signatures)
            outcome = conclude_bundle(found, verdicts, seen, source, opened.partitions, discovery=self._discovery)
            # At once, unlike in the processor: a run that fails reports it, and is repeated as a whole.
            seen.learn(outcome.learned)
            self._in_flight.append(await self._publisher.publish(opened.outputs.of(outcome, source)))
            self.report.add(outcome)

    async def _settle(self, most: int) -> None:
        """Wait until the outputs of at most so many bundles are not durable."""
        while len(self._in_flight) > most:
            await asyncio.gather(*self._in_flight.popleft())
