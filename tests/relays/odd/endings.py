"""Connections that the relay ends: cut off without a word after so much, or closed with a code."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from websockets.frames import CloseCode

from tests.relays.odd.behaviour import Behaviour, Client, Gone

_TORN = b"\x81\x7e\x01\x00" + b'["EVENT","page-1",{"id":"00'
"""The beginning of a text frame of 256 bytes."""


@dataclass
class Cut(Behaviour):
    """Cuts the connection after so many events, bytes or seconds; those of the bytes end in the middle of a frame."""

    events: int | None = None
    bytes: int | None = None
    seconds: float | None = None

    async def opened(self, client: Client) -> None:
        """Set the clock."""
        if self.seconds is not None:
            client.later(self._in_time(client, self.seconds))

    async def given(self, client: Client) -> None:
        """Count."""
        if self.events is not None and client.events >= self.events:
            await client.cut(f"cut after {client.events} events")
        if self.bytes is not None and client.bytes >= self.bytes:
            await client.cut(f"cut after {client.bytes} bytes", _TORN)

    async def _in_time(self, client: Client, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await client.cut(f"cut after {seconds} s")


@dataclass
class Closes(Behaviour):
    """Closes the connection by the rules after so many events."""

    events: int
    code: CloseCode
    words: str

    async def given(self, client: Client) -> None:
        """Count."""
        if client.events >= self.events:
            client.visit.end = f"closed with {self.code} after {client.events} events"
            await client.websocket.close(self.code, self.words)
            raise Gone(client.visit.end)
