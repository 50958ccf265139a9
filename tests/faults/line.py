"""A network line between services and a server that can be cut: a proxy that the services take for the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_CHUNK_BYTES = 65_536


class Line:
    """Hands bytes on between a port and a server, both ways, until it is cut."""

    def __init__(self, back: int) -> None:
        """`back` is the server's port on the loopback."""
        self._back = back
        self._whole = asyncio.Event()
        self._whole.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Hand nothing on from now on, and close nothing: neither end hears of it, as when a cable is pulled."""
        self._whole.clear()

    def mend(self) -> None:
        """Break the connections that stood there, as a host does that does not know them; new ones work."""
        for writer in list(self._writers):
            writer.transport.abort()
        self._whole.set()

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client: an `asyncio.start_server` callback."""
        self._writers.add(writer)
        with contextlib.suppress(OSError):
            await self._whole.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._back)
            self._writers.add(far_writer)
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            self._writers.discard(far_writer)
        self._writers.discard(writer)
        writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(_CHUNK_BYTES):
                await self._whole.wait()
                target.write(chunk)
                await target.drain()
        target.close()


@asynccontextmanager
async def line(front: int, back: int) -> AsyncIterator[Line]:
    """Listen on the port `front` for the length of the block, and hand on to `back`."""
    proxy = Line(back)
    server = await asyncio.start_server(proxy.join, "127.0.0.1", front)
    try:
        yield proxy
    finally:
        server.close()
        proxy.mend()
