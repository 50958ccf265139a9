"""A websocket server that sends as much as a client takes: bytes that are built ahead, without a library in between.

`Flooder` speaks as much of the protocol as keeps a connection open, and leaves to an `Attack` what is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.http11 import Request
from websockets.server import ServerProtocol

from tests.relays.raw_frames import Opcode, frame, read_frame

_BACKLOG = 1024
"""Connections that wait to be accepted: a thousand come at once."""
_ENDS = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


@dataclass
class Account:
    """What a flooder did so far."""

    connections: int = 0
    requests: int = 0
    sent_bytes: int = 0


class Client:
    """One client of a flooder."""

    def __init__(self, writer: asyncio.StreamWriter, account: Account) -> None:
        self._writer = writer
        self._account = account

    async def send(self, data: bytes) -> None:
        """Send these bytes as they are, and wait until the client has taken most of them."""
        # At once, since another answer must not come into the middle, and a cancelled one must not end there.
        self._writer.write(data)
        await self._writer.drain()
        self._account.sent_bytes += len(data)
        # A client that takes everything would leave no turn to the reading.
        await asyncio.sleep(0)

    async def say(self, *message: object) -> None:
        """Send a message of NIP-01."""
        await self.send(frame(json.dumps(message, separators=(",", ":")).encode()))

    def cut(self) -> None:
        """End the connection without a word."""
        self._writer.transport.abort()


class Attack:
    """What a flooder sends. By itself it is a relay that has no events."""

    async def opened(self, client: Client) -> None:
        """A connection was opened, and nothing is asked yet."""

    async def asked(self, client: Client, subid: str, asked: dict[str, Any]) -> None:
        """Answer a REQ; cancelled by CLOSE and at the end of the connection."""
        await client.say("EOSE", subid)


@dataclass
class Flooder:
    """A flooder that runs: where it listens, and what it did."""

    attack: Attack
    urls: list[str] = field(default_factory=list)
    account: Account = field(default_factory=Account)
    open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client until it goes or is cut off."""
        client = Client(writer, self.account)
        tasks: dict[str, asyncio.Task[None]] = {}
        self.open[writer] = asyncio.current_task()
        try:
            await _shake_hands(reader, writer)
            self.account.connections += 1
            tasks["opened"] = asyncio.create_task(self.attack.opened(client))
            await self._converse(reader, client, tasks)
        except _ENDS:
            pass
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
            writer.transport.abort()
            del self.open[writer]

    async def _converse(
        self, reader: asyncio.StreamReader, client: Client, tasks: dict[str, asyncio.Task[None]]
    ) -> None:
        while True:
            opcode, payload = await read_frame(reader)
            if opcode == Opcode.PING:
                await client.send(frame(payload, Opcode.PONG))
            elif opcode == Opcode.CLOSE:
                await client.send(frame(payload, Opcode.CLOSE))
                return
            elif opcode == Opcode.TEXT:
                self._take(client, json.loads(payload), tasks)

    def _take(self, client: Client, message: list[Any], tasks: dict[str, asyncio.Task[None]]) -> None:
        match message:
            case ["REQ", str(subid), dict(asked)]:
                self.account.requests += 1
                tasks[subid] = asyncio.create_task(self.attack.asked(client, subid, asked))
            case ["CLOSE", str(subid)] if subid in tasks:
                tasks.pop(subid).cancel()


@asynccontextmanager
async def flooder(
    attack: Attack, hosts: Sequence[str] = ("127.0.0.1",), paths: Sequence[str] = ("",)
) -> AsyncIterator[Flooder]:
    """Run a flooder on one free port of these loopback addresses; each host with each path is a URL of it."""
    running = Flooder(attack)
    server = await asyncio.start_server(running.serve, hosts[0], 0, backlog=_BACKLOG)
    port = server.sockets[0].getsockname()[1]
    servers = [server]
    if hosts[1:]:
        servers.append(await asyncio.start_server(running.serve, hosts[1:], port, backlog=_BACKLOG))
    running.urls = [f"ws://{host}:{port}{path}" for host in hosts for path in paths]
    try:
        yield running
    finally:
        for each in servers:
            each.close()
        serving = [task for task in running.open.values() if task is not None]
        for writer in running.open:
            writer.transport.abort()
        await asyncio.gather(*serving)


async def _shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    protocol = ServerProtocol()
    protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
    with contextlib.suppress(StopIteration):
        request = next(event for event in protocol.events_received() if isinstance(event, Request))
        protocol.send_response(protocol.accept(request))
    writer.write(b"".join(protocol.data_to_send()))
    await writer.drain()
