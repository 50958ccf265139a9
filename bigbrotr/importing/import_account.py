"""The report of an import: what was archived, a duplicate, refused, quarantined or erased, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import TopicPartition

from bigbrotr.importing.line_outcomes import LineOutcomes
from bigbrotr.status.lags import Lags
from core.archive.counts import present
from core.archive.insertions import new_since
from core.erasures import ErasureFollower, into
from core.kafka import read_between
from core.settings import Settings
from processors.validate.erasing import Erasing
from producers.files.import_report import ImportReport
from schemas.nostr.judge import Policy, examine, judge
from schemas.nostr.wire import find_id
from schemas.reasons import Verdict
from schemas.records.bundle import BundleLine, decode_lines
from schemas.records.erasure import Cause
from schemas.records.rejection import Rejection
from schemas.topics import physical

_NAMED = 20  # enough to look into the cause; the count says how many there are
_ERASED = "erased"
REFUSALS = (
    ("rejections", Verdict.REFUSED),
    ("unwritten", Verdict.REFUSED),
    ("quarantine", Verdict.QUARANTINED),
)


class Began(NamedTuple):
    """What there was before an import.

    Attributes:
        ends: where the topics of `REFUSALS` ended.
        moment: of the archive (`core.archive.insertions`).
    """

    ends: Mapping[TopicPartition, int]
    moment: str


@dataclass
class Account:
    """What became of the lines of an import.

    Attributes:
        lines: all that are not blank.
        archived: distinct events that are in the archive now.
        new: of those, how many were not in it when the import began.
        duplicates: further copies of those.
        refused, quarantined: lines by reason.
        erased: lines by cause: dropped or deleted, because an erasure covers them or the policy says so.
        missing: lines of which nothing can be found: they are neither archived nor refused.
        missing_ids: the first of their ids.
    """

    lines: int
    archived: int = 0
    new: int = 0
    duplicates: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    erased: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    missing_ids: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every line is accounted for."""
        settled = self.refused.total() + self.quarantined.total() + self.erased.total()
        return not self.missing and self.archived + self.duplicates + settled == self.lines


async def account(settings: Settings, lags: Lags, report: ImportReport, began: Began) -> Account:
    """Make the account, once everything that was imported is validated and archived.

    Args:
        settings: with the servers filled in.
        lags: open connections.
        report: of the import; what it refused itself is part of the account.
        began: what there was before.
    """
    outcomes = LineOutcomes()
    try:
        await _add_lines(settings, report, outcomes)
        await _settle(settings, lags, began.ends, outcomes)
        result = await _counted(lags, report, outcomes, began)
        if result.missing:
            await _settle_quarantined(settings, report, outcomes)
            result = await _counted(lags, report, outcomes, began)
    finally:
        outcomes.close()
    return result


async def _counted(lags: Lags, report: ImportReport, outcomes: LineOutcomes, began: Began) -> Account:
    result = Account(report.lines, refused=Counter(report.refused))
    by_verdict = {
        Verdict.REFUSED: result.refused,
        Verdict.QUARANTINED: result.quarantined,
        _ERASED: result.erased,
    }
    for settled in outcomes.settled():
        by_verdict[settled.verdict][settled.reason] += settled.lines
    for accepted in outcomes.accepted():
        async with lags.pool.acquire() as connection:
            found = await present(connection, list(accepted))
            result.new += len(await new_since(connection, list(found), began.moment))
        result.archived += len(found)
        for event_id, copies in accepted.items():
            if event_id in found:
                result.duplicates += copies - 1
            else:
                result.missing += copies
                result.missing_ids = [*result.missing_ids, event_id][:_NAMED]
    return result


async def _add_lines(settings: Settings, report: ImportReport, outcomes: LineOutcomes) -> None:
    """Read what the import wrote, from Kafka: also standard input, which cannot be read twice."""
    erasing = await _erasing(settings)
    async for partition, offset, lines in _bundles(settings, report):
        pairs = [(line.event, find_id(line.event)) for line in lines]
        outcomes.add(partition, offset, [(raw, event_id) for raw, event_id in pairs if event_id])
        if erasing.active:
            for line in lines:
                if (cause := _erased(erasing, line)) is not None:
                    outcomes.settle(partition, offset, line.event, _ERASED, cause)


async def _settle_quarantined(settings: Settings, report: ImportReport, outcomes: LineOutcomes) -> None:
    """Settle what is in quarantine already: it is kept once, so a second import leaves no trace there."""
    policy = Policy(archive_ephemeral=settings.processor.archive_ephemeral)
    async for partition, offset, lines in _bundles(settings, report):
        for line in lines:
            judgement = judge(line.event, policy)
            if judgement.verdict is Verdict.QUARANTINED and judgement.event is not None:
                outcomes.settle_all(partition, offset, line.event, judgement.verdict, str(judgement.reason))


async def _bundles(settings: Settings, report: ImportReport) -> AsyncIterator[tuple[int, int, list[BundleLine]]]:
    """What the import wrote: partition, offset and copies of each record."""
    topic = physical(settings.kafka.topic_prefix, "raw.bundles")
    ours = report.bundles
    begins = {TopicPartition(topic, partition): min(offsets) for partition, offsets in ours.items()}
    ends = {TopicPartition(topic, partition): max(offsets) + 1 for partition, offsets in ours.items()}
    async for record in read_between(settings, begins, ends):
        if record.offset in ours[record.partition]:
            lines = [line for line in decode_lines(record.value or b"") if isinstance(line, BundleLine)]
            yield record.partition, record.offset, lines


def _erased(erasing: Erasing, line: BundleLine) -> Cause | None:
    try:
        return erasing.cause(examine(line.event, Policy()), line.seen_at_ms)
    except Exception:  # noqa: BLE001 - what the rules fail on is in quarantine, with the reason
        return None


async def _erasing(settings: Settings) -> Erasing:
    """Read what is erased by now."""
    found = Erasing.of(settings.policy)
    follower = ErasureFollower(settings, into(found.index))
    try:
        await follower.start()
    finally:
        await follower.close()
    return found


async def _settle(settings: Settings, lags: Lags, before: Mapping[TopicPartition, int], outcomes: LineOutcomes) -> None:
    prefix = settings.kafka.topic_prefix
    raw_topic, events_topic = physical(prefix, "raw.bundles"), physical(prefix, "events")
    for name, verdict in REFUSALS:
        _, ends = await lags.reader.bounds(name)
        async for record in read_between(settings, before, ends):
            try:
                refusal = Rejection.from_headers(record.headers)
            except ValueError:
                continue  # written by something else than this system
            partition, offset = refusal.source_partition, refusal.source_offset
            if refusal.source_topic == raw_topic and partition is not None and offset is not None:
                settle = outcomes.settle_all if verdict is Verdict.QUARANTINED else outcomes.settle
                settle(partition, offset, record.value or b"", verdict, refusal.reason)
            elif refusal.source_topic == events_topic and record.key is not None:
                outcomes.settle_id(record.key, verdict, refusal.reason)
