"""The relay's document (NIP-11), and what else is served under the same address."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession
from websockets.exceptions import InvalidStatus

from schemas.nostr.relay_document import parse_document
from tests.broker.api.relay.client import connected
from tests.broker.api.served import Served

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="package")]

ASKING = {"Accept": "application/nostr+json"}
CORS = ("Access-Control-Allow-Origin", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods")


async def test_the_document(served: Served) -> None:
    """NIP-11: a GET with `Accept: application/nostr+json` is answered by the document."""
    async with ClientSession() as client, client.get(served.url, headers=ASKING) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/nostr+json"
        assert answer.headers["Vary"] == "Accept"
        document = await answer.json(content_type=None)
    read = parse_document(await _text(served))
    assert read.name == "BigBrotr archive"
    assert document["supported_nips"] == [1, 11, 42, 45, 67, 70]
    assert document["contact"] == "mailto:operator@example.com"
    assert document["limitation"] == {
        "max_message_length": 131_072,
        "max_subscriptions": 20,
        "max_limit": 500,
        "default_limit": 500,
        "max_subid_length": 64,
        "auth_required": False,
        "payment_required": False,
        "restricted_writes": True,
    }


async def _text(served: Served) -> str:
    async with ClientSession() as client, client.get(served.url, headers=ASKING) as answer:
        return await answer.text()


@pytest.mark.parametrize("accept", ["application/nostr+json;q=0.9, */*", "text/html, Application/Nostr+JSON"])
async def test_accept_may_name_more(served: Served, accept: str) -> None:
    """NIP-11: the document is asked for by the media type, among others too."""
    async with ClientSession() as client, client.get(served.url, headers={"Accept": accept}) as answer:
        assert answer.content_type == "application/nostr+json"


async def test_pages_of_any_origin_may_read_it(served: Served) -> None:
    """NIP-11: three CORS headers, also for a preflight request."""
    async with ClientSession() as client:
        for method in ("GET", "OPTIONS"):
            async with client.request(method, served.url, headers=ASKING) as answer:
                assert answer.status in (200, 204)
                assert all(name in answer.headers for name in CORS)
                assert answer.headers[CORS[0]] == "*"
        asked = {"Origin": "https://example.com", "Access-Control-Request-Method": "GET"}
        async with client.options(served.url, headers=asked) as answer:
            assert answer.status in (200, 204)
            assert all(name in answer.headers for name in CORS)


async def test_browsers_are_told_what_this_is(served: Served) -> None:
    """NIP-11: without that media type the address may be a page."""
    async with ClientSession() as client, client.get(served.url, headers={"Accept": "text/html"}) as answer:
        assert answer.content_type == "text/html"
        assert "/docs" in await answer.text()


async def test_head_and_other_methods(served: Served) -> None:
    """HTTP: HEAD as GET, nothing else."""
    async with ClientSession() as client:
        async with client.head(served.url, headers=ASKING) as answer:
            assert answer.status == 200
            assert answer.content_type == "application/nostr+json"
        async with client.post(served.url) as answer:
            assert answer.status == 405


@pytest.mark.parametrize("path", ["/relay", "//", "/v1/events", "/npub1", "/?", "/;x"])
async def test_websockets_are_on_the_root_alone(served: Served, path: str) -> None:
    """NIP-01: a relay serves one endpoint; other paths are refused before the upgrade, a query is not looked at."""
    if path == "/?":
        async with connected(served.url, path + "any=query") as client:
            assert await client.is_alive()
        return
    with pytest.raises(InvalidStatus) as refused:
        async with connected(served.url, path):
            pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("place", "value"),
    [("max_limit", 500), ("max_subscriptions", 20), ("max_subid_length", 64), ("max_message_length", 131_072)],
)
async def test_each_limit_is_enforced(served: Served, place: str, value: int) -> None:
    """NIP-11: the document names limits that the relay keeps to, and a client that keeps to them is served."""
    async with connected(served.url) as client:
        match place:
            case "max_limit":
                assert (await client.ask("REQ", "a", {"kinds": [1], "limit": 10**9}))[-1][0] == "EOSE"
            case "max_subscriptions":
                for number in range(value):
                    assert (await client.ask("REQ", str(number), {"kinds": [7], "limit": 0}))[-1][0] == "EOSE"
                ((verb, _, text),) = await client.ask("REQ", "more", {"kinds": [7]})
                assert (verb, text.split(":")[0]) == ("CLOSED", "rate-limited")
                await client.send("CLOSE", "0")
                assert (await client.ask("REQ", "more", {"kinds": [7], "limit": 0}))[-1][0] == "EOSE"
            case "max_subid_length":
                assert (await client.ask("REQ", "s" * value, {"kinds": [7], "limit": 0}))[-1][0] == "EOSE"
                assert (await client.ask("REQ", "s" * (value + 1), {"kinds": [7]}))[-1][0] == "NOTICE"
            case "max_message_length":
                await client.socket.send('["CLOSE","a"]'.ljust(value))
                assert await client.is_alive()
                await client.socket.send('["CLOSE","a"]'.ljust(value + 1))
                await client.socket.wait_closed()
                assert client.socket.close_code == 1009
