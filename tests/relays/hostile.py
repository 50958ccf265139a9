"""A real websocket server that behaves as badly as relays in the wild do, or worse, one way at a time.

`Hostile` serves stored events by NIP-01 unless its behaviour says otherwise, and remembers what it was asked.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Event = dict[str, Any]
Answer = Callable[["Hostile", ServerConnection, str, dict[str, Any]], Awaitable[None]]
Refusal = tuple[HTTPStatus, Mapping[str, str]]
PAGE_CAP = 100


@dataclass
class Hostile:
    """A relay with stored events and one behaviour; an async context manager.

    Attributes:
        events: what it has stored.
        answer: what it does on a REQ.
        refusals: HTTP status and headers of the first handshakes; afterwards it accepts.
        refuse: the same by what is asked for, path and query; None accepts.
        host: the loopback address that it listens on.
        drop_after_accept: close the socket right after the handshake.
        connections: handshakes so far, refused ones included.
        targets: path and query of each of them.
        requests: filters of all REQs.
        tls: what it speaks TLS with; None: it does not.
        authenticated: whether a client has answered AUTH.
    """

    events: Sequence[Event] = ()
    answer: Answer | None = None
    refusals: list[Refusal] = field(default_factory=list)
    refuse: Callable[[str], Refusal | None] | None = None
    drop_after_accept: bool = False
    greeting: Sequence[str | bytes] = ()
    echo: bool = False
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    url: str = ""
    connections: int = 0
    targets: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    auth_events: list[Event] = field(default_factory=list)
    live: list[tuple[ServerConnection, str]] = field(default_factory=list)
    _server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            self.host,
            0,
            ssl=self.tls,
            process_request=self._handshake,
            compression=None,
            close_timeout=0.5,
        )
        self.url = (
            f"{'ws' if self.tls is None else 'wss'}://{self.host}:{next(iter(self._server.sockets)).getsockname()[1]}"
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def sockets(self) -> int:
        """Connections that are open now."""
        return len(self._server.connections) if self._server is not None else 0

    def _handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        self.connections += 1
        self.targets.append(request.path)
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal is None and self.refuse is not None:
            refusal = self.refuse(request.path)
        if refusal is None:
            return None
        status, headers = refusal
        response = connection.respond(status, "no")
        response.headers.update(headers)
        return response

    async def _serve(self, websocket: ServerConnection) -> None:
        if self.drop_after_accept:
            websocket.transport.abort()
            return
        try:
            for frame in self.greeting:
                await websocket.send(frame)
            async for message in websocket:
                if self.echo:
                    await websocket.send(message)
                else:
                    await self._take(websocket, json.loads(message))
        except ConnectionClosed:
            return

    async def _take(self, websocket: ServerConnection, message: list[Any]) -> None:
        match message:
            case ["REQ", str(subid), dict(asked)]:
                self.requests.append(asked)
                if subid.startswith("live"):
                    self.live.append((websocket, subid))
                await (self.answer or honest)(self, websocket, subid, asked)
            case ["AUTH", dict(event)]:
                self.auth_events.append(event)
                await say(websocket, "OK", event["id"], True, "")
            case _:
                pass


async def say(websocket: ServerConnection, *message: object) -> None:
    await websocket.send(json.dumps(message, separators=(",", ":"), ensure_ascii=False))


def stored(relay: Hostile, asked: dict[str, Any]) -> list[Event]:
    """A page by NIP-01, capped."""
    fitting = [
        event for event in relay.events if asked.get("since", 0) <= event["created_at"] <= asked.get("until", 2**63)
    ]
    fitting.sort(key=lambda event: (-event["created_at"], event["id"]))
    return fitting[: min(asked["limit"], PAGE_CAP)]


async def honest(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    for event in stored(relay, asked):
        await say(websocket, "EVENT", subid, event)
    await say(websocket, "EOSE", subid)


async def garbage(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    for frame in (
        '["NOTICE","so far a relay"]',
        b"\xff\xfe\x00",
        "ping",
        "[]",
        "{}",
        "null",
        '["EVENT"]',
        '["EVENT",5,{}]',
        f'["EVENT","{subid}","text"]',
        f'["EVENT","{subid}",{{"id":"short"}}]',
        '["EOSE",null]',
        '["LIMITS",{}]',
        "[" * 50_000,
        '["OK","x","yes"]',
    ):
        await websocket.send(frame)
    await honest(relay, websocket, subid, asked)


async def wrong_subscription(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    for event in stored(relay, asked):
        await say(websocket, "EVENT", "somebody-else", event)
    await say(websocket, "EOSE", "somebody-else")
    await say(websocket, "EOSE", subid)


async def outside_filter(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    """Ignores the filter: always all that is stored."""
    for event in relay.events:
        await say(websocket, "EVENT", subid, event)
    await say(websocket, "EOSE", subid)


async def giant_frames(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    await websocket.send("x" * (3 << 20))


async def silence(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    await asyncio.sleep(0)


async def no_eose(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    for event in stored(relay, asked):
        await say(websocket, "EVENT", subid, event)


async def flood(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    """Events that were asked for, without end."""
    number = 0
    while True:
        for event in stored(relay, asked) or relay.events:
            number += 1
            await say(websocket, "EVENT", subid, event | {"id": f"{number:064x}"})


async def demands_auth(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    if relay.auth_events:
        await honest(relay, websocket, subid, asked)
        return
    await say(websocket, "AUTH", "challenge-of-this-connection")
    await say(websocket, "CLOSED", subid, "auth-required: who are you?")


async def never_satisfied(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    """Demands AUTH again and again, with a new challenge each time."""
    await say(websocket, "AUTH", f"challenge-{len(relay.requests)}")
    await say(websocket, "CLOSED", subid, "auth-required: not you")


async def wants_small_limit(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    """Refuses what is above its limit by a notice without a subscription id."""
    if asked["limit"] > 300:
        await say(websocket, "NOTICE", "invalid: limitation.max_limit 300")
        return
    await honest(relay, websocket, subid, asked)


async def rate_limited_once(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    """Closes the second request of all, whichever it is."""
    if len(relay.requests) == 2:
        await say(websocket, "CLOSED", subid, "rate-limited: slow down")
        return
    await honest(relay, websocket, subid, asked)


async def odd_but_legal(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    """Binary frames, byte order marks, white space, elements too many, escapes."""
    shapes: list[Callable[[str], str | bytes]] = [
        lambda text: text.encode(),
        lambda text: "\ufeff" + text,
        lambda text: "\n  " + text + " \r\n",
        lambda text: text[:-1] + ',"more",{"of":"it"}]',
        lambda text: text.replace('","', '" ,\n"', 1),
    ]
    for number, event in enumerate(stored(relay, asked)):
        text = json.dumps(["EVENT", subid, event], separators=(",", ":"))
        await websocket.send(shapes[number % len(shapes)](text))
    await say(websocket, "EOSE", subid, ["finish", "unheard-of"])
