"""A relay that says what a test tells it to, whatever it is told, and what probes it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pydantic import SecretStr
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from producers.prober.dialogue import Dialogue, opened_dialogue
from producers.prober.target import Target, named_target
from producers.relay_client.dialling import Dialling, open_connection
from schemas.nostr.event import Event
from schemas.nostr.event_id import compute_id
from schemas.nostr.signature import public_key, sign
from schemas.relay_urls.relay_url import normalize
from tests.relays.hostile import Hostile, say

KEY = SecretStr("07" * 32)
AUTHOR = bytes.fromhex("03" * 32)
DIALLING = Dialling(connect_timeout_s=5, frame_max_bytes=1 << 19, ping_interval_s=60, proxies={})

Speech = Callable[["Speaking", ServerConnection, list[Any]], Awaitable[None]]


@dataclass
class Speaking(Hostile):
    """Answers each message by the speech of its verb; without one, REQ with EOSE and nothing else.

    Attributes:
        speeches: by verb.
        heard: all messages, in order.
        document: its information document.
    """

    speeches: Mapping[str, Speech] = field(default_factory=dict)
    heard: list[list[Any]] = field(default_factory=list)
    document: Mapping[str, object] | None = None

    def _handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.document is not None and "Upgrade" not in request.headers:
            response = connection.respond(HTTPStatus.OK, json.dumps(self.document))
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/nostr+json"
            return response
        return super()._handshake(connection, request)

    async def _take(self, websocket: ServerConnection, message: list[Any]) -> None:
        self.heard.append(message)
        speech = self.speeches.get(message[0])
        if speech is not None:
            await speech(self, websocket, message)
        elif message[0] == "REQ":
            await say(websocket, "EOSE", message[1])

    def of(self, verb: str) -> list[list[Any]]:
        """The messages of a verb."""
        return [message for message in self.heard if message[0] == verb]


def says(*answers: list[Any]) -> Speech:
    """Say these, with the id of the message for each `None`."""

    async def speech(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        about = message[1]["id"] if isinstance(message[1], dict) else message[1]
        for answer in answers:
            await say(websocket, *[about if part is None else part for part in answer])

    return speech


PROMPT: Mapping[str, Speech] = {
    "COUNT": says(["CLOSED", None, "unsupported: COUNT"]),
    "NEG-OPEN": says(["NEG-ERR", None, "closed: no"]),
}
"""Refuses what is optional at once: a full probe waits for no silence then."""


def signed(kind: int = 1, created_at: int = 1_700_000_000, content: str = "hello") -> dict[str, Any]:
    """A genuine event."""
    draft = Event("", public_key(AUTHOR), created_at, kind, [], content, "")
    event = draft._replace(id=compute_id(draft))
    return event._replace(sig=sign(AUTHOR, bytes.fromhex(event.id)))._asdict()


def target(url: str, *, allow_private: bool = True) -> Target:
    """A relay that a registry lets have a private address, or does not."""
    return named_target(normalize(url, allow_private=True), allow_private=allow_private)


@asynccontextmanager
async def dialogue_with(relay: Hostile, key: SecretStr | None = None) -> AsyncIterator[Dialogue]:
    """Converse with a relay."""
    connection = await open_connection(*target(relay.url), DIALLING)
    async with opened_dialogue(connection, key) as dialogue:
        yield dialogue
