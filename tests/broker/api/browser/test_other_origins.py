"""Pages of other origins read the API: REST with its headers, the relay, and its document."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import pytest_asyncio
from aiohttp import web

from tests.broker.api.browser.conftest import EVENTS
from tests.broker.api.browser.visiting import Visit
from tests.broker.api.conftest import serving
from tests.broker.api.served import Served
from tests.broker.sinks.archived import START_S, signed

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

NOTES = [event for event in EVENTS if event.kind == 1]
LIVE_KIND = 4242
FETCH = """async ([url, options]) => {
    const answer = await fetch(url, options)
    return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() }
}"""
SUBSCRIBE = """url => new Promise((resolve, reject) => {
    const relay = new WebSocket(url)
    window.stored = []
    window.live = new Promise(arrived => {
        relay.onmessage = ({ data }) => {
            const [verb, , event] = JSON.parse(data)
            if (verb === "EOSE") resolve(window.stored)
            else if (verb === "EVENT" && event.kind === 1) window.stored.push(event.id)
            else if (verb === "EVENT") arrived([event.id, event.content])
            else reject(new Error(data))
        }
    })
    relay.onerror = () => reject(new Error("the websocket failed"))
    relay.onopen = () => relay.send(JSON.stringify(["REQ", "notes", { kinds: [1, %d] }]))
})"""


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def other_origin() -> AsyncIterator[str]:
    """A page that another server has."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(
            text='<!doctype html><link rel="icon" href="data:,"><title>page</title>', content_type="text/html"
        )

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield "http://{}:{}/".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="package")
async def page(visit: Visit, other_origin: str) -> Page:
    await visit.page.goto(other_origin)
    return visit.page


class Fetched(NamedTuple):
    """What a page gets: of the headers those that it may read."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


async def fetched(page: Page, url: str, **options: Any) -> Fetched:
    """Let a page fetch, with the options of `fetch`."""
    return Fetched(**await page.evaluate(FETCH, [url, options]))


async def test_it_reads_events_page_after_page(page: Page, served: Served, visit: Visit) -> None:
    url = f"{served.url}/v1/events?kinds=1&limit=1"
    first = await fetched(page, url, headers={"Prefer": "count=estimated"})
    assert first.status == 200
    assert first.json()["count"] == {"number": len(NOTES), "exact": True}
    headers = first.headers
    assert {"etag", "link", "preference-applied", "ratelimit", "ratelimit-policy"} <= set(headers)
    target = headers["link"].partition(">")[0].removeprefix("<")
    second = await fetched(page, f"{served.url}{target}")
    assert second.json()["events"][0]["id"] in {event.id for event in NOTES} - {first.json()["events"][0]["id"]}
    assert visit.troubles == []


async def test_it_asks_only_for_what_has_changed(page: Page, served: Served) -> None:
    url = f"{served.url}/v1/events?kinds=1&limit=2"
    etag = (await fetched(page, url)).headers["etag"]
    again = await fetched(page, url, headers={"If-None-Match": etag})
    assert (again.status, again.text) == (304, "")


async def test_it_reads_lines(page: Page, served: Served) -> None:
    lines = {"Accept": "application/x-ndjson"}
    found = await fetched(page, f"{served.url}/v1/events?kinds=1&limit=2", headers=lines)
    assert found.status == 200
    assert len(found.text.splitlines()) == len(NOTES)


async def test_it_asks_by_filters(page: Page, served: Served, visit: Visit) -> None:
    found = await fetched(
        page,
        f"{served.url}/v1/events",
        method="POST",
        headers={"Content-Type": "application/json"},
        body=f'[{{"ids":["{NOTES[0].id}"]}},{{"ids":["{NOTES[1].id}"]}}]',
    )
    assert found.status == 200
    assert {event["id"] for event in found.json()["events"]} == {NOTES[0].id, NOTES[1].id}
    assert visit.troubles == []


async def test_it_reads_why_it_is_refused(page: Page, served: Served) -> None:
    refused = await fetched(page, f"{served.url}/v1/events?kind=1")
    assert refused.status == 400
    assert refused.json()["parameter"] == "kind"
    missing = await fetched(page, f"{served.url}/v2")
    assert missing.status == 404
    assert missing.json()["detail"]


async def test_it_reads_when_it_may_ask_again(page: Page, served: Served) -> None:
    api = served.settings.api.model_copy(update={"requests_per_minute": 1})
    async with serving(served.settings.model_copy(update={"api": api})) as url:
        assert (await fetched(page, f"{url}/v1/events?limit=1")).status == 200
        refused = await fetched(page, f"{url}/v1/events?limit=1")
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["detail"]


async def test_it_reads_the_document_of_the_relay(page: Page, served: Served, visit: Visit) -> None:
    document = await fetched(page, served.url, headers={"Accept": "application/nostr+json"})
    assert document.status == 200
    assert document.json()["name"] == served.settings.api.name
    assert 1 in document.json()["supported_nips"]
    assert visit.troubles == []


async def test_it_follows_the_relay(page: Page, served: Served, visit: Visit) -> None:
    stored = await page.evaluate(SUBSCRIBE % LIVE_KIND, served.url.replace("http", "ws", 1))
    assert sorted(stored) == sorted(event.id for event in NOTES)
    # So large that it comes in several frames, whose ends lie within characters.
    new = signed(START_S + 1, LIVE_KIND, [], "from beside €" * 20_000)
    await served.add(new)
    async with asyncio.timeout(60):
        assert await page.evaluate("window.live") == [new.id, new.content]
    assert visit.troubles == []
