"""Relays that serve somebody else: AUTH, payment, proof of work, a list; and relays that refuse us."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection

from tests.relays.hostile import never_satisfied, say
from tests.relays.odd.behaviour import Client, Way
from tests.relays.odd.material import Writer
from tests.relays.odd.relay import OddRelay
from tests.relays.odd.signing import SignIn
from tests.relays.probed.case import Case, Facts, at, odd
from tests.relays.probed.member import Member, Page, fields, limited, says

WANTS_AUTH: Facts = {"checks.read.cause": "auth", "observed.auth_required": True}
SERVED: Facts = {"checks.read.cause": None, "checks.read.ended_by": "EVENT", "observed.auth_required": True}


def signing(way: Way, *, holds: bool = False) -> OddRelay:
    """A relay with events for those who sign in."""
    return OddRelay(Writer().recent(3), SignIn(way, holds=holds))


def refuses(words: str, verb: str = "EVENT") -> Member:
    """A relay that refuses what comes with a verb, with these words."""
    return Member(verbs={verb: says(["OK", None, False, words] if verb == "EVENT" else ["CLOSED", None, words])})


class Twice(SignIn):
    """Sends another challenge before the first is answered, which is void then (NIP-42)."""

    async def opened(self, client: Client) -> None:
        """Challenge, and again."""
        await super().opened(client)
        await super().opened(client)


async def auth_refused(_member: Member, websocket: ServerConnection, message: list[Any]) -> None:
    """Take no signature."""
    await say(websocket, "OK", message[1]["id"], False, "restricted: not you")


async def refuses_and_leaves(_member: Member, websocket: ServerConnection, message: list[Any]) -> None:
    """Refuse an event, and hang up."""
    await say(websocket, "OK", message[1]["id"], False, "blocked: not on the whitelist")
    await websocket.close()


async def challenged(_member: Member, websocket: ServerConnection, message: list[Any]) -> None:
    """Ask who it is that asks."""
    await say(websocket, "AUTH", "challenge")
    await say(websocket, "CLOSED", message[1], "auth-required: who are you?")


SIGNING = {
    "AUTH by CLOSED": Case(
        odd(lambda: signing("closed")),
        "refused_by_policy",
        "auth",
        full=False,
        facts=WANTS_AUTH | {"checks.read.ok": True, "checks.read.ended_by": "CLOSED"},
    ),
    "AUTH by NOTICE": Case(odd(lambda: signing("notice")), "refused_by_policy", "auth", full=False, facts=WANTS_AUTH),
    "AUTH by OK": Case(
        odd(lambda: signing("ok")), "refused_by_policy", "auth", full=False, facts=WANTS_AUTH | {"checks.read.ok": True}
    ),
    "AUTH in silence": Case(
        odd(lambda: signing("silent", holds=True)),
        "refused_by_policy",
        "auth",
        full=False,
        short="read",
        facts=WANTS_AUTH | {"checks.read.error": "answers nothing before AUTH"},
    ),
    "AUTH by CLOSED, met": Case(odd(lambda: signing("closed")), "works", key=True, full=False, facts=SERVED),
    "AUTH by NOTICE, met": Case(odd(lambda: signing("notice")), "works", key=True, full=False, facts=SERVED),
    "AUTH by OK, met": Case(odd(lambda: signing("ok")), "works", key=True, full=False, facts=SERVED),
    "AUTH in silence, met": Case(
        odd(lambda: signing("silent", holds=True)), "works", key=True, full=False, short="read", facts=SERVED
    ),
    "AUTH for each question, met": Case(
        odd(lambda: OddRelay(Writer().recent(3), SignIn("closed", per_request=True))),
        "works",
        key=True,
        full=False,
        facts=SERVED,
    ),
    "AUTH by the newest of its challenges, met": Case(
        odd(lambda: OddRelay(Writer().recent(3), Twice("closed"))), "works", key=True, full=False, facts=SERVED
    ),
    "AUTH that is never enough": Case(
        at(lambda: Member(answer=never_satisfied)), "refused_by_policy", "auth", key=True, facts=WANTS_AUTH
    ),
    "AUTH that is refused": Case(
        at(lambda: Member(verbs={"REQ": challenged, "AUTH": auth_refused})),
        "refused_by_policy",
        "auth",
        key=True,
        facts=WANTS_AUTH,
    ),
}
NOT_SENT: Facts = {"checks.write.ok": False, "checks.write.event_id": None, "checks.write.error": "not tried"}
NOT_TAKEN: Facts = {"checks.read.ok": True, "checks.write.ok": False, "checks.write.accepted": False}
POLICIES = SIGNING | {
    "paid, as its document says": Case(
        at(lambda: Member(page=limited(payment_required=True))),
        "refused_by_policy",
        "payment",
        key=True,
        write=True,
        facts=NOT_SENT,
    ),
    "paid, to write": Case(
        at(lambda: refuses("restricted: pay 1000 sats for admission")),
        "refused_by_policy",
        "payment",
        key=True,
        write=True,
        facts=NOT_TAKEN | {"detail": "pay 1000 sats"},
    ),
    "paid, to read": Case(
        at(lambda: refuses("restricted: pay 1000 sats for admission", "REQ")), "refused_by_policy", "payment"
    ),
    "paid, by HTTP": Case(
        at(lambda: Member(wall=Page(status=HTTPStatus.PAYMENT_REQUIRED))),
        "refused_by_policy",
        "payment",
        facts={"checks.open.status": 402},
    ),
    "paid, and read without a key": Case(at(lambda: Member(page=limited(payment_required=True))), "works"),
    "more work than is done": Case(
        at(lambda: Member(page=limited(min_pow_difficulty=40))),
        "refused_by_policy",
        "pow",
        key=True,
        write=True,
        facts=NOT_SENT,
    ),
    "work that it did not tell of": Case(
        at(lambda: refuses("pow: difficulty 4 is less than 28")),
        "refused_by_policy",
        "pow",
        key=True,
        write=True,
        facts=NOT_TAKEN,
    ),
    "a list, to write": Case(
        at(lambda: refuses("blocked: pubkey not on the whitelist")),
        "refused_by_policy",
        "whitelist",
        key=True,
        write=True,
        facts=NOT_TAKEN,
    ),
    "a list, to write, and it hangs up": Case(
        at(lambda: Member(verbs={"EVENT": refuses_and_leaves})),
        "refused_by_policy",
        "whitelist",
        key=True,
        write=True,
        facts=NOT_TAKEN,
    ),
    "a list, to read": Case(at(lambda: refuses("restricted: members only", "REQ")), "refused_by_policy", "whitelist"),
    "restricted writes, as its document says": Case(
        at(lambda: Member(page=limited(restricted_writes=True))),
        "refused_by_policy",
        "whitelist",
        key=True,
        write=True,
        facts=NOT_SENT,
    ),
}

CHALLENGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>_cf_chl_opt</body></html>"


def walled(status: HTTPStatus, body: bytes = b"", **headers: str) -> Member:
    """A wall in front of a relay, which answers everything so."""
    wall = Page(body, status, "text/html", fields(**headers))
    return Member(wall=wall, page=wall)


REFUSING = {
    "403": Case(
        at(lambda: walled(HTTPStatus.FORBIDDEN)),
        "refuses_us",
        "forbidden",
        facts={"checks.open.status": 403, "checks.open.address": "127.0.0.1", "checks.read": None}
        | {"checks.nip11.ok": False, "checks.nip11.status": 403},
    ),
    "429 with a time": Case(
        at(lambda: walled(HTTPStatus.TOO_MANY_REQUESTS, Retry_After="120")),
        "refuses_us",
        "rate_limited",
        facts={"checks.open.status": 429},
    ),
    "429 without a time": Case(at(lambda: walled(HTTPStatus.TOO_MANY_REQUESTS)), "refuses_us", "rate_limited"),
    "503 with a time": Case(
        at(lambda: walled(HTTPStatus.SERVICE_UNAVAILABLE, Retry_After="120")),
        "refuses_us",
        "rate_limited",
        facts={"checks.open.status": 503},
    ),
    "a challenge with 403": Case(
        at(lambda: walled(HTTPStatus.FORBIDDEN, CHALLENGE)),
        "refuses_us",
        "challenge_page",
        facts={"checks.open.status": 403, "checks.nip11.error": "a browser is to solve"},
    ),
    "a challenge with 200": Case(
        at(lambda: walled(HTTPStatus.OK, CHALLENGE)),
        "refuses_us",
        "challenge_page",
        facts={"checks.open.status": 200, "checks.nip11.ok": False},
    ),
    "a challenge by its header": Case(
        at(lambda: walled(HTTPStatus.FORBIDDEN, cf_mitigated="challenge")), "refuses_us", "challenge_page"
    ),
    "too often, by CLOSED": Case(at(lambda: refuses("rate-limited: slow down", "REQ")), "refuses_us", "rate_limited"),
    "too often, by NOTICE": Case(
        at(lambda: Member(verbs={"REQ": says(["NOTICE", "rate-limited: come back in 5 minutes"])})),
        "refuses_us",
        "rate_limited",
    ),
}
