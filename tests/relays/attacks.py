"""What hostile relays send without end, for `tests.relays.flooder`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, repeat
from typing import Any

import orjson

from tests.relays.flooder import Attack, Client
from tests.relays.hostile import Event
from tests.relays.liars import Lie
from tests.relays.raw_frames import frame, header

_BATCH_BYTES = 64 * 1024
"""Built before anything of it is sent, so that a frame of two bytes costs no call of its own."""
_TICK_S = 0.05
"""Between two batches at a rate: as even as a client can tell."""
_LIVE = "live"
"""How subscriptions for what comes from now on begin; see `producers.relay_client.client`."""

Encode = Callable[[Event, int], bytes]
Frames = Callable[[bytes], bytes]


@dataclass
class Repeated(Attack):
    """An empty relay that sends the same frame over and over once the live feed is open.

    Attributes:
        frame: what it sends.
        bytes_per_s: how much of it; None: as much as the client takes.
    """

    frame: bytes
    bytes_per_s: float | None = None

    async def asked(self, client: Client, subid: str, asked: dict[str, Any]) -> None:
        """Answer, then send."""
        await super().asked(client, subid, asked)
        if subid.startswith(_LIVE):
            rate = None if self.bytes_per_s is None else self.bytes_per_s / len(self.frame)
            await _send_all(client, repeat(self.frame), rate)


@dataclass
class Events(Attack):
    """A relay that answers with pages of its events, and sends them on the live feed over and over.

    Attributes:
        events: all that it has.
        per_s: frames in a second on the live feed; None: as many as the client takes.
        again: begin anew at the end; else an event is stored once it was sent, and sent once.
        encode: an event's bytes, by the number of the frame.
        framed: a message as frames.
    """

    events: Sequence[Event]
    per_s: float | None = None
    again: bool = True
    encode: Encode = lambda event, _number: orjson.dumps(event)
    framed: Frames = frame
    _numbers: Iterator[int] = field(default_factory=count)
    _fed: int = 0
    _lie: Lie = field(default_factory=Lie)

    async def asked(self, client: Client, subid: str, asked: dict[str, Any]) -> None:
        """Answer with a page; on the live feed go on."""
        opening = b'["EVENT",' + orjson.dumps(subid) + b","
        stored = self.events if self.again else self.events[: self._fed]
        page = (self._frame(opening, event) for event in self._lie.page(stored, asked))
        await _send_all(client, page)
        await super().asked(client, subid, asked)
        if subid.startswith(_LIVE):
            await _send_all(client, self._feed(opening), self.per_s)

    def _feed(self, opening: bytes) -> Iterator[bytes]:
        # Goes on over later connections.
        while self.again or self._fed < len(self.events):
            event = self.events[self._fed % len(self.events)]
            self._fed += 1
            yield self._frame(opening, event)

    def _frame(self, opening: bytes, event: Event) -> bytes:
        return self.framed(opening + self.encode(event, next(self._numbers)) + b"]")


@dataclass
class Halves(Attack):
    """Sends half of a message to each client, waits, and cuts it off: what was sent stands in the client's memory.

    Attributes:
        message_bytes: of the whole message.
        held_s: how long a client waits for the other half.
    """

    message_bytes: int
    held_s: float

    async def opened(self, client: Client) -> None:
        """Send the half."""
        await client.send(header(self.message_bytes) + bytes(self.message_bytes // 2))
        await asyncio.sleep(self.held_s)
        client.cut()

    async def asked(self, client: Client, subid: str, asked: dict[str, Any]) -> None:
        """Nothing can be said in the middle of a message."""


async def _send_all(client: Client, frames: Iterator[bytes], per_s: float | None = None) -> None:
    """Send frames in batches; at most so many in a second, and none more to make up for a client that was slow."""
    batch, most = bytearray(), max(1, round(per_s * _TICK_S)) if per_s is not None else None
    held, due_s = 0, time.monotonic()
    for each in frames:
        batch += each
        held += 1
        if held == most or len(batch) >= _BATCH_BYTES:
            await client.send(bytes(batch))
            if per_s is not None:
                due_s = max(due_s + held / per_s, time.monotonic() - _TICK_S)
                await asyncio.sleep(due_s - time.monotonic())
            batch, held = bytearray(), 0
    await client.send(bytes(batch))
