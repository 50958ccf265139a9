"""Lists of events: all that match, in NIP-01's order, each once, on pages and as lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
import asyncpg
import orjson
import pytest
import pytest_asyncio

from api.rest.endpoints.event_page import read_page
from core.archive.queries.cost import LateError
from core.archive.queries.view import View
from core.settings import Settings
from schemas.nostr.event import encode_event
from schemas.nostr.filter_wire import filter_from_wire
from schemas.nostr.kinds import PRIVATE_KINDS
from tests.broker.api.rest.served import get, pages, served
from tests.broker.sinks.archived import AUTHORS, START_S, difficult, signed, some_events
from tests.clocks import Ticks

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

PROTECTED = signed(START_S, 1, [["-"], ["t", "a"]], "protected")
COMMA = signed(START_S, 1, [["t", "a,b"]], "comma")
EVENTS = [*some_events(250), *difficult(), PROTECTED, COMMA]
SHOWN = sorted(
    (each for each in EVENTS if each.kind not in PRIVATE_KINDS and each is not PROTECTED),
    key=lambda each: (-each.created_at, each.id),
)
LINES = "application/x-ndjson"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archive(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, Settings]]:
    async with served(
        servers, "api_event_lists", EVENTS, tmp_path_factory.mktemp("api"), {"requests_per_minute": 60_000}
    ) as made:
        yield made


@pytest.fixture
def url(archive: tuple[str, Settings]) -> str:
    return archive[0]


@pytest_asyncio.fixture(loop_scope="module")
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


def expected(*filters: dict[str, Any]) -> list[str]:
    wanted = [filter_from_wire(each) for each in filters]
    return [event.id for event in SHOWN if any(each.matches(event) for each in wanted)]


def ids(events: list[dict[str, Any]]) -> list[str]:
    return [event["id"] for event in events]


async def test_pages_together_are_everything_as_it_was_signed(url: str, client: aiohttp.ClientSession) -> None:
    found = await pages(client, f"{url}/v1/events?limit=40")
    assert {len(page) for page in found[:-1]} == {40}
    assert list(chain(*found)) == [orjson.loads(encode_event(event)) for event in SHOWN]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("kinds=1,3", {"kinds": [1, 3]}),
        ("kinds=1059", {"kinds": [1059]}),
        (f"authors={AUTHORS[0]}&kinds=0", {"authors": [AUTHORS[0]], "kinds": [0]}),
        ("tag.t=a&tag.p=b", {"#t": ["a"], "#p": ["b"]}),
        ("tag.t=a,b", {"#t": ["a", "b"]}),
        ("tag.t=a%2Cb", {"#t": ["a,b"]}),
        (f"tag.t={quote('nul' + chr(0))}", {"#t": ["nul\0"]}),
        (f"since={START_S}&until={START_S + 86_400 * 9}", {"since": START_S, "until": START_S + 86_400 * 9}),
        (f"ids={SHOWN[0].id},{SHOWN[-1].id}", {"ids": [SHOWN[0].id, SHOWN[-1].id]}),
        (f"ids={PROTECTED.id}", {"ids": [PROTECTED.id]}),
    ],
)
async def test_by_parameters(url: str, client: aiohttp.ClientSession, query: str, wanted: dict[str, Any]) -> None:
    found = await pages(client, f"{url}/v1/events?{query}&limit=7")
    assert ids(list(chain(*found))) == expected(wanted)


async def test_by_filters_page_by_page(url: str, client: aiohttp.ClientSession) -> None:
    filters = [{"kinds": [1], "limit": 10}, {"#t": ["a"], "limit": 3}, {"authors": [AUTHORS[1]], "since": START_S}]
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"?cursor={cursor}" if cursor else ""
        async with client.post(f"{url}/v1/events{query}", json=filters) as answer:
            page = orjson.loads(await answer.read())
        assert len(page["events"]) <= 23
        found += ids(page["events"])
        cursor = page["next"]
    assert found == expected(*filters)


async def test_one_filter_needs_no_list(url: str, client: aiohttp.ClientSession) -> None:
    async with client.post(f"{url}/v1/events", json={"kinds": [0]}) as answer:
        assert ids((await answer.json())["events"]) == expected({"kinds": [0]})


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
async def test_lines_are_the_events_of_all_pages(url: str, client: aiohttp.ClientSession, coding: str) -> None:
    headers = {"Accept": LINES, "Accept-Encoding": coding}
    async with client.get(f"{url}/v1/events?limit=40", headers=headers) as answer:
        assert answer.headers["Content-Type"] == LINES
        assert answer.headers.get("Content-Encoding", "identity") == coding
        lines = (await answer.read()).splitlines(keepends=True)
    assert lines == [encode_event(event) + b"\n" for event in SHOWN]


async def test_lines_of_filters(url: str, client: aiohttp.ClientSession) -> None:
    async with client.post(f"{url}/v1/events", json=[{"kinds": [1], "limit": 5}], headers={"Accept": LINES}) as answer:
        assert ids([orjson.loads(line) async for line in answer.content]) == expected({"kinds": [1]})


async def test_a_count_is_given_to_who_prefers_one(url: str, client: aiohttp.ClientSession) -> None:
    address = f"{url}/v1/events?kinds=1&limit=1"
    assert "count" not in await get(client, address)
    async with client.get(address, headers={"Prefer": "respond-async, count=estimated"}) as answer:
        assert answer.headers["Preference-Applied"] == "count=estimated"
        assert (await answer.json())["count"] == {"number": len(expected({"kinds": [1]})), "exact": True}


async def test_filters_that_take_too_long_together_are_given_up(archive: tuple[str, Settings]) -> None:
    _, settings = archive
    assert settings.postgres.dsn is not None
    connection = await asyncpg.connect(settings.postgres.dsn.get_secret_value())
    filters = [filter_from_wire({"kinds": [kind]}) for kind in (1, 7, 0)]

    async def read(number: int, clock: Ticks, *, wants_count: bool = False) -> int:
        found, _ = await read_page(
            connection, filters[:number], View(), settings.api, wants_count=wants_count, clock=clock
        )
        return len(found)

    ticks = Ticks(0)
    await read(2, ticks)
    step_s = settings.api.query_timeout_s / (ticks.number - 0.5)
    assert await read(2, Ticks(step_s)) == 2
    for number, wants_count in ((3, False), (2, True)):
        with pytest.raises(LateError, match="together"):
            await read(number, Ticks(step_s), wants_count=wants_count)
    await connection.close()
