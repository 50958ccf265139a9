"""What nothing waits for is charged, whatever it is, and what an honest relay sends is free."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from pydantic import SecretStr
from websockets.asyncio.server import ServerConnection
from websockets.frames import Opcode

from producers.relay_client.client import RelayClient
from producers.relay_client.dialling import Dialling, open_connection
from producers.relay_client.frames import FrameReader
from producers.relay_client.hearing import FREE_EOSES
from producers.relay_client.subscriptions import Subscription
from producers.relay_client.unasked import FREE_MESSAGE_BYTES, OneASecond, Unasked
from schemas.nostr.filters import Filter
from schemas.reasons import Reason
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize
from tests.relays.hostile import Hostile, say
from tests.unit.producers.relay_client.test_websocket import connection, fragmented, frame
from tests.unit.producers.unlimited import Unlimited
from tests.waiting import until

DIALLING = Dialling(connect_timeout_s=5, frame_max_bytes=1 << 20, ping_interval_s=30, proxies={})
LONG = "x" * FREE_MESSAGE_BYTES
EVENT = {"id": "a" * 64, "created_at": 1_700_000_000, "kind": 1, "content": "x"}


class Handler:
    """Keeps what is charged."""

    def __init__(self) -> None:
        self.events = 0
        self.charged: list[tuple[str, int]] = []

    def event(self, subscription: Subscription, event: bytes, event_id: str, fields: Mapping[str, Any]) -> None:
        self.events += 1

    def refuse(self, reason: Reason, value: bytes, field: str | None, detail: str) -> None:
        self.charged.append((reason, len(value)))

    def unasked(self, what: Unasked, size_bytes: int) -> None:
        self.charged.append((what, size_bytes))


@asynccontextmanager
async def talking(relay: Hostile, handler: Handler, auth_key: SecretStr | None = None) -> AsyncIterator[RelayClient]:
    url = normalize(relay.url, allow_private=True)
    record = RelayRecord(url=url.url, network=url.network, source="test", allow_private=True, updated_at_ms=0)
    opened = await open_connection(record, url, DIALLING)
    client = RelayClient(url.url, opened, FrameReader(handler), Unlimited(), auth_key=auth_key)
    reading = asyncio.create_task(client.read())
    try:
        async with asyncio.timeout(20):
            yield client
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await opened.close()


CHARGED: dict[str, tuple[Sequence[Sequence[object]], Unasked | Reason]] = {
    "one EOSE more than upstreams": ([["EOSE", "page-1"]] * (FREE_EOSES + 1), Unasked.EOSE),
    "the EOSE of no question": ([["EOSE", "page-9"]], Unasked.EOSE),
    "a second CLOSED": ([["CLOSED", "page-1", ""], ["CLOSED", "page-1", ""]], Unasked.CLOSED),
    "the CLOSED of no question": ([["CLOSED", "page-9", ""]], Unasked.CLOSED),
    "an OK of nothing": ([["OK", "a" * 64, True, ""]], Unasked.OK),
    "a question refused twice": ([["OK", "page-1", False, ""], ["OK", "page-1", False, ""]], Unasked.OK),
    "notices": ([["NOTICE", "hello"]] * 3, Unasked.NOTICE),
    "challenges": ([["AUTH", "one"], ["AUTH", "two"], ["AUTH", "three"]], Unasked.AUTH),
    "a part of no reconciliation": ([["NEG-MSG", "neg-1", "61"]], Unasked.NEGENTROPY),
    "the end of none": ([["NEG-ERR", "neg-1", "closed: no"]], Unasked.NEGENTROPY),
    "an unknown message": ([["LIMITS", {}]], Unasked.UNKNOWN),
    "no message": ([[]], Reason.BAD_FRAME),
    "a long EOSE": ([["EOSE", "page-1", [], LONG]], Unasked.LONG),
    "a long CLOSED": ([["CLOSED", "page-1", LONG]], Unasked.LONG),
    "a long notice": ([["NOTICE", LONG]], Unasked.LONG),
    "a long challenge": ([["AUTH", LONG]], Unasked.LONG),
}


@pytest.mark.parametrize("what", list(CHARGED))
async def test_what_nothing_waits_for_is_charged(what: str) -> None:
    messages, name = CHARGED[what]

    async def speak(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
        for message in messages:
            await say(websocket, *message)

    handler = Handler()
    async with Hostile([], speak) as relay, talking(relay, handler) as client:
        await client.request_page(Filter(limit=5))
        await until(lambda: handler.charged, "a charge")
    assert handler.charged == [(name, len(orjson.dumps(messages[-1])))]


async def test_what_an_honest_relay_says_is_free() -> None:
    async def honest(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
        if not relay.auth_events:
            await say(websocket, "AUTH", "who are you?")
            await say(websocket, "NOTICE", "welcome")
            await say(websocket, "CLOSED", subid, "auth-required: who are you?")
            return
        await say(websocket, "EVENT", subid, EVENT)
        if len(relay.requests) == 5:
            await websocket.ping()
        for _ in range(FREE_EOSES):
            await say(websocket, "EOSE", subid)
        await say(websocket, "CLOSED", subid, "that is all")

    handler = Handler()
    async with Hostile([], honest) as relay, talking(relay, handler, SecretStr("3" * 64)) as client:
        refused = await client.request_page(Filter(limit=5))
        await client.wait_for(refused, 10)
        assert await client.auth.sign_in(refused.session)
        keeping = asyncio.create_task(client.connection.keep_alive())
        for _ in range(20):
            page = await client.request_page(Filter(limit=5))
            await page.over.wait()
            await client.release(page)
        await until(lambda: client.connection.answered_s, "the answer to our ping")
        keeping.cancel()
    assert handler.events == 20
    assert handler.charged == []


async def test_what_is_late_to_a_question_that_was_closed_is_its_first_answer() -> None:
    async def late(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
        if len(relay.requests) == 2:
            await say(websocket, "EOSE", "page-1")
            await say(websocket, "CLOSED", "page-1", "")
            await say(websocket, "EOSE", subid)

    handler = Handler()
    async with Hostile([], late) as relay, talking(relay, handler) as client:
        await client.release(await client.request_page(Filter(limit=5)))
        page = await client.request_page(Filter(limit=5))
        await page.ended.wait()
    assert handler.charged == []


ODD_FRAMES: dict[str, tuple[bytes, list[Unasked]]] = {
    "pongs": (frame(Opcode.PONG, b"") + frame(Opcode.PONG, b"x"), [Unasked.PONG] * 2),
    "pings": (frame(Opcode.PING, b"") * 5, [Unasked.PING] * 3),
    "fragments of nothing": (
        frame(Opcode.TEXT, b"", fin=False) + frame(Opcode.CONT, b"", fin=False) * 3 + frame(Opcode.CONT, b""),
        [Unasked.FRAGMENT] * 3,
    ),
    "fragments of a byte": (
        frame(Opcode.TEXT, b"x", fin=False) + frame(Opcode.CONT, b"x", fin=False) * 3 + frame(Opcode.CONT, b"x"),
        [Unasked.FRAGMENT] * 3,
    ),
    "large fragments": (fragmented(b"x" * 40_000, 40).replace(frame(Opcode.PING, b"between"), b""), []),
    "a message in two": (frame(Opcode.TEXT, b"[", fin=False) + frame(Opcode.CONT, b"]"), []),
    "one ping": (frame(Opcode.PING, b"x" * 125), []),
    "whole messages": (frame(Opcode.TEXT, b"x") * 50, []),
}


@pytest.mark.parametrize("what", list(ODD_FRAMES))
async def test_frames_that_nothing_waits_for_are_charged(what: str) -> None:
    frames, expected = ODD_FRAMES[what]
    charged: list[Unasked] = []
    async with connection() as websocket:
        websocket.listen(lambda _: None, lambda: None, lambda name, _: charged.append(name))
        websocket.data_received(frames)
        assert charged == expected


def test_one_a_second_is_free_and_one_that_is_early() -> None:
    now_s = 100.0
    each = OneASecond(lambda: now_s)
    assert [each.free() for _ in range(3)] == [True, True, False]
    now_s = 100.9
    assert not each.free()
    for _ in range(10):
        now_s += 1.0
        assert [each.free(), each.free()] == [True, False]
    now_s += 1000.0
    assert [each.free() for _ in range(3)] == [True, True, False]
