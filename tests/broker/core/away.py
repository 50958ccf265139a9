"""Servers that are away for a while: a broker whose process is stopped, and an address where nobody listens yet."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psutil


@contextmanager
def paused(bootstrap_servers: str) -> Iterator[None]:
    """Stop the broker's process for the length of the block: connections stay open, and nothing answers."""
    port = int(bootstrap_servers.rsplit(":", 1)[1])
    (pid,) = {
        found.pid
        for found in psutil.net_connections("tcp")
        if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid
    }
    process = psutil.Process(pid)
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def free_port() -> int:
    """Name a port on loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def forwarding(port: int, to_port: int) -> AsyncIterator[None]:
    """Hand every connection to `port` on to `to_port` for the length of the block."""
    pumps: set[asyncio.Task[None]] = set()
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", to_port)
        writers.update((writer, there_writer))
        for source, target in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(_pump(source, target))
            pumps.add(task)
            task.add_done_callback(pumps.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for task in list(pumps):
            task.cancel()
        for writer in writers:
            writer.close()
        await asyncio.gather(*pumps, *(writer.wait_closed() for writer in writers), return_exceptions=True)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(65_536):
            target.write(chunk)
            await target.drain()
    with contextlib.suppress(OSError):
        target.close()
        await target.wait_closed()
