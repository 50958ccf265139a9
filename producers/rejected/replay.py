"""Sends refused input through the pipeline again: events that are accepted now, and rows that could not be written."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import TopicPartition

from core.kafka import publishing
from core.settings import Settings
from core.tasks import running
from producers.bundler import Bundler
from producers.filters import configured_filters
from producers.rejected.reading import GoneError, read_records
from producers.rejected.records import RejectedInput
from producers.rejected.verdicts import ACCEPTED, Judged, judge_again
from producers.send_buffer import SendBuffer
from producers.targets import full_name
from schemas.nostr.judge import Policy
from schemas.reasons import EventError, Verdict
from schemas.records.bundle import HeldLine
from schemas.records.rejection import Rejection

SINK_STAGE = "sink"
SENT_AGAIN = "sent again"
_LEFT = "left to its writer, which writes the newest state itself"
_GONE = "gone: neither here nor at its source"
_STATE_TOPICS = ("coverage", "relays", "relays.health")
"""An older record must not come after a newer one there: compaction would keep the older."""
_FACT_TOPICS = ("events", "sightings", "raw.probes", "relays.documents")
"""What records say there does not change with time; a document is its key."""
_STAGES = ("connector", "import", "validate")


class Outcome(NamedTuple):
    """What became of inputs that were refused by the same stage for the same reason: their verdicts now."""

    stage: str
    reason: str
    verdict: str


@dataclass(slots=True)
class ReplayReport:
    """What a replay has done so far.

    Attributes:
        read: records that were looked at.
        selected: those that were wanted.
        sent: those that were published, or would be.
        outcomes: the selected ones.
    """

    read: int = 0
    selected: int = 0
    sent: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)


Progress = Callable[[ReplayReport], None]


async def replay(
    settings: Settings, items: AsyncIterator[RejectedInput | None], *, dry_run: bool = False, progress: Progress
) -> ReplayReport:
    """Validate inputs again and publish what is accepted now; returns when Kafka has acknowledged all of it.

    Events go to `raw.bundles` with the relay and the time of the copy that was refused, and through the processor like
    all others. Records that the sink could not store go to the partition of the topic from which it had read them.

    Args:
        settings: say where Kafka is, and what is accepted.
        items: the inputs; None stands for one that was not selected.
        dry_run: publish nothing.
        progress: called with the growing report after every record.

    Raises:
        PublishError: Kafka refused a record for good.
        ValueError: a configured filter is none.
    """
    if dry_run:
        return await _Replay(settings, None, None, progress).run(items)
    async with publishing(settings) as publisher:
        send_buffer = SendBuffer(publisher, settings.connector.in_flight_bytes)
        async with running(send_buffer.run()):
            bundles = full_name(settings, "raw.bundles")
            bundler = Bundler(
                send_buffer,
                bundles,
                await publisher.partition_count(bundles),
                lines=settings.connector.bundle_lines,
                max_bytes=settings.connector.bundle_bytes,
                age_ms=settings.connector.bundle_age_ms,
            )
            report = await _Replay(settings, send_buffer, bundler, progress).run(items)
            await bundler.flushed()
            return report


class _Replay:
    """One replay; without send buffer and bundler it only reports what it would do."""

    def __init__(
        self, settings: Settings, send_buffer: SendBuffer | None, bundler: Bundler | None, progress: Progress
    ) -> None:
        self._settings = settings
        self._send_buffer = send_buffer
        self._bundler = bundler
        self._progress = progress
        self._policy = Policy(archive_ephemeral=settings.processor.archive_ephemeral)
        self._filters = configured_filters(settings)
        self._report = ReplayReport()

    async def run(self, items: AsyncIterator[RejectedInput | None]) -> ReplayReport:
        report = self._report
        async for item in items:
            report.read += 1
            if item is not None:
                report.selected += 1
                report.outcomes[Outcome(item.stage, item.reason, await self._take(item))] += 1
                if self._send_buffer is not None:
                    await self._send_buffer.room()
            self._progress(report)
        return report

    async def _take(self, item: RejectedInput) -> str:
        if item.rejection is not None and item.stage == SINK_STAGE:
            return await self._send_again(item, item.rejection)
        if item.rejection is not None and item.stage not in _STAGES:
            return f"left: what the stage {item.stage} refuses is not known to this version"
        judged = judge_again(item, self._policy, self._filters)
        if judged.copy is None:
            return judged.verdict
        try:
            self._publish(judged)
        except EventError as error:
            return f"{Verdict.REFUSED.value}, {error.reason.value}"
        self._report.sent += 1
        return judged.verdict if judged.verdict == ACCEPTED else f"{judged.verdict}, {SENT_AGAIN}"

    def _publish(self, judged: Judged) -> None:
        copy = judged.copy
        if self._bundler is None or copy is None:
            return
        if isinstance(copy, HeldLine):
            self._bundler.add_held(copy)
        else:
            self._bundler.add(copy.relay, copy.seen_at_ms, copy.event, judged.id)

    async def _send_again(self, item: RejectedInput, rejection: Rejection) -> str:
        topic, partition, offset = rejection.source_topic, rejection.source_partition, rejection.source_offset
        if topic is None or partition is None or offset is None:
            return "left: its headers name no source"
        if topic not in self._sources():
            return f"left: its source is not one of the topics with the prefix {self._settings.kafka.topic_prefix}"
        if topic in self._sources(_STATE_TOPICS):
            return _LEFT
        key, value = item.key, item.value
        if not value:  # Too large for `unwritten`: it is only named.
            try:
                (record,) = (await read_records(self._settings, [(TopicPartition(topic, partition), offset)])).values()
            except GoneError:
                return _GONE
            key, value = record.key, record.value or b""
        if self._send_buffer is not None:
            self._send_buffer.put(topic, value, key=key, partition=partition)
        self._report.sent += 1
        return SENT_AGAIN

    def _sources(self, names: Sequence[str] = (*_FACT_TOPICS, *_STATE_TOPICS)) -> set[str]:
        return {full_name(self._settings, name) for name in names}
