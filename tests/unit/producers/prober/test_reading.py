"""The check `read`: how a question is answered, and what no answer is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from websockets.asyncio.server import ServerConnection

from producers.prober.checks.reading import QUESTIONS, Read, check_read
from producers.prober.intake import MOST_VERIFIED
from schemas.records.probe import Cause, ReadCheck
from tests.relays.forgery import with_another_signature
from tests.relays.hostile import say
from tests.unit.producers.prober.speaking import KEY, Speaking, Speech, dialogue_with, says, signed

LONG_S, SHORT_S = 30.0, 1.0
"""For what answers, and for what is silent."""
NOTE = signed()


async def read(relay: Speaking, *, with_key: bool = False, timeout_s: float = LONG_S) -> Read:
    async with relay, dialogue_with(relay, KEY if with_key else None) as dialogue:
        return await check_read(dialogue, timeout_s)


def speaking(*answers: list[Any]) -> Speaking:
    return Speaking(speeches={"REQ": says(*answers)})


def expected(check: ReadCheck) -> tuple[object, ...]:
    return check.ok, check.ended_by, check.cause, check.is_nostr, check.took_ms is not None


@dataclass
class Case:
    answers: Sequence[list[Any]]
    found: tuple[object, ...]
    auth_required: bool | None = None
    greeting: Sequence[str] = field(default_factory=list)


CASES = {
    "an event": Case([["EVENT", None, NOTE]], (True, "EVENT", None, True, True), auth_required=False),
    "nothing stored": Case([["EOSE", None]], (True, "EOSE", None, True, True), auth_required=False),
    "closed without a word": Case([["CLOSED", None, ""]], (True, "CLOSED", None, True, True)),
    "AUTH demanded": Case([["CLOSED", None, "auth-required: who?"]], (True, "CLOSED", "auth", True, True), True),
    "AUTH demanded by notice": Case([["NOTICE", "auth-required: sign in"]], (False, None, "auth", True, False), True),
    "AUTH held": Case([], (False, None, "auth", True, False), True, greeting=['["AUTH","challenge"]']),
    "members": Case([["CLOSED", None, "restricted: not a member"]], (True, "CLOSED", "whitelist", True, True)),
    "paid": Case([["CLOSED", None, "restricted: pay 1000 sats first"]], (True, "CLOSED", "payment", True, True)),
    "too fast": Case([["CLOSED", None, "rate-limited: slow"]], (True, "CLOSED", "rate_limited", True, True)),
    "its own fault": Case([["CLOSED", None, "error: no database"]], (False, "CLOSED", "read", True, False)),
    "silence": Case([], (False, None, "silent", None, False)),
    "words only": Case([["NOTICE", "welcome"]], (False, None, "silent", True, False)),
    "words of who made it": Case([["NOTICE", "powered by strfry"]], (False, None, "silent", True, False)),
    "another's EOSE": Case([["EOSE", "somebody-else"]], (False, None, "silent", True, False)),
    "something else": Case([["hello", None]], (False, None, "read", False, False)),
    "no JSON": Case([], (False, None, "read", False, False), greeting=["<html>"]),
    "a forged event": Case(
        [["EVENT", None, {**NOTE, "content": "forged"}]], (False, None, "silent", True, False)
    ),
    "an event that was not asked for": Case(
        [["EVENT", None, signed(kind=7)]], (False, None, "silent", True, False)
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
async def test_an_answer_is_told_from_what_is_none(name: str) -> None:
    case = CASES[name]
    relay = speaking(*case.answers)
    relay.greeting = case.greeting
    found = await read(relay, timeout_s=SHORT_S if case.found[1] is None else LONG_S)
    assert expected(found.check) == case.found
    assert found.auth_required is case.auth_required


@pytest.mark.slow
async def test_an_echo_is_no_relay() -> None:
    found = await read(Speaking(echo=True), timeout_s=SHORT_S)
    assert (found.check.ok, found.check.is_nostr) == (False, False)


@pytest.mark.slow
async def test_a_flood_of_something_else_ends_the_check_before_its_time() -> None:
    found = await read(Speaking(greeting=["hello"] * 5))
    assert (found.check.is_nostr, found.check.cause) == (False, "read")


async def test_a_signature_of_another_is_no_proof() -> None:
    forged = orjson.loads(with_another_signature(orjson.dumps(NOTE)))
    found = await read(speaking(["EVENT", None, forged], ["EOSE", None]))
    assert found.check.ended_by == "EOSE"


async def test_more_forged_events_than_are_verified_are_no_proof() -> None:
    forged = [
        ["EVENT", None, {**signed(created_at=number), "content": "forged"}] for number in range(2 * MOST_VERIFIED)
    ]
    found = await read(speaking(*forged, ["EOSE", None]))
    assert found.check.ended_by == "EOSE"


async def test_the_first_answer_ends_the_check() -> None:
    found = await read(speaking(["EVENT", None, NOTE]))
    assert found.check.took_ms is not None
    assert found.check.took_ms < 30_000


async def test_another_kind_is_asked_where_notes_are_refused() -> None:
    async def answer(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        refused = 1 in message[2]["kinds"]
        words = "blocked: an author must be specified to get their kind:1 notes"
        await (say(websocket, "CLOSED", message[1], words) if refused else say(websocket, "EOSE", message[1]))

    relay = Speaking(speeches={"REQ": answer})
    found = await read(relay)
    assert (found.check.ended_by, found.check.cause, found.served) == ("EOSE", None, QUESTIONS[1])
    assert [message[2]["kinds"] for message in relay.of("REQ")] == [[1], [0, 10_002]]


@pytest.mark.slow
async def test_silence_to_the_second_question_does_not_hide_a_refusal_of_the_first() -> None:
    async def answer(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        if 1 in message[2]["kinds"]:
            await say(websocket, "CLOSED", message[1], "blocked: not on the list")

    found = await read(Speaking(speeches={"REQ": answer}), timeout_s=SHORT_S)
    assert (found.check.ended_by, found.check.cause) == ("CLOSED", "whitelist")


def after_auth(*, taken: bool) -> dict[str, Speech]:
    """A relay that serves who has signed in."""
    signed_in = False

    async def req(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        if signed_in:
            await say(websocket, "EOSE", message[1])
            return
        await say(websocket, "AUTH", "challenge")
        await say(websocket, "CLOSED", message[1], "auth-required: sign in")

    async def auth(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        nonlocal signed_in
        signed_in = taken
        await say(websocket, "OK", message[1]["id"], taken, "" if taken else "restricted: not you")

    return {"REQ": req, "AUTH": auth}


async def test_a_monitor_with_a_key_signs_in() -> None:
    served = await read(Speaking(speeches=after_auth(taken=True)), with_key=True)
    assert (served.check.ended_by, served.check.cause, served.auth_required) == ("EOSE", None, True)
    refused = await read(Speaking(speeches=after_auth(taken=False)), with_key=True)
    assert (refused.check.ended_by, refused.check.cause, refused.auth_required) == ("CLOSED", "auth", True)


async def test_a_connection_that_ends_is_told_as_that() -> None:
    async def leave(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        websocket.transport.abort()

    found = await read(Speaking(speeches={"REQ": leave}))
    assert (found.check.ok, found.check.cause, found.check.is_nostr) == (False, "read", None)


HANGING_UP: dict[str, tuple[list[Any], tuple[object, ...], bool | None]] = {
    "an event": (["EVENT", None, NOTE], (True, "EVENT", None, True, True), False),
    "EOSE": (["EOSE", None], (True, "EOSE", None, True, True), False),
    "a refusal": (["CLOSED", None, "restricted: members only"], (True, "CLOSED", "whitelist", True, True), None),
    "AUTH demanded": (["CLOSED", None, "auth-required: who?"], (True, "CLOSED", "auth", True, True), True),
    "a notice": (["NOTICE", "auth-required: sign in"], (False, None, "auth", True, False), True),
    "a greeting": (["NOTICE", "welcome"], (False, None, "read", True, False), None),
}


@pytest.mark.parametrize("by_the_rules", [True, False])
@pytest.mark.parametrize("name", HANGING_UP)
async def test_an_answer_holds_where_the_relay_hangs_up_after_it(name: str, by_the_rules: bool) -> None:
    answer, outcome, auth_required = HANGING_UP[name]

    async def leave(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        await says(answer)(relay, websocket, message)
        if by_the_rules:
            await websocket.close()
        else:
            websocket.transport.write_eof()

    found = await read(Speaking(speeches={"REQ": leave}), timeout_s=60)
    assert expected(found.check) == outcome
    assert found.auth_required is auth_required


@pytest.mark.slow
async def test_silence_after_a_monitor_has_signed_in_is_no_demand_to_do_so() -> None:
    relay = Speaking(greeting=['["AUTH","challenge"]'], speeches={"REQ": says(), "AUTH": says(["OK", None, True, ""])})
    found = await read(relay, with_key=True, timeout_s=SHORT_S)
    assert (found.check.ok, found.check.ended_by, found.check.cause) == (False, None, "silent")


LEAVING: dict[str, tuple[list[Any], str, Cause, bool | None]] = {
    "a notice that names a policy": (["NOTICE", "restricted: members only"], "", "whitelist", None),
    "a notice that demands AUTH": (["NOTICE", "auth-required: sign in"], "", "auth", True),
    "a reason to close": (["EOSE", "another"], "rate-limited: too many connections", "rate_limited", None),
    "another notice": (["NOTICE", "powered by strfry"], "bye", "read", None),
}


@pytest.mark.parametrize("name", LEAVING)
async def test_what_a_relay_says_before_it_leaves_is_heard(name: str) -> None:
    said, reason, cause, auth_required = LEAVING[name]

    async def leave(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        await say(websocket, *said)
        await websocket.close(1008, reason)

    found = await read(Speaking(speeches={"REQ": leave}))
    assert (found.check.ok, found.check.cause, found.auth_required) == (False, cause, auth_required)


@pytest.mark.slow
async def test_what_a_relay_sends_is_bounded() -> None:
    """Each of the four million bytes fits, is genuine, and answers another question."""

    async def flood(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        while True:
            await say(websocket, "EVENT", "another", {**NOTE, "content": "x" * 60_000})

    found = await read(Speaking(speeches={"REQ": flood}))
    assert found.check.cause == "read"
    assert "bytes of a probe" in (found.check.error or "")
