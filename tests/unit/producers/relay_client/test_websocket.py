"""However a socket cuts the stream, every message arrives once, whole and in order, and no limit has a way past it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side
from websockets.uri import parse_uri
from websockets.utils import accept_key

from producers.relay_client.stream.websocket import PushConnection
from producers.relay_client.unasked import Unasked
from tests.waiting import until

LIMIT = 100_000


def free(what: Unasked, size_bytes: int) -> None:
    """Charge nothing."""


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


@settings(max_examples=60)
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
            websocket.listen(got.append, lambda: None, free)
            at, turn = 0, 0
            while at < len(stream):
                websocket.data_received(stream[at : at + cuts[turn % len(cuts)]])
                at += cuts[turn % len(cuts)]
                turn += 1
            await until(lambda: not websocket.behind, "all is dealt with")
        return got

    assert asyncio.run(run()) == expected


async def test_messages_that_came_before_the_listener_are_not_lost() -> None:
    got: list[bytes] = []
    async with connection() as websocket:
        websocket.data_received(frame(Opcode.TEXT, b"1") + frame(Opcode.TEXT, b"2"))
        websocket.listen(got.append, lambda: None, free)
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
        websocket.listen(got.append, lambda: None, free)
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
        websocket.listen(got.append, lambda: None, free)
        websocket.data_received(frame(Opcode.TEXT, b"before") + bad + frame(Opcode.TEXT, b"after"))
        await websocket.wait_closed()
        assert websocket.close_exc.sent is not None
        assert websocket.close_exc.sent.code == 1002
    assert got == [b"before"]


async def test_a_message_within_the_fragments_of_another_ends_the_connection() -> None:
    got: list[bytes] = []
    async with connection() as websocket:
        websocket.listen(got.append, lambda: None, free)
        websocket.data_received(frame(Opcode.TEXT, b"begun", fin=False))
        websocket.data_received(frame(Opcode.TEXT, b"another"))
        await websocket.wait_closed()
        assert websocket.close_exc.sent is not None
        assert websocket.close_exc.sent.code == 1002
    assert got == []


async def test_what_a_receiver_raises_is_handed_to_what_waits() -> None:
    def refuse(_: bytes) -> None:
        raise ValueError("over budget")

    async with connection() as websocket:
        websocket.listen(refuse, lambda: None, free)
        websocket.data_received(frame(Opcode.TEXT, b"1"))
        await websocket.over.wait()
        assert str(websocket.failure) == "over budget"


async def test_a_pong_is_dealt_with_after_what_came_before_it() -> None:
    got: list[bytes] = []
    async with connection() as websocket:
        websocket.listen(got.append, lambda: None, free)
        pong = await websocket.ping(b"mine")
        websocket.data_received(frame(Opcode.TEXT, b"1") + frame(Opcode.PONG, b"mine") + frame(Opcode.TEXT, b"2"))
        await pong
        assert got[0] == b"1"


class Wire(asyncio.Transport):
    """A socket in memory, so that thousands of streams are tried."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def pause_reading(self) -> None:
        """A test says itself what comes when."""

    def resume_reading(self) -> None:
        """Likewise."""

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever left unsent."""

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing to close."""

    def abort(self) -> None:
        self.aborted = True


def accepted(protocol: ClientProtocol) -> bytes:
    """A server's answer to the handshake that is begun here."""
    request = protocol.connect()
    protocol.send_request(request)
    protocol.data_to_send()
    key = accept_key(request.headers["Sec-WebSocket-Key"])
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {key}\r\n\r\n"
    ).encode()


PIECES = st.one_of(
    st.builds(
        lambda opcode, fin, data: Frame(opcode, data, fin).serialize(mask=False),
        st.sampled_from([Opcode.TEXT, Opcode.TEXT, Opcode.BINARY, Opcode.CONT]),
        st.booleans(),
        st.binary(max_size=4) | st.sampled_from([b"x" * 126, b"\x81\x01y" * 50, b"x" * 3000, b"x" * 5000]),
    ),
    st.builds(
        lambda opcode, data: Frame(opcode, data).serialize(mask=False),
        st.sampled_from([Opcode.PING, Opcode.PONG]),
        st.binary(max_size=4) | st.just(b"x" * 125),
    ),
    st.sampled_from(
        [
            b"\x88\x00",
            b"\x88\x02\x03\xe8",
            b"\x88\x03\x03\xe8\xff",
            b"\x88\x01x",
            b"\x89\x7e\x00\x7e" + b"x" * 126,
            b"\x09\x00",
            b"\xc1\x01x",
            b"\x91\x00",
            b"\x83\x00",
            b"\x81\x81maskx",
            b"\x81\xfe\x00\x01maskx",
            b"\x81\x7e\x00\x01x",
            b"\x81\x7f" + bytes(7) + b"\x01x",
            b"\x81\x7f\xff" + bytes(7),
            b"\x01\x7f" + bytes(7) + b"\x02xy",
        ]
    ),
    st.binary(min_size=1, max_size=3),
)
"""Frames, right and wrong ones, one with a length that is too large, and bytes that are none."""
MOST = 4000


def by_the_library(stream: bytes) -> tuple[list[bytes], list[tuple[int, bytes]]]:
    """What its own parser makes of a stream: messages, and what it answers."""
    protocol = Protocol(Side.CLIENT, max_size=MOST)
    protocol.receive_data(stream)
    messages, parts = [], list[bytes]()
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        if event.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            parts.append(bytes(event.data))
            if event.fin:
                messages.append(b"".join(parts))
                parts.clear()
    return messages, answers(b"".join(protocol.data_to_send()))


def answers(written: bytes) -> list[tuple[int, bytes]]:
    far = Protocol(Side.SERVER)
    far.receive_data(written)
    return [(frame.opcode, bytes(frame.data)) for frame in far.events_received() if isinstance(frame, Frame)]


@pytest.mark.slow
@settings(max_examples=1500)
@given(
    pieces=st.lists(PIECES, max_size=7),
    cuts=st.lists(st.integers(1, 5) | st.integers(1, 200), min_size=1, max_size=30),
    with_handshake=st.booleans(),
)
@example(pieces=[b"\x03~"], cuts=[1], with_handshake=False)
def test_any_stream_is_taken_as_the_library_takes_it(
    pieces: list[bytes], cuts: list[int], with_handshake: bool
) -> None:
    stream = b"".join(pieces)

    async def run() -> tuple[list[bytes], list[tuple[int, bytes]]]:
        protocol = ClientProtocol(parse_uri("ws://relay.example"), max_size=MOST)
        websocket = PushConnection(protocol)
        wire = Wire()
        websocket.connection_made(wire)
        response = accepted(protocol)
        whole = response + stream
        if not with_handshake:
            websocket.data_received(response)
            whole = stream
        got: list[bytes] = []
        websocket.listen(got.append, lambda: None, free)
        at, turn = 0, 0
        while at < len(whole):
            # The handshake's head in one piece, with the first bytes of what follows.
            step = cuts[turn % len(cuts)] + (len(response) if with_handshake and not turn else 0)
            websocket.data_received(whole[at : at + step])
            at += step
            turn += 1
        await until(lambda: not websocket.behind, "all is dealt with", poll_s=0)
        assert websocket.failure is None
        return got, answers(wire.written)

    assert asyncio.run(run()) == by_the_library(stream)


async def test_a_part_of_a_frame_is_no_sign_of_life() -> None:
    batches = 0

    def after() -> None:
        nonlocal batches
        batches += 1

    whole = frame(Opcode.TEXT, b"x" * 300)
    async with connection() as websocket:
        websocket.listen(lambda _: None, after, free)
        for at in range(len(whole) - 1):
            websocket.data_received(whole[at : at + 1])
        websocket.data_received(b"")
        assert batches == 0
        websocket.data_received(whole[-1:])
        assert batches == 1
        websocket.data_received(frame(Opcode.TEXT, b"x", fin=False))
        assert batches == 1
        websocket.data_received(frame(Opcode.PONG, b""))
        assert batches == 2


@pytest.mark.parametrize("long", [frame(Opcode.TEXT, b"long"), fragmented(b"long", 2)], ids=["one frame", "fragments"])
async def test_behind_a_message_at_which_its_receiver_stops_nothing_is_dealt_with_until_it_goes_on(long: bytes) -> None:
    async with connection() as websocket:
        got: list[bytes] = []

        def receive(message: bytes) -> None:
            got.append(message)
            if message == b"long":
                websocket.put_aside(len(message))

        def after() -> None:
            if got == [b"long"]:
                websocket.hold()

        websocket.listen(receive, after, free)
        answered = asyncio.ensure_future(await websocket.ping())
        pong = frame(Opcode.PONG, next(iter(websocket.pending_pings)))
        websocket.data_received(long + pong + frame(Opcode.TEXT, b"next") + frame(Opcode.CLOSE, b"\x03\xe8"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert got == [b"long"]
        assert websocket.behind
        assert not answered.done()
        websocket.put_aside(0)
        websocket.go_on()
        await until(lambda: got == [b"long", b"next"], "what stood behind it")
        await answered
        await websocket.wait_closed()
