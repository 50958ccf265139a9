"""Servers below the websocket: bare TCP, TLS with a certificate of any kind, and names without a server."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import chain, repeat

from tests.broker.secured.certificates import Pair
from tests.relays.probed.case import Ground, Serve
from tests.relays.probed.member import Member
from tests.relays.stubborn import Way, stubborn

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
DRIP_S = 0.02
"""Between two bytes: slow enough for none of what drips to come to its end."""


@asynccontextmanager
async def talking(talk: Talk, scheme: str = "ws") -> AsyncIterator[str]:
    """A TCP server that says what it is told to, until the client has gone."""
    talks: set[asyncio.Task[None] | None] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.current_task())
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    try:
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*filter(None, talks))


def raw(talk: Talk, scheme: str = "ws") -> Serve:
    """Serve bare TCP."""

    @asynccontextmanager
    async def serve(_ground: Ground) -> AsyncIterator[str]:
        async with talking(talk, scheme) as url:
            yield url

    return serve


def saying(text: bytes) -> Talk:
    """Say this to the first that the client says, and hang up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)
        writer.write(text)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return talk


def dripping(text: bytes) -> Talk:
    """Say this byte by byte, and the last one over and over."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in chain(text, repeat(text[-1])):
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(DRIP_S)

    return talk


async def hang_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Accept, and drop."""


@asynccontextmanager
async def nothing_listens(_ground: Ground) -> AsyncIterator[str]:
    """A port that is taken, so that no other process listens there."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"ws://127.0.0.1:{closed.getsockname()[1]}"


def named(host: str, *, silent: bool = False, failing: bool = False, addresses: list[str] | None = None) -> Serve:
    """A name, and what its name server says."""

    @asynccontextmanager
    async def serve(ground: Ground) -> AsyncIterator[str]:
        if addresses is not None:
            ground.names.answers[host] = addresses
        if silent:
            ground.names.silent.add(host)
        if failing:
            ground.names.failing.add(host)
        yield f"ws://{host}"

    return serve


def url_of(url: str) -> Serve:
    """A URL at which there is nothing."""

    @asynccontextmanager
    async def serve(_ground: Ground) -> AsyncIterator[str]:
        yield url

    return serve


def over_tls(host: str, sign: Callable[[Ground], Pair]) -> Serve:
    """A relay with a certificate, at a name or an address."""

    @asynccontextmanager
    async def serve(ground: Ground) -> AsyncIterator[str]:
        pair = sign(ground)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
        ground.names.answers[host] = ["127.0.0.1"]
        async with Member(tls=context) as member:
            yield member.url.replace("127.0.0.1", host)

    return serve


def stubbornly(way: Way) -> Serve:
    """A relay that does not let go."""

    @asynccontextmanager
    async def serve(_ground: Ground) -> AsyncIterator[str]:
        async with stubborn(way, {}) as relay:
            yield relay.url

    return serve
