"""What a behaviour may do: each hook has the answer of a relay that keeps to NIP-01."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import struct
import termios
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from tests.relays.odd.account import Connection, Request
from tests.relays.odd.store import Stored

if TYPE_CHECKING:
    from tests.relays.odd.relay import OddRelay

PAGE = 500
"""Events that are given at a time by strfry, the most common relay."""
Way = Literal["notice", "closed", "ok", "silent"]
"""How a refusal is put: NOTICE, CLOSED, OK false with the subscription's id, or not at all."""
_DRAINED_S = 0.002


class Refused(NamedTuple):
    """The answer to a handshake that is not accepted."""

    status: HTTPStatus
    headers: dict[str, str]
    text: str = ""


@dataclass(slots=True, eq=False)
class Question:
    """A REQ. Behaviours may alter it.

    Attributes:
        wanted: the filter, with sets in place of its lists.
        kinds: those of the filter in their order; None: it names none.
        most: events that are given.
        live: whether the stored events are sent, so that new ones follow.
        waiting: new ones that came before.
    """

    subid: str
    wanted: dict[str, Any]
    kinds: list[int] | None
    most: int
    logged: Request
    live: bool = False
    waiting: list[Stored] = field(default_factory=list)

    @property
    def bare(self) -> bool:
        """Whether it is narrowed by time alone."""
        return not self.wanted.keys() - {"since", "until", "limit"}

    def only_kinds(self, kinds: list[int]) -> None:
        """Have it ask for these."""
        self.kinds, self.wanted = kinds, {**self.wanted, "kinds": frozenset(kinds)}


class Gone(ConnectionError):  # noqa: N818 - it tells of an end, not of an error
    """The relay has ended the connection."""


class Client:
    """One connection, as behaviours see it."""

    def __init__(self, relay: OddRelay, websocket: ServerConnection, visit: Connection) -> None:
        self.relay = relay
        self.websocket = websocket
        self.visit = visit
        self.challenge: str | None = None
        self.signed_in = False
        self.held: list[Question] = []
        self.open: dict[str, Question] = {}
        """Subscriptions, the oldest first."""
        self.events = 0
        self.bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def say(self, *message: object) -> None:
        """Send a message."""
        await self._send(json.dumps(message, separators=(",", ":"), ensure_ascii=False))

    async def give(self, question: Question, event: Stored) -> None:
        """Send an event, unless it is withheld."""
        if event.withheld:
            return
        await self._send(f'["EVENT",{json.dumps(question.subid)},{event.text}]')
        self.events += 1
        asked_for = self.open.get(question.subid) is question
        (self.visit.given if asked_for else self.visit.unasked).setdefault(event.id, time.time())
        for behaviour in self.relay.behaviours:
            await behaviour.given(self)

    async def go_live(self, question: Question) -> None:
        """Let new events follow the stored ones."""
        question.live = True
        for event in question.waiting:
            await self.give(question, event)

    async def refuse(self, question: Question, way: Way, words: str) -> None:
        """Do not answer a REQ."""
        question.logged.outcome = "dropped" if way == "silent" else "refused"
        if way == "notice":
            await self.say("NOTICE", words)
        elif way == "closed":
            await self.say("CLOSED", question.subid, words)
        elif way == "ok":
            await self.say("OK", question.subid, False, words)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the conversation, for as long as the connection lasts."""

        async def quietly() -> None:
            with contextlib.suppress(ConnectionClosed, Gone):
                await work

        task = asyncio.create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def cut(self, why: str, torn: bytes = b"") -> None:
        """End the connection without a close frame, once the client's side has all that was sent.

        Raises:
            Gone: always.
        """
        transport = self.websocket.transport
        if torn:
            transport.write(torn)
        # What still lies on this side when the socket is cut would be lost, and yet accounted for as given.
        while transport.get_write_buffer_size() or _in_flight(transport):  # noqa: ASYNC110 - the kernel does not notify
            await asyncio.sleep(_DRAINED_S)
        self.visit.end = self.visit.end or why
        transport.abort()
        raise Gone(why)

    async def ended(self) -> None:
        """Stop what is done beside the conversation, which has ended."""
        mine = self._tasks - {asyncio.current_task()}
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)

    async def _send(self, text: str) -> None:
        await self.websocket.send(text)
        self.bytes += len(text)


class Behaviour:
    """Keeps to NIP-01. One object serves all connections of a relay.

    Attributes:
        arriving: how many new events it will publish yet, whatever clients do.
    """

    arriving = 0

    def handshake(self, relay: OddRelay, path: str) -> Refused | None:
        """Refuse a handshake; None: it is accepted."""
        return None

    async def opened(self, client: Client) -> None:
        """Do something right after the handshake."""

    async def asked(self, client: Client, question: Question) -> bool:
        """Refuse a REQ, or alter what it asks for; whether it is dealt with."""
        return False

    async def answer(self, client: Client, question: Question) -> bool:
        """Answer a REQ that all have let through in a way of one's own; whether that was done."""
        return False

    async def answered(self, client: Client, question: Question) -> None:
        """Do something after an answer."""

    async def given(self, client: Client) -> None:
        """Do something after each event that was sent."""

    async def signed(self, client: Client, event: dict[str, Any]) -> bool | None:
        """Judge an AUTH; None: it is another's to judge."""
        return None


def _in_flight(transport: asyncio.WriteTransport) -> int:
    """Bytes that the client's side has not acknowledged yet."""
    socket = transport.get_extra_info("socket")
    if socket is None or transport.is_closing():
        return 0
    (count,) = struct.unpack("i", fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, bytes(4)))
    return int(count)
