"""Relays that are not ours are compared with a real archive: what lacks comes, what is shared is told, or all pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import pytest_asyncio
from pydantic import SecretStr
from websockets.asyncio.client import connect

from core.settings import Settings
from producers.connector.reconcile.archive_ids import ArchiveIds
from producers.connector.reconcile.comparison import Compared, Comparing, Instead
from schemas.nostr.event import Event, encode_event
from schemas.nostr.filters import Filter
from schemas.records.bundle import BundleLine, HeldLine
from tests.broker.producers.test_archive_ids import dsn_of, reading
from tests.broker.sinks.archived import RELAYS, START_S, archive, fill, signed
from tests.relays.hostile import Hostile, say
from tests.relays.local_relay import local_relay
from tests.relays.python_relay import python_relay
from tests.relays.reconciling import Reconciling, conversation, refusal

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

BASE = Filter(kinds=(1,))
UNTIL_S = START_S + 10_000
# Five in each second, and one second with far more than a page.
EVENTS = [signed(START_S + number // 5, 1, [], f"event {number}", author=number % 5) for number in range(2_400)]
EVENTS += [signed(START_S + 5_000, 1, [], f"tie {number}") for number in range(600)]
OTHER_KINDS = [signed(START_S + number, 7, [], "+") for number in range(20)]
LACKING = EVENTS[7:2_400:300] + EVENTS[-3:]
"""Of the archive."""
GONE = EVENTS[100:110]
"""Of the relay."""
SHARED = [event for event in EVENTS if event not in LACKING and event not in GONE]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archived(servers: Servers) -> AsyncIterator[ArchiveIds]:
    """An archive that lacks some events; the first relay of `RELAYS` is known to hold the first hundred of the rest."""
    async with archive(servers, "comparison") as pool:
        held = [*SHARED, *GONE, *OTHER_KINDS]
        async with pool.acquire() as connection:
            await fill(connection, held, {event.id: {RELAYS[0]: 1} for event in held[:100]})
        settings = Settings(data_dir=Path("unused"), postgres={"dsn": SecretStr(dsn_of(servers, "comparison"))})
        ids = ArchiveIds(settings)
        yield ids
        await ids.close()


async def offer(url: str, events: Sequence[Event]) -> None:
    """Publish through the relay's front door."""
    async with connect(url, proxy=None, compression=None) as websocket:
        for start in range(0, len(events), 200):
            for event in events[start : start + 200]:
                await websocket.send(b'["EVENT",' + encode_event(event) + b"]", text=True)
            for event in events[start : start + 200]:
                assert orjson.loads(await websocket.recv())[:3] == ["OK", event.id, True]


async def test_a_relay_gives_what_lacks_and_is_known_to_hold_the_rest(archived: ArchiveIds) -> None:
    async with local_relay() as url:
        await offer(url, [event for event in EVENTS if event not in GONE] + OTHER_KINDS)
        async with conversation(url) as talk:
            comparing = Comparing(url, archived, talk.held, 5.0)
            found = await comparing.compare(talk.client, BASE, None, UNTIL_S, limit=500)
            lines = await talk.lines()
    assert isinstance(found, Compared), comparing.refusal
    assert (found.held, found.shared, found.fetched) == (len(SHARED) + len(GONE), len(SHARED), len(LACKING))
    assert (found.withheld, found.withheld_in) == (0, [])
    assert {line.event for line in lines if isinstance(line, BundleLine)} == {encode_event(each) for each in LACKING}
    held = [line for line in lines if isinstance(line, HeldLine)]
    assert {(line.id, line.created_at) for line in held} == {(each.id, each.created_at) for each in SHARED}
    assert len(held) == len(SHARED)
    # Two messages each way, and less than a tenth of the ids alone.
    assert found.rounds <= 4
    assert found.compared_bytes < 64 * len(EVENTS) / 3


async def test_a_second_that_fills_pages_is_read_though_nothing_of_it_is_archived(archived: ArchiveIds) -> None:
    second = START_S + 20_000
    ties = [signed(second, 1, [], f"unknown {number}") for number in range(300)]
    async with local_relay() as url:
        await offer(url, ties)
        async with conversation(url) as talk:
            comparing = Comparing(url, archived, talk.held, 5.0)
            # A window of which most lacks comes in fewer pages; of a second there are no more pages.
            assert await comparing.compare(talk.client, BASE, second - 9, second + 9, limit=100) is Instead.PAGE
            found = await comparing.compare(talk.client, BASE, second, second, limit=100)
            lines = await talk.lines()
    assert isinstance(found, Compared)
    assert {line.event for line in lines if isinstance(line, BundleLine)} == {encode_event(each) for each in ties}


async def test_what_is_known_of_a_relay_is_not_said_again(archived: ArchiveIds) -> None:
    url_events = [{**event._asdict()} for event in EVENTS if event not in GONE]
    async with Reconciling(url_events, by_id) as relay, conversation(relay.url) as talk:
        # As the relay that was seen to hold the first hundred.
        comparing = Comparing(RELAYS[0], archived, talk.held, 5.0)
        found = await comparing.compare(talk.client, BASE, None, UNTIL_S, limit=500)
        lines = await talk.lines()
    assert isinstance(found, Compared)
    assert {line.id for line in lines if isinstance(line, HeldLine)} == {event.id for event in SHARED[100:]}


async def by_id(relay: Hostile, websocket: Any, subid: str, asked: dict[str, Any]) -> None:
    for event in relay.events:
        if event["id"] in asked["ids"]:
            await say(websocket, "EVENT", subid, event)
    await say(websocket, "EOSE", subid)


async def test_where_most_lacks_pages_are_fewer(archived: ArchiveIds) -> None:
    # A tenth of a page at a time by id: from a tenth of lacking events on pages are as few.
    theirs = [event._asdict() for event in EVENTS[:200]] + [
        signed(START_S + number, 1, [], f"new {number}")._asdict() for number in range(60)
    ]
    async with Reconciling(theirs, by_id) as relay, conversation(relay.url) as talk:
        comparing = Comparing(relay.url, archived, talk.held, 5.0)
        assert await comparing.compare(talk.client, BASE, None, UNTIL_S, limit=500) is Instead.PAGE
        assert isinstance(await comparing.compare(talk.client, BASE, None, UNTIL_S, limit=100), Compared)
        assert comparing.refusal is None


async def test_another_relay_program_refuses_and_is_left_alone(archived: ArchiveIds, tmp_path: Path) -> None:
    with python_relay(tmp_path) as url:
        await offer(url, EVENTS[:20])
        async with conversation(url) as talk:
            comparing = Comparing(url, archived, talk.held, 2.0)
            assert comparing.possible
            assert await comparing.compare(talk.client, BASE, None, UNTIL_S, limit=500) is Instead.PAGE
            assert comparing.refusal
            assert not comparing.possible
            # The connection is as good as before.
            page = await talk.client.request_page(Filter(kinds=(1,), limit=50))
            await talk.client.wait_for(page, 60.0)
            assert page.events == 20


async def test_what_is_too_large_is_split_and_asked_again(archived: ArchiveIds) -> None:
    too_many = refusal("NEG-ERR", "SUBID", "blocked: too many query results", 1000)
    async with Reconciling(speech=too_many) as relay, conversation(relay.url) as talk:
        comparing = Comparing(relay.url, archived, talk.held, 5.0)
        assert await comparing.compare(talk.client, BASE, None, UNTIL_S, limit=500) is Instead.SPLIT
        assert comparing.possible
        assert len(relay.opened) == 1


@pytest.mark.parametrize(("since", "until"), [(None, None), (None, 2**31), (START_S + 50_000, START_S + 60_000)])
async def test_what_cannot_be_compared_is_not_asked_for(
    archived: ArchiveIds, since: int | None, until: int | None
) -> None:
    async with Reconciling() as relay, conversation(relay.url) as talk:
        comparing = Comparing(relay.url, archived, talk.held, 5.0)
        assert await comparing.compare(talk.client, BASE, since, until, limit=500) is Instead.PAGE
        assert relay.opened == []
        assert comparing.possible


async def test_an_archive_with_more_than_can_be_compared_is_asked_for_fewer_seconds(
    archived: ArchiveIds, servers: Servers
) -> None:
    async with (
        reading(dsn_of(servers, "comparison"), most_held=1_000) as few,
        Reconciling() as relay,
        conversation(relay.url) as talk,
    ):
        comparing = Comparing(relay.url, few, talk.held, 5.0)
        assert await comparing.compare(talk.client, BASE, None, UNTIL_S, limit=500) is Instead.SPLIT
        assert relay.opened == []
