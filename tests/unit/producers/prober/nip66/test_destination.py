"""What a relay answers to events decides how it is gone on with, and never what happens at another one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from producers.prober.nip66.publication import Publication
from tests.relays.hostile import say
from tests.unit.producers.prober.nip66.publishing import publishing
from tests.unit.producers.prober.nip66.records import record
from tests.unit.producers.prober.speaking import Speaking, Speech, says
from tests.waiting import until

Judge = Callable[[dict[str, Any]], tuple[bool, str]]


def judging(judge: Judge) -> Speech:
    async def speech(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        await say(websocket, "OK", message[1]["id"], *judge(message[1]))

    return speech


def relay(judge: Judge = lambda _: (True, ""), **more: Speech) -> Speaking:
    return Speaking(speeches={"EVENT": judging(judge), **more})


def given(relay: Speaking, kind: int = 30_166) -> list[dict[str, Any]]:
    """Events of a kind, in order."""
    return [message[1] for message in relay.of("EVENT") if message[1]["kind"] == kind]


def status(publication: Publication, number: int = 0) -> dict[str, Any]:
    return publication.status()[number]


def probe(publication: Publication, *hosts: str, later_s: int = 0) -> None:
    for host in hosts:
        publication.probed(record(f"wss://{host}.example", at_s=int(time.time()) + later_s), None)


async def test_the_announcement_comes_first_and_once() -> None:
    async with relay() as here, publishing(here.url) as publication:
        await until(lambda: status(publication).get("published") == 3, "announced")
        probe(publication, "a")
        await until(lambda: status(publication).get("published") == 4, "published")
        assert sorted(message[1]["kind"] for message in here.of("EVENT")) == [0, 10_002, 10_166, 30_166]
        held = [message[1] for message in here.of("EVENT")]
    async with relay(REQ=gives(held)) as again, publishing(again.url) as publication:
        probe(publication, "a")
        await until(lambda: status(publication).get("published"), "published")
        # Its relay list names another port now; the rest it has.
        await until(lambda: given(again, 10_002), "what has changed")
        assert not given(again, 0)
        assert not given(again, 10_166)


def gives(events: list[dict[str, Any]]) -> Speech:
    async def speech(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        for event in events:
            if event["kind"] in message[2]["kinds"]:
                await say(websocket, "EVENT", message[1], event)
        await say(websocket, "EOSE", message[1])

    return speech


async def test_a_slow_relay_does_not_delay_another() -> None:
    async with relay(EVENT=says()) as slow, relay() as quick, publishing(slow.url, quick.url) as publication:
        hosts = [f"host{number}" for number in range(20)]
        probe(publication, *hosts)
        await until(lambda: len(given(quick)) == len(hosts), "all of them at the quick one")
        assert not status(publication).get("published")
        assert len(slow.of("EVENT")) <= 4


@pytest.mark.slow
async def test_a_rate_limit_slows_down_and_loses_nothing() -> None:
    refused: list[str] = []

    def judge(event: dict[str, Any]) -> tuple[bool, str]:
        if len(refused) < 2:
            refused.append(event["id"])
            return False, "rate-limited: slow down"
        return True, ""

    async with relay(judge) as here, publishing(here.url) as publication:
        probe(publication, "a", "b")
        await until(lambda: status(publication).get("published") == 5, "all")
        assert status(publication)["rate_limited"] == 2
        assert here.connections == 1


async def test_a_relay_that_blocks_the_monitor_is_left_alone_and_shown() -> None:
    async with relay(lambda _: (False, "blocked: not on the list")) as here, publishing(here.url) as publication:
        probe(publication, *"abcdef")
        await until(lambda: status(publication)["retry_in_s"], "left alone")
        shown = status(publication)
        assert (shown["state"], shown["last_words"]) == ("restricted", "the relay said: blocked: not on the list")
        assert shown["retry_in_s"] > 3000
        assert 5 <= shown["refused"] <= 8


async def test_one_kind_that_is_not_taken_does_not_stop_the_others() -> None:
    async with (
        relay(lambda event: (event["kind"] == 30_166, "blocked: kind")) as here,
        publishing(here.url) as publication,
    ):
        await until(lambda: status(publication).get("refused") == 3, "refused")
        assert status(publication)["state"] == "restricted"
        probe(publication, *"ab")
        await until(lambda: status(publication).get("published") == 2, "published")
        assert status(publication)["state"] == "connected"


async def test_the_monitor_signs_in_where_that_is_demanded() -> None:
    signed_in: list[Any] = []

    async def event(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        if signed_in:
            await say(websocket, "OK", message[1]["id"], True, "")
        else:
            await say(websocket, "AUTH", "challenge")
            await say(websocket, "OK", message[1]["id"], False, "auth-required: who?")

    async def auth(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        signed_in.append(message[1])
        await say(websocket, "OK", message[1]["id"], True, "")

    async with relay(EVENT=event, AUTH=auth) as here, publishing(here.url) as publication:
        probe(publication, "a")
        await until(lambda: status(publication).get("published") == 4, "published")
        assert signed_in[0]["pubkey"] == given(here)[0]["pubkey"]


@pytest.mark.parametrize("text", ["duplicate: have it", "replaced: have newer event"])
async def test_what_the_relay_has_already_is_fine(text: str) -> None:
    async with relay(lambda _: (False, text)) as here, publishing(here.url) as publication:
        probe(publication, *"abcdef")
        await until(lambda: status(publication).get("superseded") == 9, "all")
        assert status(publication)["state"] == "connected"


@pytest.mark.slow
async def test_a_lost_connection_is_made_anew_and_goes_on_with_what_waits() -> None:
    async def first_leaves(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        if relay.connections == 1:
            await websocket.close()
        else:
            await say(websocket, "OK", message[1]["id"], True, "")

    async with relay(EVENT=first_leaves) as here, publishing(here.url) as publication:
        probe(publication, *"abc")
        await until(lambda: status(publication).get("published") == 6, "all")
        assert here.connections == 2
        assert {event["tags"][0][1] for event in given(here)} == {f"wss://{name}.example/" for name in "abc"}


async def test_what_is_old_is_of_no_use() -> None:
    async with relay() as here, publishing(here.url) as publication:
        probe(publication, "old", later_s=-6000)
        probe(publication, "new")
        await until(lambda: status(publication).get("published") == 4, "the new one")
        assert [event["tags"][0][1] for event in given(here)] == ["wss://new.example/"]
        assert status(publication)["stale"] == 1
