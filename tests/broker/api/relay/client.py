"""A client of the relay that says what a test tells it to, and keeps what it is told."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect

from schemas.nostr.event import Event
from schemas.nostr.signing import Draft

LONGEST_S = 20
"""Nothing here takes as long: a test that waits longer has failed."""


class Client:
    """One connection."""

    def __init__(self, url: str, socket: ClientConnection) -> None:
        self.url = url
        self.socket = socket

    async def send(self, *message: Any) -> None:
        """Send a message."""
        await self.socket.send(orjson.dumps(message), text=True)

    async def receive(self) -> list[Any]:
        """The next message."""
        message: list[Any] = orjson.loads(await self.socket.recv())
        return message

    async def until(self, *verbs: str) -> list[list[Any]]:
        """All messages up to one of these verbs, and that."""
        messages = [await self.receive()]
        while messages[-1][0] not in verbs:
            messages.append(await self.receive())
        return messages

    async def ask(self, *message: Any) -> list[list[Any]]:
        """Send a message, and take all until it is answered."""
        await self.send(*message)
        return await self.until("EOSE", "CLOSED", "NOTICE", "OK", "COUNT", "NEG-ERR")

    async def events(self, *filters: Any, subid: str = "sub") -> list[Any]:
        """The stored events of a REQ, which is closed then."""
        *events, end = await self.ask("REQ", subid, *filters)
        assert end[:2] == ["EOSE", subid], end
        assert all(message[:2] == ["EVENT", subid] for message in events)
        await self.send("CLOSE", subid)
        return [message[2] for message in events]

    async def is_alive(self) -> bool:
        """Whether a message is still answered, and nothing else was."""
        return (await self.ask("COUNT", "alive", {"kinds": [65535]}))[-1][:2] == ["COUNT", "alive"]

    def proof(self, challenge: str, secret: bytes, **changes: Any) -> Event:
        """The event of an AUTH, with the changes that a test makes to it."""
        url = changes.pop("relay", self.url.replace("http", "ws") + "/")
        kind = changes.pop("kind", 22242)
        at_s = int(time.time()) + changes.pop("later_s", 0)
        tags = [["relay", url], ["challenge", challenge]]
        return Draft(kind, tags, "").signed(secret, at_s)._replace(**changes)


@asynccontextmanager
async def connected(url: str, path: str = "/", **options: Any) -> AsyncIterator[Client]:
    """Connect to a relay by the address of its API."""
    async with connect(
        url.replace("http", "ws", 1) + path, compression=None, proxy=None, max_size=2**24, **options
    ) as socket:
        yield Client(url, socket)
