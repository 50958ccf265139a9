"""Subscriptions: stored events, EOSE, then new ones until CLOSE (NIP-01, NIP-67)."""

from __future__ import annotations

import pytest

from tests.broker.api.relay.client import Client, connected
from tests.broker.api.relay.conftest import SAME_SECOND
from tests.broker.api.served import Served
from tests.broker.sinks.archived import START_S, signed

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="package")]


async def ids_until(client: Client, last_id: str, subid: str = "sub") -> list[str]:
    """Ids of new events of a subscription, up to this one."""
    ids: list[str] = []
    while not ids or ids[-1] != last_id:
        verb, of, event = await client.receive()
        assert (verb, of) == ("EVENT", subid)
        ids.append(event["id"])
    return ids


async def test_finish_where_there_is_no_more(served: Served) -> None:
    """NIP-67: "finish" means that all that matches was sent."""
    async with connected(served.url) as client:
        assert (await client.ask("REQ", "a", {"kinds": [7]}))[-1] == ["EOSE", "a", ["finish"]]
        assert (await client.ask("REQ", "b", {"kinds": [7], "limit": 12}))[-1] == ["EOSE", "b", ["finish"]]


async def test_more_where_a_filter_has_more(served: Served) -> None:
    """NIP-67: "more" tells a client to go on."""
    async with connected(served.url) as client:
        assert (await client.ask("REQ", "a", {"kinds": [7], "limit": 11}))[-1] == ["EOSE", "a", ["more"]]
        both = [{"kinds": [10_002]}, {"kinds": [7], "limit": 11}]
        assert (await client.ask("REQ", "b", *both))[-1] == ["EOSE", "b", ["more"]]


async def test_limit_0_says_nothing_of_what_is_stored(served: Served) -> None:
    """NIP-67: without a hint a client knows nothing."""
    async with connected(served.url) as client:
        assert await client.ask("REQ", "a", {"kinds": [7], "limit": 0}) == [["EOSE", "a"]]


async def test_pages_by_until_reach_the_end(served: Served) -> None:
    """NIP-01: with `until` of the oldest event that was given, a client reads on, also within a second."""
    async with connected(served.url) as client:
        first = await client.events({"kinds": [7, 10_002], "limit": 10})
        rest = await client.events({"kinds": [7, 10_002], "until": first[-1]["created_at"]})
        assert {each.id for each in SAME_SECOND} <= {each["id"] for each in [*first, *rest]}


async def test_new_events_follow(served: Served) -> None:
    """NIP-01: after EOSE the relay sends new events that match, as they come."""
    async with connected(served.url) as client:
        await client.ask("REQ", "sub", {"kinds": [20_100]}, {"#t": ["new"], "kinds": [20_101]})
        wanted = [signed(START_S, 20_100, [], "a"), signed(START_S, 20_101, [["t", "new"]], "b")]
        await served.add(wanted[0], signed(START_S, 20_101, [["t", "old"]], "not asked for"))
        assert await ids_until(client, wanted[0].id) == [wanted[0].id]
        await served.add(wanted[1])
        assert await ids_until(client, wanted[1].id) == [wanted[1].id]


async def test_new_events_follow_limit_0(served: Served) -> None:
    """NIP-01: `limit: 0` asks for new events alone; a limit is no bound of these."""
    async with connected(served.url) as client:
        await served.add(signed(START_S, 20_110, [], "stored"))
        assert await client.ask("REQ", "sub", {"kinds": [20_110], "limit": 0}) == [["EOSE", "sub"]]
        wanted = [signed(START_S + number, 20_110, [], "new") for number in range(3)]
        for each in wanted:
            await served.add(each)
        assert await ids_until(client, wanted[-1].id) == [each.id for each in wanted]


async def test_a_new_event_comes_once_for_each_subscription(served: Served) -> None:
    """NIP-01: subscriptions of a connection are apart; one that several filters match comes once."""
    async with connected(served.url) as client:
        await client.ask("REQ", "a", {"kinds": [20_120]}, {"kinds": [20_120], "#t": ["x"]})
        await client.ask("REQ", "b", {"#t": ["x"], "since": START_S, "kinds": [20_120]})
        last = signed(START_S + 1, 20_120, [["t", "x"]], "last")
        await served.add(signed(START_S, 20_120, [["t", "x"]], "first"))
        await served.add(last)
        messages = [await client.receive() for _ in range(4)]
        for subid in ("a", "b"):
            assert [each[2]["content"] for each in messages if each[1] == subid] == ["first", "last"]


async def test_since_and_until_hold_for_new_events(served: Served) -> None:
    """NIP-01: `since` and `until` are conditions of new events, too."""
    async with connected(served.url) as client:
        await client.ask("REQ", "sub", {"kinds": [20_130], "since": START_S, "until": START_S + 10})
        await served.add(signed(START_S - 1, 20_130, [], "early"), signed(START_S + 11, 20_130, [], "late"))
        last = signed(START_S + 10, 20_130, [], "right")
        await served.add(last)
        assert await ids_until(client, last.id) == [last.id]


async def test_after_close_nothing_comes(served: Served) -> None:
    """NIP-01: CLOSE ends a subscription."""
    async with connected(served.url) as client:
        await client.ask("REQ", "closed", {"kinds": [20_140]})
        await client.ask("REQ", "sub", {"kinds": [20_140]})
        await client.send("CLOSE", "closed")
        last = signed(START_S, 20_140, [], "")
        await served.add(last)
        assert await ids_until(client, last.id) == [last.id]
        assert await client.is_alive()


async def test_a_used_id_replaces_the_subscription(served: Served) -> None:
    """NIP-01: a REQ with the id of an open subscription replaces it."""
    async with connected(served.url) as client:
        await client.ask("REQ", "sub", {"kinds": [20_150]})
        assert len(await client.ask("REQ", "sub", {"kinds": [7]})) == len(SAME_SECOND) + 1
        await client.ask("REQ", "sub", {"kinds": [20_151]})
        last = signed(START_S, 20_151, [], "")
        await served.add(signed(START_S, 20_150, [], ""))
        await served.add(last)
        assert await ids_until(client, last.id) == [last.id]


async def test_a_refused_req_ends_the_subscription_of_its_id(served: Served) -> None:
    """NIP-01: CLOSED says that a subscription has ended, so it has."""
    async with connected(served.url) as client:
        await client.ask("REQ", "sub", {"kinds": [20_160]})
        await client.ask("REQ", "other", {"kinds": [20_160]})
        assert (await client.ask("REQ", "sub", {"kinds": []}))[-1][0] == "CLOSED"
        last = signed(START_S, 20_160, [], "")
        await served.add(last)
        assert await ids_until(client, last.id, "other") == [last.id]
        assert await client.is_alive()


async def test_ids_of_counts_are_apart(served: Served) -> None:
    """NIP-45: a COUNT may have the id of a subscription, and ends none."""
    async with connected(served.url) as client:
        await client.ask("REQ", "sub", {"kinds": [20_170]})
        assert (await client.ask("COUNT", "sub", {"kinds": [7]}))[-1] == ["COUNT", "sub", {"count": 12}]
        last = signed(START_S, 20_170, [], "")
        await served.add(last)
        assert await ids_until(client, last.id) == [last.id]


async def test_ids_are_any_text(served: Served) -> None:
    """NIP-01: a subscription id is any text of 1 to 64 characters."""
    async with connected(served.url) as client:
        for subid in ('"', "\\", "\0", "é😀", "s" * 64, "😀" * 64, " "):
            *events, end = await client.ask("REQ", subid, {"kinds": [7], "limit": 1})
            assert end == ["EOSE", subid, ["more"]]
            assert [each[:2] for each in events] == [["EVENT", subid]]


async def test_connections_are_apart(served: Served) -> None:
    """NIP-01: a subscription id is of one connection."""
    async with connected(served.url) as client, connected(served.url) as other:
        await client.ask("REQ", "sub", {"kinds": [20_180]})
        await other.ask("REQ", "sub", {"kinds": [20_181]})
        await other.send("CLOSE", "sub")
        assert await other.is_alive()
        last = signed(START_S, 20_180, [], "")
        await served.add(last)
        assert await ids_until(client, last.id) == [last.id]


async def test_many_requests_at_once_are_answered_each(served: Served) -> None:
    """NIP-01: a client need not wait for EOSE before the next REQ."""
    async with connected(served.url) as client:
        for number in range(20):
            await client.send("REQ", str(number), {"kinds": [7]})
        ended: list[str] = []
        while len(ended) < 20:
            ended += [message[1] for message in await client.until("EOSE")][-1:]
        assert sorted(ended, key=int) == [str(number) for number in range(20)]
