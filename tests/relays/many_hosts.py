"""Any number of relays on one port of this machine, each at a loopback address of its own; they count who comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web


@dataclass
class ManyHosts:
    """What the relays have met.

    Attributes:
        port: of all.
        document: the information document that each gives; None: none.
        opened: websockets so far, by host.
        open: websockets and requests that are open now, by host.
        most: the most that were open at once, of all relays and of any one host.
        holding: relays say nothing while this is set, and keep their sockets.
    """

    port: int = 0
    document: str | None = None
    opened: Counter[str] = field(default_factory=Counter)
    open: Counter[str] = field(default_factory=Counter)
    most: int = 0
    most_of_host: int = 0
    holding: bool = False

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
                return web.Response(text=self.document, content_type="application/nostr+json")
            self.opened[host] += 1
            websocket = web.WebSocketResponse()
            await websocket.prepare(request)
            async for message in websocket:
                if message.type is WSMsgType.TEXT and not self.holding:
                    asked = message.json()
                    if asked[0] == "REQ":
                        await websocket.send_json(["EOSE", asked[1]])
            return websocket
        finally:
            self.open[host] -= 1


@asynccontextmanager
async def many_hosts(document: str | None = None) -> AsyncIterator[ManyHosts]:
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
