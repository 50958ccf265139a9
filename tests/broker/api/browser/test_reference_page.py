"""The reference page shows every operation of the OpenAPI document, and asks the API what people fill in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio

from tests.broker.api.browser.conftest import EVENTS
from tests.broker.api.browser.visiting import Visit, origin
from tests.broker.api.conftest import serving
from tests.broker.api.rest.served import get
from tests.broker.api.served import Served

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

NOTE = next(event for event in EVENTS if event.kind == 1)
ARTICLE = next(event for event in EVENTS if event.kind == 30_023)
REFUSED = "Failed to load resource: the server responded with a status of"
"""What Chromium says of every answer that is an error."""


@pytest_asyncio.fixture(loop_scope="package")
async def reference(visit: Visit, served: Served) -> AsyncIterator[Page]:
    """The page, which asks no other origin than its own and breaks no rule of its own."""
    await visit.page.goto(f"{served.url}/docs")
    await visit.page.locator(".opblock").first.wait_for()
    yield visit.page
    assert [trouble for trouble in visit.troubles if not trouble.startswith(REFUSED)] == []
    assert visit.origins == {origin(served.url)}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def document(served: Served) -> dict[str, Any]:
    async with aiohttp.ClientSession() as client:
        found: dict[str, Any] = await get(client, f"{served.url}/openapi.json")
        return found


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(method, path): each for path, methods in document["paths"].items() for method, each in methods.items()}


async def opened(page: Page, operation: str) -> Locator:
    """Open the part of an operation, ready to be filled in."""
    part = page.locator(f".opblock[id$='-{operation}']")
    await part.locator(".opblock-summary-control").click()
    await part.locator(".execute").wait_for()
    return part


async def asked(part: Locator) -> tuple[str, str, str]:
    """Ask the API: the address that was asked, and status and body of the answer as they are shown."""
    await part.locator(".execute").click()
    answer = part.locator(".live-responses-table tr.response")
    await answer.wait_for()
    return (
        await part.locator(".request-url pre").inner_text(),
        (await answer.locator(".response-col_status").inner_text()).strip(),
        await answer.locator(".highlight-code pre").first.inner_text(),
    )


def field(part: Locator, parameter: str) -> Locator:
    return part.locator(f"tr[data-param-name='{parameter}'] input")


async def add(part: Locator, parameter: str, *values: str) -> None:
    """Fill in a list."""
    for place, value in enumerate(values):
        await part.locator(f"tr[data-param-name='{parameter}'] .json-schema-form-item-add").click()
        await field(part, parameter).nth(place).fill(value)


async def test_it_shows_every_operation(reference: Page, document: dict[str, Any]) -> None:
    assert document["info"]["title"] in await reference.locator(".info .title").inner_text()
    described = operations(document)
    shown = await reference.locator(".opblock").evaluate_all(
        """parts => parts.map(part => [
            part.querySelector(".opblock-summary-method").textContent.toLowerCase(),
            part.querySelector(".opblock-summary-path").dataset.path,
        ])"""
    )
    assert sorted(map(tuple, shown)) == sorted(described)


async def test_each_operation_shows_parameters_and_answers(reference: Page, document: dict[str, Any]) -> None:
    for operation in operations(document).values():
        part = await opened(reference, operation["operationId"])
        names = await part.locator("tr[data-param-name]").evaluate_all("rows => rows.map(row => row.dataset.paramName)")
        assert names == [each["name"] for each in operation["parameters"]]
        codes = await part.locator(".responses-table tr.response").evaluate_all(
            "rows => rows.map(row => row.dataset.code)"
        )
        assert codes == list(operation["responses"])
        await part.locator(".opblock-summary-control").click()


async def test_it_shows_the_schemas(reference: Page, document: dict[str, Any]) -> None:
    await reference.locator(".models-control").click()
    titles = reference.locator(".models article[data-json-schema-level='0'] > * > * > * > .json-schema-2020-12__title")
    await titles.first.wait_for()
    assert sorted(await titles.all_inner_texts()) == sorted(document["components"]["schemas"])


async def test_it_asks_for_one_event(reference: Page, served: Served) -> None:
    part = await opened(reference, "getEventsId")
    await field(part, "id").fill(NOTE.id)
    url, status, body = await asked(part)
    assert (url, status) == (f"{served.url}/v1/events/{NOTE.id}", "200")
    assert json.loads(body)["event"]["id"] == NOTE.id


async def test_it_asks_for_events_by_lists(reference: Page) -> None:
    part = await opened(reference, "getEvents")
    await add(part, "kinds", "0", "1")
    await field(part, "limit").fill("3")
    url, status, body = await asked(part)
    assert url.endswith("/v1/events?kinds=0,1&limit=3")
    assert status == "200"
    found = json.loads(body)["events"]
    assert len(found) == 3
    assert {event["kind"] for event in found} <= {0, 1}


async def test_it_asks_for_lines(reference: Page) -> None:
    part = await opened(reference, "getEvents")
    await add(part, "ids", NOTE.id)
    await part.locator("tr.response[data-code='200'] .content-type").select_option("application/x-ndjson")
    _, status, body = await asked(part)
    assert (status, json.loads(body)["id"]) == ("200", NOTE.id)


async def test_it_asks_for_an_address(reference: Page) -> None:
    part = await opened(reference, "getAddressesAddress")
    await field(part, "address").fill(f"30023:{ARTICLE.pubkey}:")
    _, status, body = await asked(part)
    assert status == "200", body
    assert json.loads(body)["event"]["pubkey"] == ARTICLE.pubkey


async def test_it_asks_by_filters(reference: Page) -> None:
    part = await opened(reference, "postEvents")
    _, status, body = await asked(part)
    assert status == "200", f"the example of the document is refused: {body}"
    await part.locator(".btn-clear").click()
    await part.locator("textarea").fill(json.dumps([{"ids": [NOTE.id]}, {"ids": [ARTICLE.id]}]))
    _, status, body = await asked(part)
    assert status == "200"
    assert {event["id"] for event in json.loads(body)["events"]} == {NOTE.id, ARTICLE.id}


async def test_it_shows_why_a_parameter_is_refused(reference: Page) -> None:
    part = await opened(reference, "getEvents")
    await add(part, "authors", "npub1typo")
    _, status, body = await asked(part)
    assert status == "400"
    problem = json.loads(body)
    assert problem["parameter"].startswith("authors")
    assert "npub1" in problem["detail"]


async def test_it_asks_the_address_that_clients_know(visit: Visit, served: Served) -> None:
    api = served.settings.api.model_copy(update={"public_url": served.url})
    async with serving(served.settings.model_copy(update={"api": api})) as inner:
        await visit.page.goto(f"{inner}/docs")
        part = await opened(visit.page, "getEventsId")
        await field(part, "id").fill(NOTE.id)
        url, status, _ = await asked(part)
    assert (url, status) == (f"{served.url}/v1/events/{NOTE.id}", "200")
    assert visit.troubles == []


async def test_the_address_of_the_relay_leads_to_it(visit: Visit, served: Served) -> None:
    await visit.page.goto(served.url)
    assert await visit.page.title() == served.settings.api.name
    await visit.page.get_by_role("link", name="REST").click()
    await visit.page.locator(".opblock").first.wait_for()
    assert visit.page.url == f"{served.url}/docs"
    assert visit.troubles == []
