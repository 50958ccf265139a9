"""However a socket cuts the stream, every message arrives once, whole and in order, and no limit has a way past it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from producers.relays.push import PushConnection

LIMIT = 100_000


@asynccontextmanager
async def connection() -> AsyncIterator[PushConnection]:
    async def idle(websocket: ServerConnection) -> None:
        await websocket.wait_closed()

    async with (
        serve(idle, "127.0.0.1", 0, compression=None, close_timeout=0.1) as server,
        connect(
            f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            create_connection=PushConnection,
            compression=None,
            proxy=None,
            ping_interval=None,
            max_size=LIMIT,
            close_timeout=0.1,
        ) as websocket,
    ):
        yield cast("PushConnection", websocket)


def frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=False)


def fragmented(data: bytes, pieces: int) -> bytes:
    """One message in several frames, with a ping between them, as RFC 6455 allows."""
    size = len(data) // pieces + 1
    parts = [data[start : start + size] for start in range(0, len(data), size)] or [b""]
    frames = []
    for number, part in enumerate(parts):
        opcode = Opcode.CONT if number else Opcode.TEXT
        frames.append(frame(opcode, part, fin=number == len(parts) - 1))
    return frame(Opcode.PING, b"between").join(frames)


MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(["text", "binary", "fragmented", "ping", "pong"]),
        st.sampled_from([0, 1, 125, 126, 127, 300, 65_535, 65_536]) | st.integers(0, 2000),
        st.integers(1, 4),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(messages=MESSAGES, cuts=st.lists(st.integers(1, 3000), min_size=1, max_size=50))
def test_messages_arrive_however_the_stream_is_cut(messages: list[tuple[str, int, int]], cuts: list[int]) -> None:
    stream, expected = b"", []
    for number, (kind, size, pieces) in enumerate(messages):
        data = bytes([65 + number]) * size
        match kind:
            case "text":
                stream += frame(Opcode.TEXT, data)
            case "binary":
                stream += frame(Opcode.BINARY, data)
            case "fragmented":
                stream += fragmented(data, pieces)
            case "ping":
                stream += frame(Opcode.PING, data[:125])
            case _:
                stream += frame(Opcode.PONG, data[:125])
        if kind not in {"ping", "pong"}:
            expected.append(data)

    async def run() -> list[bytes]:
        got: list[bytes] = []
        async with connection() as websocket:
            websocket.listen(got.append, lambda: None)
            at, turn = 0, 0
            while at < len(stream):
                websocket.data_received(stream[at : at + cuts[turn % len(cuts)]])
                at += cuts[turn % len(cuts)]
                turn += 1
        return got

    assert asyncio.run(run()) == expected


async def test_messages_that_came_before_the_listener_are_not_lost() -> None:
    got: list[bytes] = []
    async with connection() as websocket:
        websocket.data_received(frame(Opcode.TEXT, b"1") + frame(Opcode.TEXT, b"2"))
        websocket.listen(got.append, lambda: None)
        websocket.data_received(frame(Opcode.TEXT, b"3"))
    assert got == [b"1", b"2", b"3"]


TOO_MUCH = {
    "one frame": frame(Opcode.TEXT, b"x" * (LIMIT + 1)),
    "only its header": frame(Opcode.TEXT, b"x" * (LIMIT + 1))[:10],
    "fragments": frame(Opcode.TEXT, b"x" * LIMIT, fin=False) + frame(Opcode.CONT, b"x"),
    "empty fragments": frame(Opcode.TEXT, b"", fin=False) + frame(Opcode.CONT, b"", fin=False) * 5000,
}


@pytest.mark.parametrize("what", list(TOO_MUCH))
async def test_what_is_too_large_ends_the_connection(what: str) -> None:
    got: list[bytes] = []
    async with connection() as websocket:
        websocket.listen(got.append, lambda: None)
        websocket.data_received(frame(Opcode.TEXT, b"before") + TOO_MUCH[what])
        async with asyncio.timeout(10):
            await websocket.wait_closed()
        error = websocket.close_exc
    assert isinstance(error, ConnectionClosed)
    assert error.sent is not None
    assert error.sent.code == 1009
    assert got == [b"before"]


@pytest.mark.parametrize(
    "bad", [b"\x81\x85mask12345", b"\xc1\x01x", b"\x83\x00", b"\x80\x00", b"\x89\x7e\x00\x80" + bytes(128)]
)
async def test_malformed_frames_end_the_connection(bad: bytes) -> None:
    got: list[bytes] = []
    async with connection() as websocket:
        websocket.listen(got.append, lambda: None)
        websocket.data_received(frame(Opcode.TEXT, b"before") + bad + frame(Opcode.TEXT, b"after"))
        await websocket.wait_closed()
        assert websocket.close_exc.sent is not None
        assert websocket.close_exc.sent.code == 1002
    assert got == [b"before"]


async def test_a_message_within_the_fragments_of_another_ends_the_connection() -> None:
    got: list[bytes] = []
    async with connection() as websocket:
        websocket.listen(got.append, lambda: None)
        websocket.data_received(frame(Opcode.TEXT, b"begun", fin=False))
        websocket.data_received(frame(Opcode.TEXT, b"another"))
        await websocket.wait_closed()
        assert websocket.close_exc.sent is not None
        assert websocket.close_exc.sent.code == 1002
    assert got == []


async def test_what_a_receiver_raises_is_handed_to_whoever_waits() -> None:
    def refuse(_: bytes) -> None:
        raise ValueError("over budget")

    async with connection() as websocket:
        websocket.listen(refuse, lambda: None)
        websocket.data_received(frame(Opcode.TEXT, b"1"))
        assert str(await websocket.failure()) == "over budget"


async def test_a_pong_is_dealt_with_after_what_came_before_it() -> None:
    got: list[bytes] = []
    async with connection() as websocket:
        websocket.listen(got.append, lambda: None)
        pong = await websocket.ping(b"mine")
        websocket.data_received(frame(Opcode.TEXT, b"1") + frame(Opcode.PONG, b"mine") + frame(Opcode.TEXT, b"2"))
        await pong
        assert got[0] == b"1"
