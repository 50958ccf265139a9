"""A message larger than a part comes in frames, as fast as its reader reads; what is between them is heard."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import NamedTuple

import pytest

from api.connections.bounds import Bounds
from api.connections.parts import PART_BYTES
from api.server import ApiServer
from tests.unit.api.connections.serving import (
    BOUNDS,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    SOON_S,
    TEXT,
    Raw,
    connected,
    connections,
    pieces,
    running,
)
from tests.waiting import until

pytestmark = pytest.mark.slow

ENDLESS = 8 * 1024 * 1024
"""Bytes of a message of which the system takes only the beginning, where it is not read: 4 MiB for a sender."""
_RECEIVED = 64 * 1024
"""Bytes that it takes for a reader."""


class Frame(NamedTuple):
    """A frame of the server."""

    opcode: int
    is_last: bool
    data: bytes


async def frame_of(raw: Raw) -> Frame:
    """The next frame (RFC 6455, section 5.2)."""
    async with asyncio.timeout(SOON_S):
        first, length = await raw.reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack(">H", await raw.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", await raw.reader.readexactly(8))
        return Frame(first & 0x0F, bool(first & FIN), await raw.reader.readexactly(length))


async def rest_of(raw: Raw) -> tuple[bytes, list[Frame]]:
    """What comes of a message up to its end or that of the connection, and the frames of control before it."""
    data = bytearray()
    controls: list[Frame] = []
    raw.writer.transport.resume_reading()  # type: ignore[attr-defined]
    while not controls or controls[-1].opcode != CLOSE:
        frame = await frame_of(raw)
        if frame.opcode >= CLOSE:
            controls.append(frame)
            continue
        assert frame.opcode == CONTINUATION
        assert len(frame.data) <= PART_BYTES
        data += frame.data
        if frame.is_last:
            break
    return bytes(data), controls


async def begin(raw: Raw) -> None:
    """Read the beginning of a message, and no more of it."""
    raw.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED)
    assert b"101" in await raw.upgrade(b"/sending")
    raw.frame(TEXT, str(ENDLESS).encode())
    assert await frame_of(raw) == Frame(TEXT, False, b"".join(pieces(PART_BYTES)))
    raw.writer.transport.pause_reading()  # type: ignore[attr-defined]


@asynccontextmanager
async def in_the_middle(bounds: Bounds = BOUNDS) -> AsyncIterator[tuple[ApiServer, Raw]]:
    """A connection in the middle of a message."""
    async with running(bounds) as server, connected(server) as raw:
        await begin(raw)
        yield server, raw


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record for record in caplog.get_records("call") if record.levelno >= logging.WARNING] == []


async def test_messages_come_whole_and_in_order() -> None:
    sizes = (1, 10_000, PART_BYTES, PART_BYTES + 1, 3_000_000, 5)
    async with running() as server, connected(server) as raw:
        await raw.upgrade(b"/sending")
        for size in sizes:
            raw.frame(TEXT, str(size).encode())
        for size in sizes:
            frames = [await frame_of(raw) for _ in range(-(-size // PART_BYTES))]
            assert [each.opcode for each in frames] == [TEXT] + [CONTINUATION] * (len(frames) - 1)
            assert [each.is_last for each in frames] == [False] * (len(frames) - 1) + [True]
            assert b"".join(each.data for each in frames) == b"".join(pieces(size))


async def test_a_ping_is_answered_between_the_parts() -> None:
    async with in_the_middle() as (_, raw):
        raw.frame(PING, b"here")
        data, controls = await rest_of(raw)
        assert data == b"".join(pieces(ENDLESS))[PART_BYTES:]
        assert controls == [Frame(PONG, True, b"here")]


@pytest.mark.parametrize("code", [struct.pack(">H", 1000), b""])
async def test_a_client_may_close_in_the_middle(code: bytes) -> None:
    async with in_the_middle() as (server, raw):
        raw.frame(CLOSE, code)
        data, controls = await rest_of(raw)
        assert len(data) < ENDLESS - PART_BYTES
        assert controls == [Frame(CLOSE, True, code)]
        await connections(server, 0)


async def test_a_client_may_be_lost_in_the_middle() -> None:
    async with in_the_middle() as (server, raw):
        raw.writer.transport.abort()
        await connections(server, 0)


async def test_the_application_may_close_in_the_middle() -> None:
    async with in_the_middle() as (server, raw):
        raw.frame(TEXT, b"stop")
        data, controls = await rest_of(raw)
        assert len(data) < ENDLESS - PART_BYTES
        assert controls == [Frame(CLOSE, True, struct.pack(">H", 1008) + b"enough")]
        raw.frame(CLOSE, struct.pack(">H", 1008))
        await connections(server, 0)


async def test_the_server_may_stop_in_the_middle() -> None:
    async with in_the_middle() as (server, raw):
        server.stop()
        await until(lambda: refuses(server), "the server listens no more")
        data, controls = await rest_of(raw)
        assert len(data) < ENDLESS - PART_BYTES
        assert controls == [Frame(CLOSE, True, struct.pack(">H", 1012))]


async def refuses(server: ApiServer) -> bool:
    """Whether it listens no more, which is when it tells its connections."""
    try:
        async with connected(server):
            return False
    except OSError:
        return True


async def test_an_unanswered_ping_ends_a_connection_in_the_middle() -> None:
    async with in_the_middle(replace(BOUNDS, ping_s=0.2)) as (server, _):
        await connections(server, 0)


async def test_what_waits_for_readers_in_the_middle_is_a_part_for_each() -> None:
    """They are not cut, though what they are still to be sent is far above the bound of all."""
    number = 5
    async with (
        running(replace(BOUNDS, all_unsent_bytes=number * (PART_BYTES + 17_000))) as server,
        AsyncExitStack() as stack,
    ):
        readers = [await stack.enter_async_context(connected(server)) for _ in range(number)]
        for raw in readers:
            await begin(raw)
        # Cut by the same look that sums up what waits.
        idle = await stack.enter_async_context(connected(server))
        idle.writer.write(b"GET")
        assert await idle.rest() == b""
        assert server.connections == number
