"""Bundles judged again: what a policy refused comes when the policy has changed, and the rest changes nothing."""

from __future__ import annotations

import asyncio
import os
import time
from threading import Thread

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from core import kafka
from core.settings import Settings
from processors.validate.reprocess import Report, reprocess
from schemas.nostr.event import Event
from schemas.records.erasure import Cause, Erasure
from schemas.topics import physical
from tests.broker.processors.harness import Line, bundles, erase, event_ids, line, produce, rejected, sighted
from tests.unit.processors.material import event, wire

pytestmark = pytest.mark.broker

FAR_MS = 2**42
EPHEMERAL = 20_001


class Watched:
    """A watcher that keeps what it was told."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []
        self.notes: list[str] = []

    def progress(self, done: int, total: int) -> None:
        self.steps.append((done, total))

    def note(self, text: str) -> None:
        self.notes.append(text)


def copies(*events: Event) -> list[Line]:
    return [line(each.id, wire(each), relay) for each in events for relay in ("wss://a.example", "wss://b.example")]


async def judged(settings: Settings, since_ms: int = 0, until_ms: int = FAR_MS) -> Report:
    watched = Watched()
    report = await reprocess(settings, since_ms, until_ms, watched)
    assert watched.steps[-1] == (report.bundles, report.bundles)
    return report


async def test_what_was_refused_comes_when_the_policy_allows_it(ours: Settings) -> None:
    usual, ephemeral, erased = event("usual"), event("ephemeral", kind=EPHEMERAL), event("erased")
    made = bundles([*copies(usual, ephemeral, erased), line("00" * 32, b"{}")], ours.kafka.partitions, size=1)
    await produce(ours, made)
    await erase(ours, [Erasure(id=erased.id, cause=Cause.OPERATOR, erased_at_ms=1)])

    first = await judged(ours)
    assert (first.bundles, first.copies, first.accepted, first.sightings) == (7, 7, 1, 2)
    assert first.refused == {"kind_not_archived": 2, "bad_field": 1}
    assert first.erased == {"operator": 2}
    assert await event_ids(ours) == [usual.id]

    processor = ours.processor.model_copy(update={"archive_ephemeral": True})
    later = await judged(ours.model_copy(update={"processor": processor}))
    assert (later.accepted, later.sightings, dict(later.refused)) == (2, 4, {"bad_field": 1})
    assert set(await event_ids(ours)) == {usual.id, ephemeral.id}
    assert await sighted(ours) == {
        (each.id, relay) for each in (usual, ephemeral) for relay in ("wss://a.example", "wss://b.example")
    }
    assert len(await rejected(ours)) == 4, "what is refused again is said again"


async def test_only_bundles_of_the_time_are_judged(ours: Settings) -> None:
    early, late = event("early"), event("late")
    await produce(ours, bundles(copies(early), ours.kafka.partitions))
    moment_ms = time.time_ns() // 1_000_000 + 1
    while time.time_ns() // 1_000_000 <= moment_ms:  # noqa: ASYNC110 - the clock has no event
        await asyncio.sleep(0.001)
    await produce(ours, bundles(copies(late), ours.kafka.partitions))
    assert (await judged(ours, since_ms=moment_ms)).bundles == 1
    assert await event_ids(ours) == [late.id]
    assert (await judged(ours, until_ms=moment_ms)).bundles == 1
    assert set(await event_ids(ours)) == {early.id, late.id}
    nothing = Watched()
    assert (await reprocess(ours, FAR_MS, FAR_MS + 1, nothing)).bundles == 0
    assert nothing.notes == []


class Trimming(Watched):
    """Deletes everything once the first bundles were judged, as a janitor may."""

    def __init__(self, settings: Settings, ends: dict[TopicPartition, int]) -> None:
        super().__init__()
        self._settings = settings
        self._ends = ends

    def progress(self, done: int, total: int) -> None:
        if not self.steps:
            trimming = Thread(target=lambda: asyncio.run(self._trim()))
            trimming.start()
            trimming.join()
        super().progress(done, total)

    async def _trim(self) -> None:
        admin = await kafka.admin(self._settings)
        await admin.delete_records({tp: RecordsToDelete(end) for tp, end in self._ends.items()})
        await kafka.stop_client(admin)


async def test_what_is_deleted_meanwhile_is_told(ours: Settings) -> None:
    count = 24  # more than a consumer takes from one partition ahead, about a mebibyte, however well they compress
    lines = [line("00" * 32, b'{"":"%s"}' % os.urandom(250_000).hex().encode()) for _ in range(count)]
    await produce(ours, bundles(lines, ours.kafka.partitions, size=1))
    ends = await kafka.end_offsets(ours, [physical(ours.kafka.topic_prefix, "raw.bundles")])
    assert sorted(ends.values()) == [0, 0, 0, count]
    watched = Trimming(ours, {tp: end for tp, end in ends.items() if end})
    report = await reprocess(ours, 0, FAR_MS, watched)
    assert 0 < report.bundles < count
    assert watched.steps[-1] == (count, count)
    (note,) = watched.notes
    assert note.startswith(f"{count - report.bundles} bundles of that time were deleted")
