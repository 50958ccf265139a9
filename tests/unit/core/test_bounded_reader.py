"""What is read of the archive for work that goes on without it never ends that work."""

from __future__ import annotations

import asyncio
import logging
import struct
from asyncio import StreamReader, StreamWriter

from pydantic import SecretStr

from core.archive.bounded_reader import BoundedReader, Wording
from core.settings import Settings


def message(kind: bytes, content: bytes) -> bytes:
    """A message of PostgreSQL's protocol, version 3."""
    return kind + struct.pack(">I", 4 + len(content)) + content


LET_IN = b"".join(
    (
        message(b"R", struct.pack(">I", 0)),
        message(b"S", b"server_version\x0016.1\x00"),
        message(b"K", struct.pack(">II", 1, 1)),
        message(b"Z", b"I"),
    )
)
ENDED = message(b"E", b"SFATAL\x00C57P01\x00Mterminating connection due to administrator command\x00\x00")


async def test_a_connection_that_the_server_has_just_ended_gives_no_answer() -> None:
    closed = asyncio.Event()

    async def end_at_once(reader: StreamReader, writer: StreamWriter) -> None:
        """Let a client in and end its idle session, before it has noticed the end of the socket."""
        (size,) = struct.unpack(">I", await reader.readexactly(4))
        await reader.readexactly(size - 4)
        writer.write(LET_IN + ENDED)
        await reader.read()
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with await asyncio.start_server(end_at_once, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        dsn = SecretStr(f"postgresql://reader:none@127.0.0.1:{port}/archive?sslmode=disable")
        reader = BoundedReader(Settings(postgres={"dsn": dsn}), Wording("", ""), logging.getLogger(__name__))
        assert await reader.fetch("SELECT 1") is None
        assert reader.left_alone
        await reader.close()
        await asyncio.wait_for(closed.wait(), 30)
