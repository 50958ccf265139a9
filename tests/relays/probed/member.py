"""A relay with an information document, which takes events and gives them back: honest, unless it is told otherwise."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from tests.relays.hostile import Event, Hostile, say
from tests.relays.liars import written

NOW_S = 1_790_000_000
_DRIP_BUFFER_BYTES = 64 * 1024
"""Of what is written on and not yet taken: the rest waits for the client."""
_PIECE_S = 0.005
"""Between two pieces: an endless answer is no race for the core."""


class Page(NamedTuple):
    """An answer of HTTP."""

    body: bytes = b""
    status: int = HTTPStatus.OK
    content_type: str = "application/nostr+json"
    headers: Mapping[str, str] = {}

    def response(self) -> Response:
        """As it is sent."""
        headers = Headers({"Content-Type": self.content_type, "Content-Length": str(len(self.body)), **self.headers})
        return Response(int(self.status), HTTPStatus(self.status).phrase, headers, self.body)


def fields(**headers: str) -> dict[str, str]:
    """Headers, whose names have `_` for `-` here."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


Speech = Callable[["Member", ServerConnection, list[Any]], Awaitable[None]]
Raw = Callable[["Member", ServerConnection], Awaitable[None]]


@dataclass
class Member(Hostile):
    """A relay that is to be probed.

    Attributes:
        page: the answer to GET that is no handshake; None: HTTP 426.
        raw: what is done to such a GET instead, on the bare connection.
        wall: the answer to each handshake; None: it is accepted.
        verbs: what is done on messages, by their verb.
        most: events in one answer.
        written: bytes of `raw` so far.
    """

    page: Page | None = None
    raw: Raw | None = None
    wall: Page | None = None
    verbs: Mapping[str, Speech] = field(default_factory=dict)
    most: int = 500
    written: int = 0
    heard: list[str] = field(default_factory=list)

    async def _handshake(self, connection: ServerConnection, request: Request) -> Response | None:  # type: ignore[override]
        if "Upgrade" in request.headers:
            return super()._handshake(connection, request) if self.wall is None else self.wall.response()
        if self.raw is not None:
            await self.raw(self, connection)
            connection.transport.abort()
        return connection.respond(HTTPStatus.UPGRADE_REQUIRED, "") if self.page is None else self.page.response()

    async def _take(self, websocket: ServerConnection, message: list[Any]) -> None:
        verb = message[0]
        self.heard.append(verb)
        if verb in self.verbs:
            await self.verbs[verb](self, websocket, message)
        elif verb == "REQ" and self.answer is None:
            self.requests.append(message[2])
            for event in self.fitting(message[2]):
                await say(websocket, "EVENT", message[1], event)
            await say(websocket, "EOSE", message[1])
        elif verb == "EVENT":
            self.events = [*self.events, message[1]]
            await say(websocket, "OK", message[1]["id"], True, "")
        elif verb == "COUNT":
            await say(websocket, "CLOSED", message[1], "unsupported: COUNT")
        elif verb == "NEG-OPEN":
            await say(websocket, "NOTICE", "ERROR: bad msg: unknown cmd")
        else:
            await super()._take(websocket, message)

    def fitting(self, asked: Mapping[str, Any]) -> list[Event]:
        """What is asked for, as far as this relay gives it."""
        found = [
            event
            for event in self.events
            if all(event[member] in asked.get(f"{member}s", (event[member],)) for member in ("kind", "id"))
            and asked.get("since", 0) <= event["created_at"] <= asked.get("until", 2**63)
        ]
        found.sort(key=lambda event: -event["created_at"])
        return found[: min(self.most, asked.get("limit", self.most))]


def says(*answers: list[Any]) -> Speech:
    """Say these; None stands for the id of what is answered."""

    async def speech(_member: Member, websocket: ServerConnection, message: list[Any]) -> None:
        about = message[1]["id"] if isinstance(message[1], dict) else message[1]
        for answer in answers:
            await say(websocket, *[about if part is None else part for part in answer])

    return speech


def frames(*answers: str | bytes) -> Speech:
    """Send these, which need not be JSON."""

    async def speech(_member: Member, websocket: ServerConnection, _message: list[Any]) -> None:
        for answer in answers:
            await websocket.send(answer)

    return speech


def notes(count: int, kind: int = 1) -> list[Event]:
    """Genuine events."""
    return [written(NOW_S - number, kind, 1, number) for number in range(count)]


def document(**members: object) -> Page:
    """An information document."""
    return Page(json.dumps({"name": "a relay to probe", **members}).encode())


def limited(**limitation: object) -> Page:
    """An information document that tells of limits."""
    return document(limitation=limitation)


async def write_on(member: Member, connection: ServerConnection, head: bytes, piece: bytes) -> None:
    """Write a head, and a piece again and again until the client has gone."""
    transport = connection.transport
    transport.write(head)
    while not transport.is_closing():
        if transport.get_write_buffer_size() < _DRIP_BUFFER_BYTES:
            transport.write(piece)
            member.written += len(piece)
        await asyncio.sleep(_PIECE_S)
