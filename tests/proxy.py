"""A TCP proxy that clients take for a server, so that a server can hang, be away and come back at a test's word."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_CHUNK_BYTES = 65_536

Address = tuple[str, int] | Path
"""Host and port of a server, or its Unix socket."""


class Proxy:
    """Hands bytes on between a port of the loopback and a server, both ways; `proxy` makes one that does."""

    def __init__(self, server: Address, port: int = 0) -> None:
        """Port 0 is a free one; `port` names it once the proxy listens, and it stays the same."""
        self.port = port
        self._server = server
        self._listener: asyncio.Server | None = None
        self._passing = asyncio.Event()
        self._joined: set[asyncio.Task[None]] = set()

    def hold(self) -> None:
        """Hand nothing on from now on, and close nothing: neither end hears of it, as when a cable is pulled."""
        self._passing.clear()

    async def refuse(self) -> None:
        """Break every connection and refuse new ones, as the host of a server does that has ended."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self._break()

    async def restore(self) -> None:
        """Break the connections that stood there, as a host does that does not know them; new ones work."""
        await self._break()
        self._passing.set()
        if self._listener is None:
            self._listener = await asyncio.start_server(self._join, "127.0.0.1", self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _break(self) -> None:
        await asyncio.sleep(0)  # what was accepted just now joins first
        joined = list(self._joined)
        for task in joined:
            task.cancel()
        await asyncio.gather(*joined, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._joined.add(task)
        task.add_done_callback(self._joined.discard)
        writers = [writer]
        try:
            await self._passing.wait()
            far_reader, far_writer = await self._dial()
            writers.append(far_writer)
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        except (OSError, asyncio.CancelledError):
            for each in writers:
                each.transport.abort()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._server, Path):
            return await asyncio.open_unix_connection(self._server)
        return await asyncio.open_connection(*self._server)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        await pump(source, target, self._passing)


async def pump(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, passing: asyncio.Event | None = None
) -> None:
    """Hand bytes on in one direction until either end closes, and close the target; only while `passing` is set."""
    try:
        with contextlib.suppress(OSError):
            while chunk := await source.read(_CHUNK_BYTES):
                if passing is not None:
                    await passing.wait()
                target.write(chunk)
                await target.drain()
    finally:
        target.close()


@asynccontextmanager
async def proxy(server: Address, port: int = 0) -> AsyncIterator[Proxy]:
    """Listen for the length of the block, and hand on to the server."""
    made = Proxy(server, port)
    await made.restore()
    try:
        yield made
    finally:
        await made.refuse()
