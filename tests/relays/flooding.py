"""A relay that opens websockets and then sends the same bytes without end, whatever it is told, and reads nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection, serve

_AT_ONCE_BYTES = 256 << 10
"""As much as asyncio reads at once."""

_SMALL_BUFFER_BYTES = 4096
"""Of the kernel, so that little is taken of what a client goes on to say."""


@dataclass
class Flooding:
    """A relay that floods.

    Attributes:
        url: where it listens.
        connections: handshakes so far.
        sent_bytes: over all of them.
    """

    url: str = ""
    connections: int = 0
    sent_bytes: int = 0


@asynccontextmanager
async def flooding(frames: bytes, first: bytes = b"", *, once: bool = False) -> AsyncIterator[Flooding]:
    """Run a relay on a free loopback port.

    Args:
        frames: sent again and again.
        first: sent before.
        once: whether only `first` is sent, and the connection stays open.
    """
    relay = Flooding()
    block = frames * max(1, _AT_ONCE_BYTES // max(1, len(frames)))

    async def flood(websocket: ServerConnection) -> None:
        relay.connections += 1
        # The client's close is not answered either.
        websocket.transport.pause_reading()
        with contextlib.suppress(ConnectionError):
            websocket.transport.write(first)
            relay.sent_bytes += len(first)
            while not websocket.transport.is_closing():
                if once:
                    await asyncio.sleep(0.01)
                    continue
                websocket.transport.write(block)
                relay.sent_bytes += len(block)
                await websocket.drain()
                await asyncio.sleep(0)
        websocket.transport.abort()

    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER_BYTES)
    listening.bind(("127.0.0.1", 0))
    relay.url = f"ws://127.0.0.1:{listening.getsockname()[1]}"
    async with serve(flood, sock=listening, compression=None, close_timeout=0.1, ping_interval=None) as server:
        try:
            yield relay
        finally:
            for websocket in server.connections:
                websocket.transport.abort()
