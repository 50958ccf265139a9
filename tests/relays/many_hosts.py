"""Any number of relays on one port of this machine, each at a loopback address of its own; they count who comes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web


@dataclass
class ManyHosts:
    """What the relays have met.

    Attributes:
        port: of all.
        document: the information document that the relay of a host gives; None: none does.
        opened: websockets so far, by host.
        open: websockets and requests that are open now, by host.
        most: the most that were open at once, of all relays and of any one host.
        holding: relays say nothing while this is set, and keep their sockets.
        wave: so many relays must have been asked before any of them gives its first answer; 0: each answers at once.
        waves: how often that was so.
        answered: hosts of relays that were asked.
    """

    port: int = 0
    document: Callable[[str], str] | None = None
    opened: Counter[str] = field(default_factory=Counter)
    open: Counter[str] = field(default_factory=Counter)
    most: int = 0
    most_of_host: int = 0
    holding: bool = False
    wave: int = 0
    waves: int = 0
    answered: set[str] = field(default_factory=set)
    _at_gate: int = 0
    _gate: asyncio.Event = field(default_factory=asyncio.Event)

    def urls(self, count: int) -> list[str]:
        """So many relays."""
        return [f"ws://127.1.{number >> 8}.{number & 255}:{self.port}" for number in range(1, count + 1)]

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve as a relay without events does."""
        host = request.host.partition(":")[0]
        self.open[host] += 1
        self.most = max(self.most, self.open.total())
        self.most_of_host = max(self.most_of_host, self.open[host])
        try:
            if request.headers.get("Upgrade") is None:
                if self.document is None:
                    return web.Response(status=404)
                return web.Response(text=self.document(host), content_type="application/nostr+json")
            self.opened[host] += 1
            websocket = web.WebSocketResponse()
            await websocket.prepare(request)
            async for message in websocket:
                if message.type is WSMsgType.TEXT and not self.holding:
                    await self._say(websocket, host, message.json())
            return websocket
        finally:
            self.open[host] -= 1

    async def _say(self, websocket: web.WebSocketResponse, host: str, asked: list[str]) -> None:
        match asked[0]:
            case "REQ":
                if self.wave and host not in self.answered:
                    self.answered.add(host)
                    await self._wave()
                await websocket.send_json(["EOSE", asked[1]])
            case "NEG-OPEN":
                await websocket.send_json(["NEG-ERR", asked[1], "blocked: not here"])
            case "COUNT":
                await websocket.send_json(["CLOSED", asked[1], "unsupported: not here"])

    async def _wave(self) -> None:
        """Wait until as many relays were asked as make a wave."""
        gate = self._gate
        self._at_gate += 1
        if self._at_gate == self.wave:
            self._at_gate, self._gate = 0, asyncio.Event()
            self.waves += 1
            gate.set()
        await gate.wait()


@asynccontextmanager
async def many_hosts(document: Callable[[str], str] | None = None) -> AsyncIterator[ManyHosts]:
    """Serve on all loopback addresses (127.0.0.0/8)."""
    relays = ManyHosts(document=document)
    runner = web.ServerRunner(web.Server(relays.answer), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "0.0.0.0", 0, backlog=1024).start()
        relays.port = runner.addresses[0][1]
        yield relays
    finally:
        await runner.cleanup()
