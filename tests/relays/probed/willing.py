"""Relays that work, each in a way of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from schemas.nostr.proof_of_work import leading_zero_bits
from tests.relays.hostile import odd_but_legal, say
from tests.relays.local_relay import local_relay
from tests.relays.odd.behaviour import Behaviour
from tests.relays.odd.endings import Closes, Cut
from tests.relays.odd.late import Late
from tests.relays.odd.material import Writer
from tests.relays.odd.paths import OnlyAt
from tests.relays.odd.questions import (
    IgnoresLimit,
    MostKinds,
    MostSubscriptions,
    NoBareFilters,
    StatesLimit,
)
from tests.relays.odd.relay import OddRelay
from tests.relays.probed.case import Case, Facts, Ground, at, odd
from tests.relays.probed.member import Member, document, limited, notes, says
from tests.relays.python_relay import python_relay

_BITS = 8


@asynccontextmanager
async def rust_relay(_ground: Ground) -> AsyncIterator[str]:
    """nostr-sdk's."""
    async with local_relay() as url:
        yield url


@asynccontextmanager
async def nostr_relay(ground: Ground) -> AsyncIterator[str]:
    """`nostr-relay`."""
    with python_relay(ground.folder) as url:
        yield url


@asynccontextmanager
async def several_addresses(ground: Ground) -> AsyncIterator[str]:
    """A name with an address at which nothing listens, and one at which the relay does."""
    async with Member() as member:
        ground.names.answers["several.probed.example.com"] = ["127.9.9.9", "127.0.0.1"]
        yield member.url.replace("127.0.0.1", "several.probed.example.com")


class EveryOther(Member):
    """Refuses every other handshake, the first one too."""

    async def _handshake(self, connection: ServerConnection, request: Request) -> Response | None:  # type: ignore[override]
        if "Upgrade" in request.headers and self.connections % 2 == 0:
            self.connections += 1
            return connection.respond(HTTPStatus.BAD_GATEWAY, "")
        return await super()._handshake(connection, request)


async def named_authors(_member: Member, websocket: ServerConnection, message: list[Any]) -> None:
    """khatru's policy AntiSyncBots."""
    if 1 in message[2]["kinds"]:
        await say(websocket, "CLOSED", message[1], "blocked: an author must be specified to get their kind:1 notes")
    else:
        await say(websocket, "EOSE", message[1])


async def wants_work(_member: Member, websocket: ServerConnection, message: list[Any]) -> None:
    """Take events with enough work."""
    enough = leading_zero_bits(message[1]["id"]) >= _BITS
    await say(websocket, "OK", message[1]["id"], enough, "" if enough else f"pow: {_BITS} bits needed")


READ: Facts = {
    "checks.open.ok": True,
    "checks.read.ok": True,
    "checks.read.is_nostr": True,
    "observed.auth_required": False,
}
WRITTEN: Facts = {"checks.write.ok": True, "checks.write.accepted": True, "checks.write.read_back": True}
AN_EVENT: Facts = {"checks.read.ended_by": "EVENT"}
AN_EOSE: Facts = {"checks.read.ended_by": "EOSE"}
RECONCILES: Facts = {"observed.counts": True, "observed.reconciles": True}


def habit(*behaviours: Behaviour) -> Case:
    """An odd relay with some events, which answers a small question as others do."""
    return Case(odd(lambda: OddRelay(Writer().recent(30), *behaviours)), "works", full=False, facts=READ | AN_EVENT)


HABITS = {
    "no empty filters": habit(NoBareFilters("closed", "blocked: can't handle empty filters")),
    "no empty filters, by NOTICE": habit(NoBareFilters("notice", "ERROR: filter too broad")),
    "few kinds": habit(MostKinds(3, "closed")),
    "one subscription": habit(MostSubscriptions(1, "notice", "too many subscriptions")),
    "a small limit": habit(StatesLimit(5, "closed", "invalid: limit must be at most 5")),
    "no limit": habit(IgnoresLimit()),
    "an end after an event": habit(Cut(events=1)),
    "an end by the rules": habit(Closes(1, CloseCode.INTERNAL_ERROR, "out of memory")),
}
WILLING = HABITS | {
    "nostr-sdk's relay": Case(rust_relay, "works", key=True, write=True, facts=READ | WRITTEN | RECONCILES),
    "nostr-relay of Python": Case(nostr_relay, "works", full=False, facts=READ | AN_EOSE),
    "events and a document": Case(
        at(lambda: Member(notes(120), page=document(supported_nips=[1, 11]))),
        "works",
        facts=READ
        | AN_EVENT
        | {
            "checks.open.address": "127.0.0.1",
            "checks.nip11.ok": True,
            "checks.nip11.status": 200,
            "checks.nip11.content_type": "application/nostr+json",
            "checks.ssl": None,
            "checks.dns": None,
            "checks.write": None,
            "observed.largest_page": 120,
            "observed.counts": False,
            "observed.reconciles": False,
            "observed.hints": False,
        },
    ),
    "empty": Case(
        at(Member),
        "works",
        key=True,
        write=True,
        facts=READ | WRITTEN | AN_EOSE | {"observed.largest_page": 0, "checks.nip11.status": 426},
    ),
    "it says that it gave all": Case(
        at(lambda: Member(verbs={"REQ": says(["EOSE", None, ["finish"]])})), "works", facts={"observed.hints": True}
    ),
    "it counts, and reconciles less": Case(
        at(
            lambda: Member(
                verbs={
                    "COUNT": says(["COUNT", None, {"count": 3}]),
                    "NEG-OPEN": says(["NEG-ERR", None, "blocked: too many"]),
                }
            )
        ),
        "works",
        facts=RECONCILES,
    ),
    "notes of named authors only": Case(
        at(lambda: Member(verbs={"REQ": named_authors})), "works", facts=READ | AN_EOSE
    ),
    "events after EOSE": Case(
        odd(lambda: OddRelay(Writer().recent(5), Late(0.05))), "works", full=False, facts=READ | AN_EOSE
    ),
    "odd but legal": Case(
        at(lambda: Member(notes(5), answer=odd_but_legal)),
        "works",
        facts=READ | AN_EVENT | {"observed.largest_page": 5, "observed.hints": True},
    ),
    "a greeting, and a challenge that need not be met": Case(
        at(lambda: Member(greeting=['["NOTICE","welcome to this relay"]', '["AUTH","challenge"]'])),
        "works",
        facts=READ | AN_EOSE,
    ),
    "a redirect to its own other spelling": Case(
        odd(lambda: OddRelay([], OnlyAt("/inbox/", HTTPStatus.MOVED_PERMANENTLY, absolute=True), path="/inbox")),
        "works",
        full=False,
        facts=READ,
    ),
    "a name with an address that is away": Case(
        several_addresses,
        "works",
        facts={"checks.open.address": "127.0.0.1", "checks.dns.ok": True, "checks.dns.a": ["127.0.0.1", "127.9.9.9"]},
    ),
    "the second attempt": Case(at(EveryOther), "works", attempts=2),
    "work that is done": Case(
        at(lambda: Member(page=limited(min_pow_difficulty=_BITS), verbs={"EVENT": wants_work})),
        "works",
        key=True,
        write=True,
        facts={"checks.write.accepted": True},
    ),
}
