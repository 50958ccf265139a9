"""A long message is parsed in a thread, while the event loop goes on, and keeps its place among the others."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Close, CloseCode, Frame, Opcode

from producers.relay_client.client import PARSED_AT_ONCE_BYTES, RelayClient
from producers.relay_client.dialling import Dialling, open_connection
from producers.relay_client.frames import FrameReader
from producers.relay_client.stream.unfinished import UNFINISHED
from producers.relay_client.subscriptions import Subscription
from producers.relay_client.unasked import Unasked
from schemas.nostr.filters import Filter
from schemas.reasons import Reason
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize
from tests.relays.hostile import Hostile, say
from tests.unit.producers.unlimited import Unlimited
from tests.waiting import until

DIALLING = Dialling(connect_timeout_s=5, frame_max_bytes=2 << 20, ping_interval_s=30, proxies={})


class Taking:
    """Keeps what comes, in its order, and in which thread."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, int]] = []
        self.threads: set[int] = set()
        self.charged: list[tuple[Unasked, int]] = []

    def event(self, _subscription: Subscription, event: bytes, event_id: str, _fields: object) -> None:
        self.taken.append((event_id, len(event)))
        self.threads.add(threading.get_ident())

    def refuse(self, reason: Reason, value: bytes, _field: str | None, _detail: str) -> None:
        self.taken.append((reason, len(value)))

    def unasked(self, what: Unasked, size_bytes: int) -> None:
        self.charged.append((what, size_bytes))  # the empty fragments


def stored(number: int, **more: object) -> str:
    return json.dumps({"id": f"{number:064x}", "created_at": 100, "kind": 1, "content": "", **more})


@asynccontextmanager
async def talking(relay: Hostile, taking: Taking) -> AsyncIterator[RelayClient]:
    url = normalize(relay.url, allow_private=True)
    record = RelayRecord(url=url.url, network=url.network, source="test", allow_private=True, updated_at_ms=0)
    connection = await open_connection(record, url, DIALLING)
    client = RelayClient(url.url, connection, FrameReader(taking), Unlimited())
    reading = asyncio.create_task(client.read())
    try:
        yield client
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await connection.close()


LONG = [
    stored(2, content="x" * PARSED_AT_ONCE_BYTES),
    stored(2, content="\ud800", more=dict.fromkeys(map(str, range(20_000)), 1)),
    stored(2, created_at=2**70, more="x" * PARSED_AT_ONCE_BYTES),
    stored(2, more="NESTED").replace('"NESTED"', "[" * 50_000 + "]" * 50_000),
]


@pytest.mark.parametrize("long", LONG, ids=["long", "half a surrogate", "a large number", "deep"])
@pytest.mark.parametrize("fragments", [False, True], ids=["one frame", "fragments"])
async def test_what_follows_a_long_message_is_taken_after_it(long: str, fragments: bool) -> None:
    async def answer(_relay: Hostile, websocket: ServerConnection, subid: str, _asked: dict[str, Any]) -> None:
        for event in (stored(1), long, stored(3), long, stored(4)):
            text = f'["EVENT","{subid}",{event}]'
            await websocket.send([text[:70_000], text[70_000:]] if fragments else text)
        await say(websocket, "EOSE", subid)

    taking = Taking()
    async with Hostile([], answer) as relay, talking(relay, taking) as client:
        page = await client.request_page(Filter(limit=10))
        async with asyncio.timeout(60):
            await page.ended.wait()
    assert [what[-1] for what, _ in taking.taken] in (["1", "2", "3", "2", "4"], ["1", "h", "3", "h", "4"])
    assert [size > PARSED_AT_ONCE_BYTES for _, size in taking.taken] == [False, True, False, True, False]
    assert taking.threads == {threading.get_ident()}


async def test_what_a_relay_says_before_it_leaves_is_taken_also_behind_a_long_message() -> None:
    async def answer(_relay: Hostile, websocket: ServerConnection, subid: str, _asked: dict[str, Any]) -> None:
        # In one batch: the socket is asked to send when the handler waits for the first time.
        messages = [f'["EVENT","{subid}",{event}]' for event in (LONG[1], stored(3))] + [f'["EOSE","{subid}"]']
        frames = [Frame(Opcode.TEXT, message.encode()) for message in messages]
        frames.append(Frame(Opcode.CLOSE, Close(CloseCode.NORMAL_CLOSURE, "").serialize()))
        websocket.transport.write(b"".join(frame.serialize(mask=False) for frame in frames))

    taking = Taking()
    async with Hostile([], answer) as relay, talking(relay, taking) as client:
        page = await client.request_page(Filter(limit=10))
        async with asyncio.timeout(60):
            await page.ended.wait()
    assert page.eose is not None
    assert len(taking.taken) == 2


async def test_what_waits_to_be_parsed_is_counted_until_it_is_taken() -> None:
    async def answer(_relay: Hostile, websocket: ServerConnection, subid: str, _asked: dict[str, Any]) -> None:
        await websocket.send(f'["EVENT","{subid}",{LONG[1]}]')
        await say(websocket, "EOSE", subid)

    taking = Taking()
    async with Hostile([], answer) as relay, talking(relay, taking) as client:
        page = await client.request_page(Filter(limit=10))
        await until(lambda: client.full, "the long message", poll_s=0)
        assert UNFINISHED.bytes > PARSED_AT_ONCE_BYTES
        async with asyncio.timeout(60):
            await page.ended.wait()
        assert UNFINISHED.bytes == 0
