"""A farm of relays that lie: what any question can bring is archived, and the ledger names what could not be read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.embedded.stack import Servers
from schemas.ranges import Range, complement, contains
from schemas.records.coverage import FilterCoverage, GapReason
from tests.broker.producers.harness import coverage
from tests.pipeline.fixtures import Pipeline, pipeline
from tests.pipeline.world import announce
from tests.relays.hostile import Event, Hostile
from tests.relays.liars import Lie, burst, reachable, written

pytestmark = [pytest.mark.e2e, pytest.mark.storms, pytest.mark.timeout(300)]

DAY_S = 86_400
BURST_S = 1_700_000_000
UNREADABLE_S = 1_690_000_000
QUICK = {"BIGBROTR_CONNECTOR__EOSE_TIMEOUT_S": "2", "BIGBROTR_CONNECTOR__EOSE_HOLD_S": "1"}


@dataclass
class Liar:
    """A relay of the farm, and which seconds of it cannot be shown to be read."""

    lie: Lie
    events: list[Event]
    unread: tuple[Range, ...] = ()
    reasons: frozenset[GapReason] = frozenset()
    relay: Hostile | None = None

    def __post_init__(self) -> None:
        self.relay = Hostile(self.events, self.lie)

    @property
    def url(self) -> str:
        assert self.relay is not None
        return self.relay.url


def spread(count: int, step_s: int, author: int) -> list[Event]:
    """Events of some kinds, the newest an hour ago."""
    now_s = int(time.time())
    return [
        written(now_s - 3600 - number * step_s, (1, 7, 30_023)[number % 3], author, number) for number in range(count)
    ]


def farm() -> dict[str, Liar]:
    now_s = int(time.time())
    odd_dates = [written(second, 1, 9, 0) for second in (0, 1, 5_000, now_s + 400 * DAY_S, 2**33, 2**40 - 1)]
    wraps = [written(now_s - 7200 - number * 60, 1059, 5, number) for number in range(200)]
    # As many of each kind as fit a page, so that the kinds alone tell them apart; most of them are unheard of.
    kinds = list(burst(BURST_S, range(40_000, 40_066), 1, 45)) + list(burst(BURST_S, (4, 1059), 1, 15))
    # Authors tell these apart, except those of one who wrote more than a page in a second.
    authors = list(burst(UNREADABLE_S, (1,), 60, 40)) + list(burst(UNREADABLE_S, (7,), 1, 600))
    # They are known from elsewhere: an author that was not heard of cannot be asked for.
    authors += [written(now_s - 5000 - author, 1, author, 99) for author in range(60)]
    return {
        "caps": Liar(Lie(), spread(400, 9_000, 1)),
        "reversed": Liar(Lie("ascending"), spread(300, 20_000, 2)),
        "oldest first": Liar(Lie("oldest"), spread(300, 20_000, 3)),
        "in any order": Liar(Lie("any"), spread(300, 20_000, 4)),
        "ignores since": Liar(Lie(ignores_since=True), spread(300, 30_000, 6)),
        "burst by kind": Liar(Lie(), kinds + spread(60, 500_000, 7)),
        "burst by author": Liar(
            Lie(),
            authors + spread(60, 500_000, 8),
            ((UNREADABLE_S, UNREADABLE_S),),
            frozenset({GapReason.DENSE_SECOND}),
        ),
        "no EOSE": Liar(Lie(eose=False), spread(20, 1_000, 10), ((0, now_s + DAY_S),), frozenset({GapReason.NO_EOSE})),
        "closes": Liar(Lie(closes=True), spread(200, 9_000, 11)),
        "doubles": Liar(Lie(doubles=True), spread(120, 9_000, 12)),
        "odd dates": Liar(Lie(), odd_dates),
        "withholds": Liar(Lie(withholds=frozenset({4, 1059})), wraps + spread(40, 10_000_000 // 40, 13)),
    }


@pytest.fixture
def apart(servers: Servers, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline that waits less for what never comes."""
    with pipeline(servers, "liars", tmp_path, **QUICK) as started:
        yield started


async def test_what_can_be_had_is_archived_and_the_ledger_names_the_rest(apart: Pipeline) -> None:
    liars = farm()
    began_s = int(time.time())
    async with AsyncExitStack() as stack:
        for liar in liars.values():
            assert liar.relay is not None
            await stack.enter_async_context(liar.relay)
        await announce(apart.settings, *[liar.url for liar in liars.values()])
        await all_crawled(apart, liars)
        wanted = {(event_id, liar.url) for liar in liars.values() for event_id in reachable(liar.lie, liar.events)}

        async def archived() -> bool:
            events, pairs = await apart.archive.counts()
            return events >= len(wanted) and pairs >= len(wanted)

        await apart.archive.until("everything that can be had", archived, limit_s=60)
        assert await apart.archive.sightings() == wanted
        await ledgers_tell(apart, liars, began_s)

        # What a relay gets late, dated below what was read of it, is found by the next visit.
        late = written(began_s - 2 * DAY_S, 1, 20, 0)
        caps = liars["caps"]
        caps.events.append(late)
        apart.services.kill("connector")
        apart.services.start("connector")

        async def late_came() -> bool:
            return (late["id"], caps.url) in await apart.archive.sightings()

        await apart.archive.until("what came late", late_came)
    # No relay has cost more questions than its lies are worth.
    for name, liar in liars.items():
        assert liar.relay is not None
        assert len(liar.relay.requests) < 700, name


async def all_crawled(running: Pipeline, liars: dict[str, Liar]) -> None:
    async def crawled() -> bool:
        # In a thread: the relays answer in this loop, and one that is silent meanwhile counts as a liar.
        details = await asyncio.to_thread(running.services.details, "connector")
        relays = {relay["url"]: relay for relay in details.get("relays", [])}
        return all(liar.url in relays and relays[liar.url]["crawl"]["done"] for liar in liars.values())

    await running.archive.until("every relay is crawled", crawled, limit_s=240)


async def ledgers_tell(running: Pipeline, liars: dict[str, Liar], began_s: int) -> None:
    async def recorded() -> bool:
        records = await coverage(running.settings)
        return all(liar.url in records and told(records[liar.url].sets[0], began_s) for liar in liars.values())

    # A record is written a second after what it tells.
    await running.archive.until("what was read is recorded", recorded, limit_s=30)
    records = await coverage(running.settings)
    for name, liar in liars.items():
        (ledger,) = records[liar.url].sets
        gaps = [(gap.since, gap.until) for gap in ledger.gaps]
        assert {gap.reason for gap in ledger.gaps} == liar.reasons, name
        assert all(any(low <= since and until <= high for low, high in liar.unread) for since, until in gaps), name
        got = reachable(liar.lie, liar.events)
        for event in liar.events:
            if event["id"] not in got and event["kind"] not in liar.lie.withholds:
                assert contains(gaps, event["created_at"]), name


def told(ledger: FilterCoverage, began_s: int) -> bool:
    """Whether every second until then is read or in a gap."""
    spans = [(since, until) for since, until, _ in ledger.read] + [(gap.since, gap.until) for gap in ledger.gaps]
    return not complement(spans, 0, began_s)
