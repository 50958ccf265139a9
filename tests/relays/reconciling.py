"""A relay that speaks NIP-77 (or refuses to, in a way that a test chooses), and one side of a conversation with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection

from producers.bundler import Bundler
from producers.connector.reading.budget import Budget
from producers.connector.reading.intake import Intake
from producers.connector.reconcile.held_events import HeldEvents
from producers.rejecting import Rejections
from producers.relay_client.client import RelayClient
from producers.relay_client.dialling import Dialling, open_connection
from producers.relay_client.frames import FrameReader
from producers.send_buffer import SendBuffer
from schemas.records.bundle import BundleLine, HeldLine, decode_lines
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize
from tests.relays.hostile import Hostile, say
from tests.relays.negentropy_server import NegentropyServer
from tests.unit.producers.sender import Sender

DIALLING = Dialling(connect_timeout_s=5, frame_max_bytes=1 << 21, ping_interval_s=30, proxies={})
PARTITIONS = 4
Speech = Callable[["Reconciling", ServerConnection, list[Any]], Awaitable[None]]


@dataclass
class Reconciling(Hostile):
    """Answers NEG-OPEN and NEG-MSG by `speech`.

    Attributes:
        speech: what it does with each such message.
        frame_limit_bytes: of its messages.
        opened: filters of all NEG-OPEN.
        closed: ids of all NEG-CLOSE.
        server_side: of the exchange under way.
    """

    speech: Speech | None = None
    frame_limit_bytes: int = 0
    opened: list[dict[str, Any]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    server_side: NegentropyServer | None = None

    async def _take(self, websocket: ServerConnection, message: list[Any]) -> None:
        match message:
            case ["NEG-OPEN", str(), dict(asked), str()]:
                self.opened.append(asked)
                await (self.speech or compare)(self, websocket, message)
            case ["NEG-MSG", str(), str()]:
                await (self.speech or compare)(self, websocket, message)
            case ["NEG-CLOSE", str(subid)]:
                self.closed.append(subid)
            case _:
                await super()._take(websocket, message)


async def compare(relay: Reconciling, websocket: ServerConnection, message: list[Any]) -> None:
    """Do as the protocol says."""
    if message[0] == "NEG-OPEN":
        asked = message[2]
        relay.server_side = NegentropyServer(
            (
                (event["created_at"], bytes.fromhex(event["id"]))
                for event in relay.events
                if asked.get("since", 0) <= event["created_at"] <= asked["until"]
            ),
            relay.frame_limit_bytes,
        )
    assert relay.server_side is not None
    await say(websocket, "NEG-MSG", message[1], relay.server_side.answer(bytes.fromhex(message[-1])).hex())


def refusal(*words: object) -> Speech:
    """Say this, with the id of the exchange in the place of `SUBID`."""

    async def refuse(relay: Reconciling, websocket: ServerConnection, message: list[Any]) -> None:
        await say(websocket, *(message[1] if word == "SUBID" else word for word in words))

    return refuse


@dataclass
class Conversation:
    """A client that is read, and what came of it."""

    client: RelayClient
    held: HeldEvents
    bundler: Bundler
    sender: Sender

    async def lines(self) -> list[BundleLine | HeldLine]:
        """What went into bundles so far."""
        await self.bundler.flushed()
        found: list[BundleLine | HeldLine] = []
        for sent in self.sender.sent:
            for line in decode_lines(sent.value) if sent.topic == "bundles" else ():
                assert isinstance(line, BundleLine | HeldLine), line
                found.append(line)
        return found


@asynccontextmanager
async def conversation(relay_url: str, *, refused_bytes: int = 1 << 30) -> AsyncIterator[Conversation]:
    """Talk to a relay on a connection of its own, without Kafka."""
    url = normalize(relay_url, allow_private=True)
    record = RelayRecord(url=url.url, network=url.network, source="test", allow_private=True, updated_at_ms=0)
    sender = Sender(at_once=True)
    send_buffer = SendBuffer(sender, 1 << 30)
    bundler = Bundler(send_buffer, "bundles", PARTITIONS)
    rejections = Rejections(send_buffer, "rejections", PARTITIONS, "connector")
    taking = Intake(url.url, bundler, rejections, Budget(refused_bytes, 1 << 30))
    connection = await open_connection(record, url, DIALLING)
    client = RelayClient(url.url, connection, FrameReader(taking), send_buffer)
    running = [asyncio.create_task(client.read()), asyncio.create_task(send_buffer.run())]
    try:
        async with asyncio.timeout(60):
            yield Conversation(client, HeldEvents(url.url, bundler, send_buffer), bundler, sender)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await connection.close()
