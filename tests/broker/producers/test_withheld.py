"""What a relay names in a comparison and does not give is a gap until it gives it, or does not name it any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import pytest_asyncio
from pydantic import SecretStr
from websockets.asyncio.server import ServerConnection

from core.settings import Settings
from producers.connector.asking import Asker
from producers.connector.coverage.claims import Claims
from producers.connector.coverage.ledger import Ledger
from producers.connector.crawl.crawler import Crawler
from producers.connector.known_filters import KnownFilters
from producers.connector.reconcile.archive_ids import ArchiveIds
from producers.connector.reconcile.comparison import MOST_TOO_MANY, Comparing, Instead
from producers.connector.relay_model import Model
from producers.relay_client.refusals import HOUR_S
from schemas.nostr.event import Event, encode_event
from schemas.nostr.filter_wire import parse_filter
from schemas.nostr.filters import Filter
from schemas.ranges import complement, contains
from schemas.records.bundle import BundleLine
from schemas.records.coverage import Coverage, FilterCoverage, GapReason
from tests.broker.producers.test_archive_ids import dsn_of
from tests.broker.sinks.archived import RELAYS, archive, fill, signed
from tests.relays.hostile import Hostile, say
from tests.relays.reconciling import Reconciling, conversation, refusal

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

NAME = "withheld"
FILTERS = {Filter().filter_hash(): Filter()}
ALIGNED_S = 53 << 25
"""No window is cut in the 36 hours behind it, whenever the test runs."""
APART_S = 1_000
HELD = [signed(ALIGNED_S + APART_S * number, 1, [], f"event {number}", author=number % 5) for number in range(100)]
GIFTS = [signed(ALIGNED_S + APART_S * number + 500, 1059, [], f"gift {number}") for number in (20, 21, 70)]
GIVEN = {encode_event(gift) for gift in GIFTS}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archived(servers: Servers) -> AsyncIterator[ArchiveIds]:
    """An archive with all but the gifts."""
    async with archive(servers, NAME) as pool:
        async with pool.acquire() as connection:
            await fill(connection, HELD)
        ids = ArchiveIds(Settings(data_dir=Path("unused"), postgres={"dsn": SecretStr(dsn_of(servers, NAME))}))
        yield ids
        await ids.close()


def relay_of(events: Iterable[Event], *, gives: bool) -> Reconciling:
    async def answer(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
        wanted = parse_filter(orjson.dumps(asked))
        fitting = [event for event in relay.events if wanted.matches(Event(**event))]
        fitting.sort(key=lambda event: (-event["created_at"], event["id"]))
        for event in fitting[: asked["limit"]]:
            if gives or event["kind"] != 1059:
                await say(websocket, "EVENT", subid, event)
        await say(websocket, "EOSE", subid)

    return Reconciling([event._asdict() for event in events], answer)


async def crawled(relay: Reconciling, ids: ArchiveIds, stored: Coverage | None) -> tuple[FilterCoverage, set[bytes]]:
    """What is covered afterwards, and the events that came."""
    async with relay, conversation(relay.url) as talk:
        ledger = Ledger(RELAYS[0], FILTERS, stored)
        crawler = Crawler(
            ledger,
            Model(500),
            KnownFilters().of("relay.example"),
            Claims(ledger, hold_s=0),
            comparing=Comparing(RELAYS[0], ids, talk.held, 5.0),
        )
        asker = Asker(talk.client, Model(500), 5.0)
        crawling = asyncio.create_task(crawler.run(talk.client, asker))
        async with asyncio.timeout(60):
            await crawler.finished.wait()
        crawling.cancel()
        await asyncio.gather(crawling, return_exceptions=True)
        lines = await talk.lines()
    (covered,) = ledger.record(0).sets
    return covered, {line.event for line in lines if isinstance(line, BundleLine)}


def due(covered: FilterCoverage) -> Coverage:
    """A record in which every gap is due."""
    gaps = [gap.model_copy(update={"retry_at_s": None}) for gap in covered.gaps]
    return Coverage(relay=RELAYS[0], sets=[covered.model_copy(update={"gaps": gaps})], updated_at_ms=0)


async def test_what_is_named_and_not_given_is_a_gap_until_the_relay_gives_it_or_names_it_no_more(
    archived: ArchiveIds, unused_tcp_port: int
) -> None:
    began_s = int(time.time())
    everything = [*HELD, *GIFTS]
    first, came = await crawled(relay_of(everything, gives=False), archived, None)
    assert not came & GIVEN
    # The first two lie between the same held events, more or less; a range is listed where it has few.
    assert {gap.reason for gap in first.gaps} == {GapReason.WITHHELD}
    spans = [(gap.since, gap.until) for gap in first.gaps]
    assert all(contains(spans, gift.created_at) for gift in GIFTS)
    assert sum(until - since for since, until in spans) < 3 * 10 * APART_S
    read = [(since, until) for since, until, _ in first.read]
    assert complement([*read, *spans], 0, began_s) == []
    assert not any(contains(read, gift.created_at) for gift in GIFTS)

    again, _ = await crawled(relay_of(everything, gives=False), archived, due(first))
    assert {(gap.reason, gap.tries) for gap in again.gaps} == {(GapReason.WITHHELD, 2)}
    assert all(contains([(gap.since, gap.until) for gap in again.gaps], gift.created_at) for gift in GIFTS)

    # Without the archive there are only pages, which do not tell.
    away = Settings(
        data_dir=Path("unused"), postgres={"dsn": SecretStr(f"postgresql://me@127.0.0.1:{unused_tcp_port}/no")}
    )
    paged, _ = await crawled(relay_of(everything, gives=False), ArchiveIds(away), due(first))
    assert [(gap.since, gap.until) for gap in paged.gaps] == spans
    assert {gap.tries for gap in paged.gaps} == {2}
    assert all((gap.retry_at_s or 0) > began_s for gap in paged.gaps)

    for names, given in (everything, GIVEN), (HELD, set()):
        closed, came = await crawled(relay_of(names, gives=True), archived, due(first))
        assert closed.gaps == []
        assert given <= came
        assert complement([(since, until) for since, until, _ in closed.read], 0, began_s) == []


async def test_a_relay_that_always_has_too_much_is_paged_through(archived: ArchiveIds) -> None:
    too_many = refusal("NEG-ERR", "SUBID", "blocked: too many query results", 1000)
    async with Reconciling(speech=too_many) as relay, conversation(relay.url) as talk:
        now_s = 0.0
        comparing = Comparing(relay.url, archived, talk.held, 5.0, now_s=lambda: now_s)

        async def ask() -> object:
            return await comparing.compare(talk.client, Filter(), None, ALIGNED_S + 100_000, limit=500)

        for _ in range(MOST_TOO_MANY - 1):
            assert await ask() is Instead.SPLIT
        assert await ask() is Instead.PAGE
        assert not comparing.possible
        assert comparing.hopeful
        # An hour later one question tells whether it has come to its senses.
        now_s = HOUR_S - 1
        assert not comparing.possible
        now_s = HOUR_S
        assert await ask() is Instead.PAGE
        assert not comparing.possible
        assert len(relay.opened) == MOST_TOO_MANY + 1
