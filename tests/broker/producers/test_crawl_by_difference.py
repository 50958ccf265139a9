"""A crawl of a relay that is not ours compares what is archived already, fetches what lacks, and records it as read."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from core.settings import Settings
from producers.connector.asking import Asker
from producers.connector.coverage.claims import Claims
from producers.connector.coverage.ledger import Ledger
from producers.connector.crawl.crawler import Crawler
from producers.connector.crawl.late_answers import PROBE_LIMIT
from producers.connector.crawl.list_trial import SAMPLE
from producers.connector.known_filters import KnownFilters
from producers.connector.reconcile.archive_ids import ArchiveIds
from producers.connector.reconcile.comparison import Comparing
from producers.connector.relay_model import Model
from schemas.nostr.event import encode_event
from schemas.nostr.filters import Filter
from schemas.ranges import complement
from schemas.records.bundle import BundleLine
from tests.broker.producers.test_archive_ids import dsn_of
from tests.broker.producers.test_comparison import offer
from tests.broker.sinks.archived import START_S, archive, fill, signed
from tests.relays.local_relay import local_relay
from tests.relays.reconciling import conversation

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

NAME = "crawldiff"
EVENTS = [signed(START_S + number, 1, [], f"event {number}", author=number % 5) for number in range(400)]
TIES = [signed(START_S + 9_000, 1, [], f"tie {number}") for number in range(600)]
"""One kind, one author, one second: no question of NIP-01 separates them."""
PAGE = 100
LACKING = [*EVENTS[::100], *TIES[:3]]


async def test_what_is_archived_is_compared_and_only_what_lacks_comes(servers: Servers) -> None:
    filters = {Filter().filter_hash(): Filter()}
    held = [event for event in [*EVENTS, *TIES] if event not in LACKING]
    async with archive(servers, NAME) as pool, local_relay() as url:
        async with pool.acquire() as connection:
            await fill(connection, held, {})
        await offer(url, [*EVENTS, *TIES])
        ids = ArchiveIds(Settings(data_dir=Path("unused"), postgres={"dsn": SecretStr(dsn_of(servers, NAME))}))
        ledger = Ledger(url, filters, None)
        known_filters, claims = KnownFilters().of("relay.example"), Claims(ledger, hold_s=0)
        began_s = int(time.time())
        async with conversation(url) as talk:
            comparing = Comparing(url, ids, talk.held, 5.0)
            crawler = Crawler(ledger, Model(PAGE), known_filters, claims, comparing=comparing)
            crawling = asyncio.create_task(crawler.run(talk.client, Asker(talk.client, Model(PAGE), 5.0)))
            async with asyncio.timeout(60):
                await crawler.finished.wait()
            crawling.cancel()
            await asyncio.gather(crawling, return_exceptions=True)
            lines = await talk.lines()
        await ids.close()
    assert comparing.refusal is None
    assert crawler.compared > 0
    came = {line.event for line in lines if isinstance(line, BundleLine)}
    lacking = {encode_event(each) for each in LACKING}
    assert came >= lacking
    # Besides, only what shows how the relay answers.
    assert len(came - lacking) <= PROBE_LIMIT + SAMPLE + PAGE
    (covered,) = ledger.record(0).sets
    assert covered.gaps == []
    assert complement([(since, until) for since, until, _ in covered.read], 0, began_s) == []
