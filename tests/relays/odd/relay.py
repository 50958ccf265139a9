"""A relay on a loopback address with stored events and behaviours; without any it keeps to NIP-01."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake
from websockets.http11 import Response

from tests.relays.hostile import Event
from tests.relays.odd.account import Account, Connection, Refusal, Request, SignIn, shown
from tests.relays.odd.behaviour import PAGE, Behaviour, Client, Gone, Question
from tests.relays.odd.store import Store, Stored, fits

_LONGEST_FRAME = 1 << 20
"""Nine thousand kinds in a REQ are 54,000 bytes."""


class OddRelay:
    """What it has, how it behaves, and its account.

    Attributes:
        hidden: ids of events that no client can be expected to find; it must not claim to have found them either.
        readable: whether a client can be expected to get anything.
        url: what it is announced as, once it is served.
    """

    def __init__(
        self,
        events: Iterable[Event],
        *behaviours: Behaviour,
        path: str = "",
        hidden: Iterable[Event] = (),
        withheld: Iterable[Event] = (),
        readable: bool = True,
    ) -> None:
        hidden = list(hidden)
        self.store = Store([*events, *hidden], withheld)
        self.behaviours = behaviours
        self.path = path
        self.hidden = frozenset(event["id"] for event in hidden)
        self.readable = readable
        self.account = Account()
        self.url = ""
        self.clients: set[Client] = set()

    async def publish(self, event: Event) -> None:
        """Store a new event, and send it to all who are subscribed."""
        stored = self.store.add(event)
        for client in list(self.clients):
            for question in list(client.open.values()):
                if not fits(question.wanted, stored):
                    continue
                if not question.live:
                    question.waiting.append(stored)
                    continue
                with contextlib.suppress(ConnectionClosed, Gone):
                    await client.give(question, stored)

    def missing(self) -> list[Stored]:
        """Return stored events that were never sent."""
        given = self.account.given()
        return [event for event in self.store if event.id not in given]

    def as_json(self) -> dict[str, Any]:
        """Return the account, with what is stored and what must be found, for orjson, which writes dataclasses too."""
        stored = {event.id: [event.created_at, event.kind, event.stored_s] for event in self.store}
        expected = [event_id for event_id in stored if self.readable and event_id not in self.hidden]
        arriving = sum(behaviour.arriving for behaviour in self.behaviours)
        return {"url": self.url, "stored": stored, "expected": expected, "arriving": arriving, "account": self.account}

    def handshake(self, websocket: ServerConnection, request: Handshake) -> Response | None:
        """Let the behaviours judge a handshake."""
        self.account.contacts_s.append(time.time())
        for behaviour in self.behaviours:
            refused = behaviour.handshake(self, request.path)
            if refused is not None:
                self.account.refusals.append(Refusal(int(refused.status), request.path))
                response = websocket.respond(refused.status, refused.text)
                response.headers.update(refused.headers)
                return response
        return None

    async def serve(self, websocket: ServerConnection) -> None:
        """Talk with one client."""
        request = websocket.request
        visit = Connection(len(self.account.connections) + 1, request.path if request is not None else "")
        self.account.connections.append(visit)
        client = Client(self, websocket, visit)
        self.clients.add(client)
        try:
            for behaviour in self.behaviours:
                await behaviour.opened(client)
            async for text in websocket:
                self.account.contacts_s.append(time.time())
                await self._take(client, json.loads(text))
        except (ConnectionClosed, Gone):
            pass
        finally:
            self.clients.discard(client)
            visit.closed_s = time.time()
            visit.end = visit.end or "by the client"
            await client.ended()

    async def _take(self, client: Client, message: list[Any]) -> None:
        match message:
            case ["REQ", str(subid), dict(asked)]:
                await self.ask(client, self._question(client, subid, asked))
            case ["CLOSE", str(subid)]:
                client.open.pop(subid, None)
            case ["AUTH", dict(event)]:
                await self._sign_in(client, event)
            case [verb, *_]:
                await client.say("NOTICE", f"ERROR: bad msg: unknown cmd {verb}")

    async def ask(self, client: Client, question: Question) -> None:
        """Answer a REQ as the behaviours have it."""
        client.open.pop(question.subid, None)
        for behaviour in self.behaviours:
            if await behaviour.asked(client, question):
                return
        client.open[question.subid] = question
        for behaviour in self.behaviours:
            if await behaviour.answer(client, question):
                break
        else:
            await self._page(client, question)
        for behaviour in self.behaviours:
            await behaviour.answered(client, question)

    async def _page(self, client: Client, question: Question) -> None:
        for event in self.store.find(question.wanted, question.most):
            await client.give(question, event)
        await client.say("EOSE", question.subid)
        await client.go_live(question)

    async def _sign_in(self, client: Client, event: dict[str, Any]) -> None:
        for behaviour in self.behaviours:
            accepted = await behaviour.signed(client, event)
            if accepted is not None:
                self.account.sign_ins.append(SignIn(client.visit.number, accepted, event))
                return
        await client.say("NOTICE", "ERROR: bad msg: unknown cmd AUTH")

    def _question(self, client: Client, subid: str, asked: dict[str, Any]) -> Question:
        logged = Request(client.visit.number, subid, shown(asked))
        self.account.requests.append(logged)
        wanted = {name: frozenset(value) if isinstance(value, list) else value for name, value in asked.items()}
        return Question(subid, wanted, asked.get("kinds"), min(asked.get("limit", PAGE), PAGE), logged)


@asynccontextmanager
async def serving(relay: OddRelay, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[OddRelay]:
    """Serve a relay on a loopback address; port 0 is a free one."""
    async with serve(
        relay.serve,
        host,
        port,
        process_request=relay.handshake,
        compression=None,
        ping_interval=None,
        close_timeout=0.5,
        max_size=_LONGEST_FRAME,
    ) as server:
        bound = next(iter(server.sockets)).getsockname()[1]
        relay.url = f"ws://{host}:{bound}{relay.path}"
        yield relay
