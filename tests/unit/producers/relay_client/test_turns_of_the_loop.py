"""What one read of a socket brings is dealt with in short turns of the event loop, and the socket rests meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import cast

import pytest
from websockets.asyncio.client import connect
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.uri import parse_uri

from producers.relay_client.connection import CLOSE_TIMEOUT_S, RelayConnection
from producers.relay_client.stream.cutting import TURN_FRAMES, TURN_ODD_FRAMES
from producers.relay_client.stream.odd_frames import MOST_UNSENT_BYTES
from producers.relay_client.stream.websocket import PushConnection
from producers.relay_client.unasked import Unasked
from tests.relays.flooding import flooding
from tests.unit.producers.relay_client.test_websocket import Wire, accepted, connection, frame
from tests.waiting import until

READ_BYTES = 256 << 10
EVENT = frame(Opcode.TEXT, b'["EVENT","live",{"id":"%b"}]' % (b"a" * 64))
FRAGMENTS = frame(Opcode.TEXT, b"", fin=False) + frame(Opcode.CONT, b"x", fin=False) * 100 + frame(Opcode.CONT, b"")
READS = {
    "empty pongs": (frame(Opcode.PONG, b""), TURN_ODD_FRAMES),
    "long pongs": (frame(Opcode.PONG, b"x" * 125), TURN_ODD_FRAMES),
    "pings": (frame(Opcode.PING, b"x" * 10), TURN_ODD_FRAMES),
    "fragments of a byte": (FRAGMENTS, TURN_ODD_FRAMES),
    "empty messages": (frame(Opcode.TEXT, b""), TURN_FRAMES),
    "events": (EVENT, TURN_FRAMES),
}


@pytest.mark.parametrize("what", list(READS))
async def test_a_turn_deals_with_few_frames(what: str) -> None:
    pattern, most = READS[what]
    dealt = 0

    def count(*_: object) -> None:
        nonlocal dealt
        dealt += 1

    async with connection() as websocket:
        websocket.listen(count, lambda: None, count)
        websocket.data_received(pattern * (READ_BYTES // len(pattern)))
        turns = 1
        while websocket.behind:
            assert not websocket.transport.is_reading()
            before = dealt
            await asyncio.sleep(0)
            turns += 1
            # One fragment more is charged and ends a message.
            assert dealt - before <= most + 1
        assert websocket.transport.is_reading()
        assert turns >= READ_BYTES // len(pattern) // most


async def test_others_have_their_turns_while_one_floods() -> None:
    """The turns of the loop between the first and the last frame of a read are everybody's."""
    async with connection() as flooded, connection() as other:
        flooded.listen(lambda _: None, lambda: None, lambda *_: None)
        got: list[bytes] = []
        other.listen(got.append, lambda: None, lambda *_: None)
        flooded.data_received(frame(Opcode.PONG, b"") * (READ_BYTES // 2))
        other.data_received(frame(Opcode.TEXT, b"hello"))
        assert got == [b"hello"]
        pong = await other.ping()
        await pong
        assert flooded.behind


async def test_while_reading_rests_nothing_of_what_was_read_is_handed_on() -> None:
    got = 0

    def count(_: bytes) -> None:
        nonlocal got
        got += 1

    async with connection() as websocket:
        websocket.listen(count, websocket.hold, lambda *_: None)
        websocket.data_received(EVENT * 1000)
        for rests in range(1, 8):
            assert got == rests * TURN_FRAMES
            for _ in range(20):
                await asyncio.sleep(0)
            assert got == rests * TURN_FRAMES
            websocket.go_on()
            await until(lambda: not websocket.transport.is_reading(), "the next rest")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await until(lambda: got == 1000, "the last")
        websocket.go_on()
        await until(websocket.transport.is_reading, "more is read")


async def test_what_follows_the_handshake_in_one_read_is_not_dealt_with_at_once() -> None:
    protocol = ClientProtocol(parse_uri("ws://relay.example"))
    websocket = PushConnection(protocol)
    websocket.connection_made(Wire())
    websocket.data_received(accepted(protocol) + frame(Opcode.PONG, b"") * 10_000 + frame(Opcode.TEXT, b"last"))
    assert websocket.response is not None
    for _ in range(20):
        await asyncio.sleep(0)
    charged: list[Unasked] = []
    got: list[bytes] = []
    websocket.listen(got.append, lambda: None, lambda what, _: charged.append(what))
    assert len(charged) == TURN_ODD_FRAMES
    await until(lambda: got, "the message behind them")
    assert (got, len(charged)) == ([b"last"], 10_000)


@pytest.mark.slow
async def test_the_body_of_a_refusal_is_read_in_turns_and_not_without_end() -> None:
    protocol = ClientProtocol(parse_uri("ws://relay.example"))
    websocket = PushConnection(protocol)
    wire = Wire()
    websocket.connection_made(wire)
    accepted(protocol)
    websocket.data_received(b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunks = b"1\r\nx\r\n" * (READ_BYTES // 6)
    for _ in range(5):
        websocket.data_received(chunks)
        turns = 0
        while websocket.behind:
            await asyncio.sleep(0)
            turns += 1
        assert turns > 10 or wire.aborted
    assert wire.aborted


@pytest.mark.slow
async def test_a_flood_of_pings_does_not_fill_the_write_buffer_nor_delay_a_close() -> None:
    most_unsent, charged = 0, Counter[Unasked]()
    async with flooding(frame(Opcode.PING, b"x" * 125)) as relay:
        websocket = cast(
            "PushConnection",
            await connect(
                relay.url,
                create_connection=PushConnection,
                compression=None,
                proxy=None,
                ping_interval=None,
                close_timeout=0.1,
            ),
        )
        websocket.listen(lambda _: None, lambda: None, lambda what, _: charged.update([what]))
        filled_at = 0
        while not filled_at or charged[Unasked.PING] < filled_at + 2000:
            if not filled_at and most_unsent >= MOST_UNSENT_BYTES:
                filled_at = charged[Unasked.PING]
            most_unsent = max(most_unsent, websocket.transport.get_write_buffer_size())
            await asyncio.sleep(0)
        # Twice what it waits for the relay, which goes on pinging: no turn of the loop takes long.
        async with asyncio.timeout(2 * CLOSE_TIMEOUT_S):
            await RelayConnection(websocket, relay.url, ping_interval_s=30, frame_max_bytes=1 << 20).close()
        assert MOST_UNSENT_BYTES <= most_unsent < 2 * MOST_UNSENT_BYTES
