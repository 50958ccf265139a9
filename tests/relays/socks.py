"""A SOCKS5 proxy (RFC 1928, without authentication) that stands for an overlay network: every name leads to one port.

Tor cannot be had in a test; what is proved with this is that names go to the proxy unresolved, and nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.proxy import pump

_GREETING = 2  # version and number of methods
_REQUEST = 4  # version, command, reserved, address type
_NO_AUTHENTICATION = b"\x05\x00"
_BY_NAME = 3
_GRANTED = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00"


@asynccontextmanager
async def socks_proxy(target_port: int) -> AsyncIterator[tuple[str, list[str]]]:
    """Run a proxy on a free loopback port; yields its URL and the names that it was asked for."""
    asked: list[str] = []
    pipes: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(_GREETING)
        await reader.readexactly(methods)
        writer.write(_NO_AUTHENTICATION)
        *_, kind = await reader.readexactly(_REQUEST)
        assert kind == _BY_NAME, "an address was resolved before it came to the proxy"
        (length,) = await reader.readexactly(1)
        asked.append((await reader.readexactly(length)).decode())
        await reader.readexactly(2)
        there, back = await asyncio.open_connection("127.0.0.1", target_port)
        writer.write(_GRANTED)
        pipes.add(asyncio.create_task(pump(reader, back)))
        pipes.add(asyncio.create_task(pump(there, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"socks5://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()
        for pipe in pipes:
            pipe.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)
