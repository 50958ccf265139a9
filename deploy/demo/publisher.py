"""Publishes events to a relay: `EVENT` over a websocket, counted as stored only when it answers OK (NIP-01)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from deploy.demo.events import sign_draft
from deploy.demo.scene import Author, Draft, Signed
from schemas.relay_urls.relay_url import normalize

EVENTS_PER_CONNECTION = 1000  # LocalRelay drops a connection that sends more than a few thousand messages a minute
ANSWER_S = 30.0  # a relay on this machine answers in milliseconds; beyond this it has died
AUTH_KIND = 22242  # NIP-42

Report = Callable[[str, str | None], None]
"""Called per event with its id and why it was refused, or None when it was stored."""


class Publisher:
    """Publishes to one relay, as one of `authors` where it asks: a protected event needs its author (NIP-70)."""

    def __init__(self, url: str, authors: Sequence[Author]) -> None:
        self._url = url
        # LocalRelay cannot be told its name: where it listens on every address, it takes that for its own.
        self._known_as = (url, f"ws://0.0.0.0:{normalize(url, allow_private=True).port}")
        self._authors = {author.pubkey: author for author in authors}

    async def publish(self, events: Sequence[Signed], report: Report) -> None:
        """Publish events and report on each exactly once.

        Raises:
            OSError, websockets.WebSocketException: the relay cannot be reached, went away or spoke nonsense.
            TimeoutError: it did not answer. Then as above, what was not reported on has not been answered.
        """
        protected = [event for event in events if b'["-"]' in event.wire]
        free = [event for event in events if b'["-"]' not in event.wire]
        for start in range(0, len(free), EVENTS_PER_CONNECTION):
            await self._pipeline(free[start : start + EVENTS_PER_CONNECTION], report)
        for event in protected:
            await self._as_author(event, report)

    async def _pipeline(self, events: Sequence[Signed], report: Report) -> None:
        waiting = {event.id for event in events}
        async with self._connection() as socket, asyncio.timeout(ANSWER_S):
            sending = asyncio.create_task(self._send_all(socket, events))
            try:
                while waiting:
                    event_id, stored, why = await _answer(socket)
                    if event_id in waiting:
                        waiting.discard(event_id)
                        report(event_id, None if stored else why)
            finally:
                sending.cancel()

    @staticmethod
    async def _send_all(socket: ClientConnection, events: Sequence[Signed]) -> None:
        with suppress(ConnectionClosed):  # who waits for answers hears of it
            for event in events:
                await socket.send(b'["EVENT",' + event.wire + b"]", text=True)

    async def _as_author(self, event: Signed, report: Report) -> None:
        """Publish one event on a connection of its own, as its author if the relay asks who that is."""
        async with self._connection() as socket, asyncio.timeout(ANSWER_S):
            frame = b'["EVENT",' + event.wire + b"]"
            await socket.send(frame, text=True)
            challenge, stored, why = await _answer_or_challenge(socket)
            author = self._authors.get(event.pubkey)
            if not stored and challenge and author:
                for url in self._known_as:
                    await socket.send(b'["AUTH",' + _auth_event(author, challenge, url) + b"]", text=True)
                    _, is_author, _ = await _answer(socket)
                    if is_author:
                        break
                await socket.send(frame, text=True)
                _, stored, why = await _answer(socket)
            report(event.id, None if stored else why)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[ClientConnection]:
        async with connect(self._url, compression=None, proxy=None, ping_interval=None) as socket:
            yield socket


def _auth_event(author: Author, challenge: str, url: str) -> bytes:
    tags = [["relay", url], ["challenge", challenge]]
    return sign_draft(Draft(author, AUTH_KIND, tags, ""), int(time.time())).wire


async def _answer(socket: ClientConnection) -> tuple[str, bool, str]:
    """Return id, verdict and text of the next OK."""
    while True:
        message = orjson.loads(await socket.recv(decode=False))
        if message[0] == "OK":
            return message[1], message[2], message[3]


async def _answer_or_challenge(socket: ClientConnection) -> tuple[str, bool, str]:
    """Return the challenge that came before the next OK (or ""), and that OK's verdict and text."""
    challenge = ""
    while True:
        message = orjson.loads(await socket.recv(decode=False))
        if message[0] == "AUTH":
            challenge = message[1]
        elif message[0] == "OK":
            return challenge, message[2], message[3]
