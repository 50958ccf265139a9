"""A relay that serves whatever bytes a test gives it, valid or not, in the order given, and behaves well otherwise."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError


class ScriptedRelay:
    """Stored events as verbatim bytes; `push` sends one more to every open subscription."""

    def __init__(self, stored: Sequence[bytes]) -> None:
        self.url = ""
        self.requests: list[dict[str, Any]] = []
        self._stored = list(stored)
        self._subscriptions: list[tuple[ServerConnection, bytes]] = []

    async def push(self, event: bytes) -> None:
        """Store an event and send it to every subscriber."""
        self._stored.append(event)
        for socket, subscription in self._subscriptions:
            await socket.send(_frame(subscription, event), text=True)

    async def handle(self, socket: ServerConnection) -> None:
        """Speak NIP-01 with one client."""
        with contextlib.suppress(ConnectionClosedError):
            await self._converse(socket)
        self._subscriptions = [open_ for open_ in self._subscriptions if open_[0] is not socket]

    async def _converse(self, socket: ServerConnection) -> None:
        async for frame in socket:
            verb, *rest = orjson.loads(frame)
            if verb == "REQ":
                subscription, filters = orjson.dumps(rest[0]), rest[1]
                self.requests.append(filters)
                for event in self._matching(filters):
                    await socket.send(_frame(subscription, event), text=True)
                await socket.send(b'["EOSE",' + subscription + b"]", text=True)
                self._subscriptions.append((socket, subscription))
            elif verb == "CLOSE":
                closed = orjson.dumps(rest[0])
                self._subscriptions = [open_ for open_ in self._subscriptions if open_ != (socket, closed)]
            else:
                await socket.send('["NOTICE","ERROR: bad msg: unknown cmd"]')

    def _matching(self, wanted: dict[str, Any]) -> list[bytes]:
        """Return what lies between `since` and `until`, newest first, in the given order where times are equal."""
        times = [(orjson.loads(event)["created_at"], event) for event in self._stored]
        since, until = wanted.get("since", 0), wanted.get("until", 2**63)
        chosen = [(created_at, event) for created_at, event in times if since <= created_at <= until]
        chosen.sort(key=lambda pair: -pair[0])
        return [event for _, event in chosen[: wanted.get("limit", 500)]]


@asynccontextmanager
async def scripted_relay(stored: Sequence[bytes] = ()) -> AsyncIterator[ScriptedRelay]:
    """Run a scripted relay on a free loopback port; its `url` is as it is spelled on every topic."""
    relay = ScriptedRelay(stored)
    async with serve(relay.handle, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        relay.url = f"ws://127.0.0.1:{port}"
        yield relay


def _frame(subscription: bytes, event: bytes) -> bytes:
    return b'["EVENT",' + subscription + b"," + event + b"]"
