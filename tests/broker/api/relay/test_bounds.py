"""What one client may take of the relay: beyond it, it is refused, and cut where it goes on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from websockets.exceptions import ConnectionClosed

from api.relay.stored import stored
from core.archive.queries.cost import LateError
from core.archive.queries.view import View
from schemas.nostr.filters import Filter
from tests.broker.api.conftest import running_service
from tests.broker.api.relay.client import Client, connected
from tests.broker.api.relay.conftest import SAME_SECOND, VERSIONS
from tests.broker.api.served import Served, follows
from tests.broker.sinks.archived import AUTHORS, START_S, signed
from tests.clocks import Ticks

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="package")]

MIB = 1024 * 1024
LARGE = [signed(START_S + number, 20_300, [], str(number) * 100_000) for number in range(10, 22)]
"""Together more than a mebibyte."""


@contextlib.asynccontextmanager
async def serving(served: Served, **api: object) -> AsyncIterator[str]:
    """Serve the same archive a second time, with settings of a test; the address."""
    changed = served.settings.api.model_copy(update=api)
    async with running_service(served.settings.model_copy(update={"api": changed})) as service:
        await follows(service)
        yield str(service.status()["url"])


@contextlib.asynccontextmanager
async def one_client(served: Served, **api: object) -> AsyncIterator[Client]:
    """The one client of such a service."""
    async with serving(served, **api) as url, connected(url) as client:
        yield client


async def closed_by(client: Client) -> tuple[int | None, str | None]:
    """Read until the relay closes; its code and reason."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            await client.socket.recv()
    return client.socket.close_code, client.socket.close_reason


async def test_a_limit_is_capped(served: Served) -> None:
    """NIP-11: max_limit; NIP-67 tells that there is more."""
    async with one_client(served, page_events=7) as client:
        for asked in ({}, {"limit": 7}, {"limit": 8}, {"limit": 2**63}):
            *events, end = await client.ask("REQ", "a", {"kinds": [7], **asked})
            assert (len(events), end) == (7, ["EOSE", "a", ["more"]])


async def test_current_versions_alone_by_a_setting(served: Served) -> None:
    """NIP-01: of replaceable events relays SHOULD give the latest."""
    async with one_client(served, versions="current") as client:
        events = await client.events({"kinds": [10_002], "authors": [AUTHORS[0]]}, {"ids": [VERSIONS[0].id]})
        assert [each["id"] for each in events] == [VERSIONS[-1].id]
        assert await client.ask("COUNT", "q", {"kinds": [10_002]}) == [["COUNT", "q", {"count": 1}]]
        assert len(await client.events({"kinds": [7]})) == len(SAME_SECOND)


async def test_a_large_count_is_approximate(served: Served) -> None:
    """NIP-45: a relay may tell about how many there are."""
    async with one_client(served, count_exact=100) as client:
        ((_, _, told),) = await client.ask("COUNT", "q", {})
        assert told["approximate"] is True
        assert told["count"] > 100
        assert await client.ask("COUNT", "q", {"kinds": [7]}) == [["COUNT", "q", {"count": len(SAME_SECOND)}]]


async def test_requests_are_charged(served: Served) -> None:
    """Beyond the requests of a minute each kind of request is refused in its way; CLOSE is free."""
    async with one_client(served, requests_per_minute=5) as client:
        for number in range(5):
            assert (await client.ask("COUNT", str(number), {"kinds": [7]}))[-1][0] == "COUNT"
        event = signed(START_S, 22_242, [], "")._asdict()
        told = []
        for message in (["REQ", "a", {}], ["COUNT", "a", {}], ["EVENT", event], ["AUTH", event]):
            told.append((await client.ask(*message))[-1])
            await client.send("CLOSE", "a")
        assert [each[0] for each in told] == ["CLOSED", "CLOSED", "OK", "OK"]
        text = "rate-limited: 5 requests of a client are served in a minute; try again in"
        assert all(text in each[-1] for each in told)


async def test_who_sends_nothing_that_is_served_is_cut(served: Served) -> None:
    async with connected(served.url) as client:
        for _ in range(70):
            await client.socket.send("bad")
        assert await closed_by(client) == (1008, "more than 60 messages in a minute were refused")


async def test_filters_of_open_subscriptions_are_bounded(served: Served) -> None:
    async with connected(served.url) as client:
        wide = {"#t": ["x" * 30_000], "kinds": [7], "limit": 0}
        told = [(await client.ask("REQ", str(number), wide))[-1] for number in range(5)]
        assert [each[0] for each in told] == ["EOSE"] * 4 + ["CLOSED"]
        assert told[-1][2].startswith("rate-limited: the open REQs of this connection hold")
        await client.send("CLOSE", "0")
        assert (await client.ask("REQ", "4", wide))[-1][0] == "EOSE"


async def test_counts_that_wait_are_bounded(served: Served) -> None:
    async with one_client(served, subscriptions=2) as client:
        for number in range(50):
            await client.send("COUNT", str(number), {"kinds": [7]})
        told = [await client.receive() for _ in range(50)]
        assert {each[1] for each in told} == {str(number) for number in range(50)}
        assert {each[0] for each in told} == {"COUNT", "CLOSED"}
        assert {each[2] for each in told if each[0] == "CLOSED"} == {
            "rate-limited: 2 COUNTs of this connection wait already"
        }


async def test_filters_that_take_too_long_together_are_given_up(served: Served) -> None:
    filters = [Filter(kinds=(7,)), Filter(kinds=(1,)), Filter(kinds=(5,))]
    async with served.pool.acquire() as connection:
        ticks = Ticks(0)
        await stored(connection, filters[:2], View(), served.settings, clock=ticks)
        step_s = served.settings.api.query_timeout_s / (ticks.number - 0.5)
        with pytest.raises(LateError, match="together"):
            await stored(connection, filters, View(), served.settings, clock=Ticks(step_s))
        found = await stored(connection, filters[:2], View(), served.settings, clock=Ticks(step_s))
    assert len(found.texts) > len(SAME_SECOND)


async def test_an_answer_larger_than_the_buffer_waits_for_its_reader(served: Served) -> None:
    await served.add(*LARGE)
    async with one_client(served, unsent_bytes=MIB) as client:
        for _ in range(4):
            events = await client.events({"kinds": [20_300]})
            assert [each["id"] for each in events] == [each.id for each in reversed(LARGE)]


async def test_who_does_not_read_is_cut_and_others_are_served(served: Served) -> None:
    async with (
        serving(served, unsent_bytes=MIB) as url,
        connected(url) as reader,
        connected(url, max_queue=1, write_limit=1) as slow,
    ):
        asked = {"kinds": [20_310], "limit": 0}
        for number in range(20):
            assert (await slow.ask("REQ", str(number), asked))[-1][0] == "EOSE"
        await reader.ask("REQ", "a", asked)
        new = [signed(START_S + number, 20_310, [], str(number) * 60_000) for number in range(10, 22)]
        for each in new:
            await served.add(each)
            assert (await reader.receive())[2]["id"] == each.id
        # Of 20 copies of each the slow client was sent what fits into buffers, and then the end of the connection.
        async with asyncio.timeout(60):
            code, reason = await closed_by(slow)
        assert (code, reason) in ((1008, "too slow: messages for you filled their buffer"), (1006, ""))
        assert await reader.is_alive()
