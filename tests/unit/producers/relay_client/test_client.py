"""What is said on one connection: AUTH for several subscriptions, pages that are closed, gaps that are tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr
from websockets.asyncio.server import ServerConnection

from core.clock import Clock
from producers.bundler import Bundler
from producers.connector.asking import Asker
from producers.connector.coverage.claims import Claims
from producers.connector.coverage.ledger import Ledger
from producers.connector.coverage.open_gaps import FIRST_RETRY_S
from producers.connector.crawl.crawler import Crawler
from producers.connector.known_filters import KnownFilters
from producers.connector.live import LiveFeed
from producers.connector.reading.budget import Budget
from producers.connector.reading.intake import Intake
from producers.connector.relay_model import Model
from producers.rejecting import Rejections
from producers.relay_client.client import RelayClient
from producers.relay_client.dialling import Dialling, open_connection
from producers.relay_client.frames import FrameReader, parse
from producers.relay_client.page_subscription import LEAST_RELEASED, PageSubscription
from producers.relay_client.subscriptions import Subscription
from producers.send_buffer import SendBuffer
from schemas.nostr.filters import Filter
from schemas.nostr.messages import Closed
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize
from tests.relays import hostile
from tests.relays.hostile import Hostile, say
from tests.unit.producers.sender import Sender

DIALLING = Dialling(connect_timeout_s=5, frame_max_bytes=1 << 20, ping_interval_s=30, proxies={})
EOSE_TIMEOUT_S = 20
NS = 1_000_000_000


def frames_of(send_buffer: SendBuffer) -> tuple[FrameReader, Bundler]:
    bundler = Bundler(send_buffer, "bundles", 4)
    rejections = Rejections(send_buffer, "rejections", 4, "connector")
    return FrameReader(Intake("ws://relay.example", bundler, rejections, Budget(1 << 30, 1 << 30))), bundler


@asynccontextmanager
async def talking(relay: Hostile, auth_key: SecretStr | None = None) -> AsyncIterator[RelayClient]:
    """A client that is read, on a connection of its own."""
    url = normalize(relay.url, allow_private=True)
    record = RelayRecord(url=url.url, network=url.network, source="test", allow_private=True, updated_at_ms=0)
    send_buffer = SendBuffer(Sender(), 1 << 30)
    connection = await open_connection(record, url, DIALLING)
    client = RelayClient(url.url, connection, frames_of(send_buffer)[0], send_buffer, auth_key=auth_key)
    reading = asyncio.create_task(client.read())
    try:
        async with asyncio.timeout(EOSE_TIMEOUT_S):
            yield client
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await connection.close()


async def test_one_answer_to_auth_holds_for_all_subscriptions_that_were_refused() -> None:
    feeds = [LiveFeed(Filter(kinds=(kind,)), EOSE_TIMEOUT_S, Model(10), reopened=lambda: None) for kind in range(4)]
    async with Hostile([], hostile.demands_auth) as relay, talking(relay, SecretStr("3" * 64)) as client:
        running = [asyncio.create_task(feed.run(client)) for feed in feeds]
        for feed, task in zip(feeds, running, strict=True):
            opening = asyncio.create_task(feed.open.wait())
            await asyncio.wait({opening, task}, return_when=asyncio.FIRST_COMPLETED)
            assert not task.done(), task.exception()
        assert len(relay.auth_events) == 1
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def closed_after_eose(text: str, prefix: str) -> PageSubscription:
    page = PageSubscription("page-1", Filter(limit=5))
    page.end(frozenset())
    page.close(Closed("page-1", prefix, text))
    return page


async def test_a_page_that_is_closed_after_eose_is_answered_unless_the_relay_says_why() -> None:
    assert closed_after_eose("", "").usable
    assert closed_after_eose("subscription is over", "").usable
    assert not closed_after_eose("auth-required: some of it", "auth-required").usable
    page = PageSubscription("page-1", Filter(limit=5))
    assert not page.usable
    page.close(Closed("page-1", "", ""))
    assert not page.usable


async def test_a_gap_is_tried_again_when_it_is_due_also_over_another_connection() -> None:
    async def restricted(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
        await say(websocket, "CLOSED", subid, "restricted: not now")

    passed_s = 0.0
    clock = Clock(lambda: 1_700_000_000 * NS, lambda: round(passed_s * NS))
    ledger = Ledger("ws://relay.example", {"f": Filter()}, None)
    known_filters = KnownFilters().of("relay.example")
    crawler = Crawler(ledger, Model(500), known_filters, Claims(ledger, hold_s=0), clock=clock)

    async def visit(relay: Hostile) -> None:
        crawler.finished.clear()
        async with talking(relay) as client:
            asker = Asker(client, Model(500), EOSE_TIMEOUT_S)
            crawling = asyncio.create_task(crawler.run(client, asker))
            await crawler.finished.wait()
            crawling.cancel()
            await asyncio.gather(crawling, return_exceptions=True)

    async with Hostile([], restricted) as relay:
        await visit(relay)
        assert ledger.gaps > 0
        relay.answer = None
        await visit(relay)
        assert ledger.gaps > 0
        passed_s = 2 * FIRST_RETRY_S
        await visit(relay)
        assert ledger.gaps == 0


@pytest.mark.parametrize("created_at", [-1, 2**40, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30])
async def test_any_integer_fits_where_no_bound_was_asked(created_at: int) -> None:
    sender = Sender()
    send_buffer = SendBuffer(sender, 1 << 20)
    running = asyncio.create_task(send_buffer.run())
    frames, bundler = frames_of(send_buffer)
    event = b'{"id":"%b","created_at":%d}' % (b"a" * 64, created_at)
    frames.take(parse(b'["EVENT","s",%b]' % event), {"s": Subscription("s", Filter(limit=5))})
    assert frames.received == 1
    flushing = asyncio.create_task(bundler.flushed())
    await sender.first.wait()
    assert [sent.topic for sent in sender.sent] == ["bundles"]
    assert event in sender.sent[0].value
    sender.acknowledge()
    await flushing
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_closed_question_takes_what_a_relay_sends_until_it_has_read_the_close() -> None:
    page = PageSubscription("page-1", Filter(limit=20))
    for number in range(30):
        page.take(number, f"{number:064x}", {})
    page.release()
    taken = 0
    while page.wants({}, taken):
        page.take(taken, f"{1000 + taken:064x}", {})
        taken += 1
    assert taken == LEAST_RELEASED


async def test_silence_that_ends_in_a_pause_of_ours_is_none() -> None:
    silences = iter([0.0, 1.0])
    page = PageSubscription("page-1", Filter(limit=5), lambda _: next(silences))
    assert await page.quiet_for(0.05)
    assert next(silences, None) is None


async def test_the_silence_before_a_late_answer_is_known() -> None:
    """Also as it is measured while the answer is dealt with."""

    async def late(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
        await say(websocket, "EOSE", subid)
        await asyncio.sleep(0.05)
        await say(websocket, "EVENT", subid, {"id": "a" * 64, "created_at": 5, "kind": 1})

    async with Hostile([], late) as relay, talking(relay) as client:
        page = await client.request_page(Filter(limit=10))
        await page.ended.wait()
        await page.disturbed.wait()
        assert page.late_gap_s > 0
