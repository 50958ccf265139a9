"""A server with short times and small bounds, for raw sockets."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.connections.bounds import Bounds
from api.server import ApiServer
from core.settings.serving import ApiSettings
from tests.waiting import until

HOST = "127.0.0.1"
SOON_S = 10.0
"""In which what has a bound of less than a second must have happened on a busy machine."""
BOUNDS = Bounds(
    connections=40,
    client_connections=30,
    message_bytes=10_000,
    unsent_bytes=1024 * 1024,
    acts_per_minute=6000,
    clients=100,
    head_s=0.3,
    body_s=0.5,
    keep_alive_s=1,
    read_s=0.5,
    close_s=0.3,
    after_answer_s=0.1,
    ping_s=30.0,
)
CHUNK = b"x" * 65_536
LARGE = bytes(range(32, 127)) * 11_000
"""A mebibyte of text that differs from place to place."""
UPGRADE = (
    b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"
)
TEXT, CONTINUATION, CLOSE, PING, PONG, FIN = 1, 0, 8, 9, 10, 0x80


async def _hello(_: Request) -> Response:
    return PlainTextResponse("hello")


async def _length(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def _endless(_: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield CHUNK
            await asyncio.sleep(0)  # uvicorn's `send` does not wait where the client is gone

    return StreamingResponse(chunks())


async def _echo(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass


async def _deaf(websocket: WebSocket) -> None:
    await websocket.accept()
    await asyncio.sleep(1)


async def _talking(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text("a")
            await asyncio.sleep(0)
    except WebSocketDisconnect:
        pass


async def _sending(websocket: WebSocket) -> None:
    """Send messages of the sizes that are asked for, made of pieces; any other text stops the last one."""
    await websocket.accept()
    sending: asyncio.Task[None] | None = None
    try:
        while (text := await websocket.receive_text()).isdecimal():
            if sending is not None:
                await sending
            sending = asyncio.create_task(websocket.send({"type": "websocket.send", "buffers": pieces(int(text))}))
        if sending is not None:
            sending.cancel()
        await websocket.close(1008, "enough")
    except WebSocketDisconnect:
        if sending is not None:
            sending.cancel()


def pieces(size: int) -> list[bytes]:
    """A text of this size; most of it is the same object over and over."""
    return [LARGE] * (size // len(LARGE)) + [LARGE[: size % len(LARGE)]]


async def _undecided(_: WebSocket) -> None:
    await asyncio.sleep(3)


APP = Starlette(
    routes=[
        Route("/", _hello),
        Route("/length", _length, methods=["POST"]),
        Route("/endless", _endless),
        WebSocketRoute("/echo", _echo),
        WebSocketRoute("/deaf", _deaf),
        WebSocketRoute("/talking", _talking),
        WebSocketRoute("/sending", _sending),
        WebSocketRoute("/undecided", _undecided),
    ]
)


@asynccontextmanager
async def running(bounds: Bounds = BOUNDS, *, trusted: tuple[str, ...] = ()) -> AsyncIterator[ApiServer]:
    """A server on a free port."""
    server = ApiServer(APP, ApiSettings(trusted_proxies=list(trusted)), drain_s=4, bounds=bounds)
    serving = asyncio.create_task(server.serve())
    try:
        yield server
    finally:
        server.stop()
        await serving


class Raw(NamedTuple):
    """A connection without a library."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), SOON_S)

    async def answer(self, data: bytes) -> bytes:
        """The status line and headers that data is answered by."""
        self.writer.write(data)
        return await self.head()

    async def upgrade(self, path: bytes, headers: bytes = b"") -> bytes:
        return await self.answer(UPGRADE % (path, headers))

    def frame(self, opcode: int, data: bytes, *, is_last: bool = True) -> None:
        self.writer.write(frame(opcode, data, is_last=is_last))

    async def rest(self) -> bytes:
        """What is still sent until the server has closed."""
        try:
            return await asyncio.wait_for(self.reader.read(), SOON_S)
        except ConnectionError:
            return b""


def frame(opcode: int, data: bytes, *, is_last: bool = True) -> bytes:
    """A frame as clients send it (RFC 6455, section 5.2)."""
    if len(data) < 126:
        length = bytes([FIN | len(data)])
    elif len(data) < 2**16:
        length = bytes([FIN | 126]) + struct.pack(">H", len(data))
    else:
        length = bytes([FIN | 127]) + struct.pack(">Q", len(data))
    mask = os.urandom(4)
    keys = (mask * (len(data) // 4 + 1))[: len(data)]
    masked = (int.from_bytes(data, "big") ^ int.from_bytes(keys, "big")).to_bytes(len(data), "big")
    return bytes([opcode | (FIN if is_last else 0)]) + length + mask + masked


@asynccontextmanager
async def connected(server: ApiServer) -> AsyncIterator[Raw]:
    raw = Raw(*await asyncio.open_connection(HOST, server.port))
    try:
        yield raw
    finally:
        raw.writer.transport.abort()


async def connections(server: ApiServer, number: int) -> None:
    """Wait until the server has this number of them."""

    async def has_them() -> bool:
        return server.connections == number

    await until(has_them, f"there are {number} connections", SOON_S)
