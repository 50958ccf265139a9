"""A client that asks one thing and notes what comes, word for word."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from schemas.nostr.event import Event, encode_event
from schemas.nostr.event_id import compute_id
from schemas.nostr.kinds import AUTH_KIND
from schemas.nostr.signature import public_key, sign
from tests.relays.odd.behaviour import Behaviour
from tests.relays.odd.relay import OddRelay, serving

SECRET = (5).to_bytes(32)
QUIET_S = 0.15
"""A relay on loopback answers in a millisecond."""
PATIENCE_S = 10.0


class Asker:
    """A connection of the client."""

    def __init__(self, socket: ClientConnection, url: str) -> None:
        self.socket = socket
        self._url = url
        self.challenge = ""

    async def send(self, subid: str = "a", **wanted: Any) -> None:
        """Send a REQ."""
        await self.socket.send(orjson.dumps(["REQ", subid, wanted]), text=True)

    async def ask(self, subid: str = "a", **wanted: Any) -> list[list[Any]]:
        """Send a REQ; what comes until it is answered or refused."""
        await self.send(subid, **wanted)
        return await self.hear("EOSE", "CLOSED", "NOTICE", "OK")

    async def ids(self, subid: str = "a", **wanted: Any) -> list[str]:
        """Send a REQ and return the ids of what comes."""
        return [message[2]["id"] for message in await self.ask(subid, **wanted) if message[0] == "EVENT"]

    async def close(self, subid: str = "a") -> None:
        """Send a CLOSE."""
        await self.socket.send(orjson.dumps(["CLOSE", subid]), text=True)

    async def sign_in(self, *, challenge: str | None = None) -> bool:
        """Answer the newest challenge; whether the relay takes it."""
        tags = [["relay", self._url], ["challenge", self.challenge if challenge is None else challenge]]
        event = Event("", public_key(SECRET), int(time.time()), AUTH_KIND, tags, "", "")
        event_id = compute_id(event)
        event = event._replace(id=event_id, sig=sign(SECRET, bytes.fromhex(event_id)))
        await self.socket.send(b'["AUTH",' + encode_event(event) + b"]", text=True)
        return bool((await self.hear("OK"))[-1][2])

    async def hear(self, *last: str) -> list[list[Any]]:
        """Take messages until one begins with one of these words."""
        heard: list[list[Any]] = []
        async with asyncio.timeout(PATIENCE_S):
            while not heard or heard[-1][0] not in last:
                heard.append(orjson.loads(await self.socket.recv()))
                if heard[-1][0] == "AUTH":
                    self.challenge = heard[-1][1]
        return heard

    async def is_quiet(self) -> bool:
        """Whether nothing comes for a while."""
        try:
            async with asyncio.timeout(QUIET_S):
                await self.socket.recv()
        except TimeoutError:
            return True
        return False

    async def until_gone(self) -> list[list[Any]]:
        """Take messages until the connection ends."""
        heard = []
        async with asyncio.timeout(PATIENCE_S):
            try:
                while True:
                    heard.append(orjson.loads(await self.socket.recv()))
            except ConnectionClosed:
                return heard


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        """Raise what is a redirect."""
        return exc


@asynccontextmanager
async def asked(events: list[dict[str, Any]], *behaviours: Behaviour) -> AsyncIterator[tuple[OddRelay, Asker]]:
    """Serve a relay and connect to it."""
    async with serving(OddRelay(events, *behaviours)) as relay, connecting(relay) as asker:
        yield relay, asker


@asynccontextmanager
async def connecting(relay: OddRelay, url: str | None = None) -> AsyncIterator[Asker]:
    """Connect to a relay; redirects are not followed."""
    async with _Connect(url or relay.url, compression=None, proxy=None, max_size=None) as socket:
        yield Asker(socket, relay.url)
