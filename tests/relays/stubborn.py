"""Relays that let a client in and then do not let it go, each in one way.

They speak NIP-01 well enough to be live: EOSE for every REQ, and one event on the live one.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Event
from websockets.server import ServerProtocol

_SMALL_BUFFER_BYTES = 4096
"""Of the kernel, so that little is taken of what a client goes on to say."""


class Way(StrEnum):
    """How a relay does not let go."""

    NO_CLOSE = "no answer to a close"
    NO_END = "an answer to a close, and the socket stays open"
    NO_READING = "nothing is read any more"
    NO_HANDSHAKE = "nothing is said at all"
    NO_TLS = "nothing is said to a client that begins TLS"


SILENT = (Way.NO_HANDSHAKE, Way.NO_TLS)


@dataclass
class Stubborn:
    """A stubborn relay that runs.

    Attributes:
        live: connections that have an open subscription, or that only stand open where the relay says nothing.
        url: where it listens.
    """

    way: Way
    event: dict[str, object]
    url: str = ""
    live: int = 0
    clients: list[_Client] = field(default_factory=list)


class _Client(asyncio.Protocol):
    def __init__(self, relay: Stubborn) -> None:
        self._relay = relay
        self._protocol = ServerProtocol(max_size=1 << 20)
        self.transport: asyncio.Transport
        self._live = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._relay.clients.append(self)
        if self._relay.way in SILENT:
            self._relay.live += 1

    def eof_received(self) -> bool:
        return True  # stay open

    def data_received(self, data: bytes) -> None:
        if self._relay.way in SILENT:
            return
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            self._take(event)
        if self._relay.way is not Way.NO_CLOSE or self._protocol.close_rcvd is None:
            self._send()

    def _take(self, event: Event) -> None:
        if isinstance(event, Request):
            self._protocol.send_response(self._protocol.accept(event))
        elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
            verb, *rest = json.loads(bytes(event.data))
            if verb == "REQ":
                self._answer(rest[0])

    def _answer(self, subid: str) -> None:
        if subid.startswith("live") and not self._live:
            self._live = True
            self._relay.live += 1
            self._protocol.send_text(json.dumps(["EVENT", subid, self._relay.event]).encode())
        self._protocol.send_text(json.dumps(["EOSE", subid]).encode())
        if self._relay.way is Way.NO_READING:
            self.transport.pause_reading()

    def _send(self) -> None:
        # Without what would end the connection: an empty piece of data.
        self.transport.writelines([piece for piece in self._protocol.data_to_send() if piece])


@asynccontextmanager
async def stubborn(way: Way, event: dict[str, object]) -> AsyncIterator[Stubborn]:
    """Run a stubborn relay on a free loopback port."""
    relay = Stubborn(way, event)
    listening = socket.socket()
    if way is Way.NO_READING:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER_BYTES)
    listening.bind(("127.0.0.1", 0))
    server = await asyncio.get_running_loop().create_server(lambda: _Client(relay), sock=listening, backlog=2048)
    relay.url = f"{'wss' if way is Way.NO_TLS else 'ws'}://127.0.0.1:{listening.getsockname()[1]}"
    try:
        yield relay
    finally:
        for client in relay.clients:
            client.transport.abort()
        server.close()
        await server.wait_closed()
