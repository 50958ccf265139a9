"""The check `write`: an event of the monitor's own is taken and given back, or it is told why not."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from producers.prober.checks.writing import MOST_POW_BITS, PROBE_KIND, Terms, check_write, dated_s
from schemas.nostr.event import Event
from schemas.nostr.event_id import compute_id
from schemas.nostr.proof_of_work import leading_zero_bits
from schemas.nostr.relay_document import Limitation
from schemas.nostr.signature import verify
from schemas.records.probe import WriteCheck
from tests.relays.client import stored
from tests.relays.hostile import say
from tests.relays.local_relay import local_relay
from tests.relays.python_relay import python_relay
from tests.unit.producers.prober.speaking import KEY, Speaking, Speech, dialogue_with, says

NOW_S = 1_750_000_000.0
ANYBODY = Terms()


async def write(relay: Speaking, terms: Terms = ANYBODY, timeout_s: float = 30.0) -> WriteCheck:
    async with relay, dialogue_with(relay, KEY) as dialogue:
        return await check_write(dialogue, KEY, terms, now_s=NOW_S, timeout_s=timeout_s)


def keeps(*, bits: int = 0, gives: bool = True) -> Speaking:
    """A relay that takes genuine events with so much work."""
    kept: dict[str, dict[str, Any]] = {}

    async def event(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        sent = Event(**message[1])
        assert compute_id(sent) == sent.id
        assert verify(sent.pubkey, sent.id, sent.sig)
        enough = leading_zero_bits(sent.id) >= bits
        if enough:
            kept[sent.id] = message[1]
        await say(websocket, "OK", sent.id, enough, "" if enough else f"pow: {bits} bits needed")

    async def req(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        for event_id in message[2]["ids"]:
            if gives and event_id in kept:
                await say(websocket, "EVENT", message[1], kept[event_id])
        await say(websocket, "EOSE", message[1])

    return Speaking(speeches={"EVENT": event, "REQ": req})


async def test_an_event_is_taken_and_given_back() -> None:
    relay = keeps()
    found = await write(relay)
    assert (found.ok, found.accepted, found.read_back, found.cause, found.error) == (True, True, True, None, None)
    assert found.took_ms is not None
    (sent,) = [message[1] for message in relay.of("EVENT")]
    assert (sent["id"], sent["kind"], sent["created_at"]) == (found.event_id, PROBE_KIND, NOW_S)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rust", "python"])
async def test_relays_of_others_take_it_and_keep_one_of_it(kind: str, tmp_path: Path) -> None:
    async def twice(url: str) -> list[bytes]:
        for second in range(2):
            async with dialogue_with(Speaking(url=url), KEY) as dialogue:
                now_s = time.time() - 1 + second
                found = await check_write(dialogue, KEY, Terms(), now_s=now_s, timeout_s=20)
                assert found.ok, found
        return list((await stored(url)).values())

    if kind == "rust":
        async with local_relay() as url:
            assert len(await twice(url)) == 1
    else:
        with python_relay(tmp_path) as url:
            assert len(await twice(url)) == 1


@pytest.mark.slow
async def test_an_event_that_is_not_given_back_was_lost() -> None:
    found = await write(keeps(gives=False))
    assert (found.ok, found.accepted, found.read_back) == (False, True, False)
    assert found.took_ms is None


@pytest.mark.parametrize("bits", [1, 8, 12])
async def test_work_is_done_as_the_document_says(bits: int) -> None:
    relay = keeps(bits=bits)
    assert (await write(relay, Terms(Limitation(min_pow_difficulty=bits)))).ok
    (sent,) = relay.of("EVENT")
    assert sent[1]["tags"][-1][::2] == ["nonce", str(bits)]


async def test_work_that_the_document_does_not_tell_of_is_a_policy() -> None:
    found = await write(keeps(bits=200))
    assert (found.ok, found.accepted, found.cause, found.words) == (False, False, "pow", "pow: 200 bits needed")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limitation", "cause"),
    [
        (Limitation(payment_required=True), "payment"),
        (Limitation(restricted_writes=True), "whitelist"),
        (Limitation(min_pow_difficulty=MOST_POW_BITS + 1), "pow"),
    ],
)
async def test_what_would_be_refused_is_not_sent(limitation: Limitation, cause: str) -> None:
    relay = keeps()
    found = await write(relay, Terms(limitation))
    assert (found.ok, found.cause, found.accepted, found.event_id) == (False, cause, None, None)
    assert (found.error or "").startswith("not tried")
    assert not relay.heard


ANSWERS: Mapping[str, tuple[list[Any], tuple[object, ...]]] = {
    "whitelist": (["OK", None, False, "blocked: not on the list"], (False, "whitelist")),
    "payment": (["OK", None, False, "restricted: please pay"], (False, "payment")),
    "rate": (["OK", None, False, "rate-limited: slow down"], (False, "rate_limited")),
    "auth": (["OK", None, False, "auth-required: who?"], (False, "auth")),
    "no reason": (["OK", None, False, ""], (False, None)),
    "by a notice": (["NOTICE", "restricted: pay first"], (None, "payment")),
    "silence": (["NOTICE", "hello"], (None, None)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ANSWERS)
async def test_a_refusal_is_recorded(name: str) -> None:
    answer, expected = ANSWERS[name]
    # Without an OK, and without a challenge after it, the time is waited for.
    timeout_s = 1.0 if expected in ((False, "auth"), (None, "payment"), (None, None)) else 30.0
    found = await write(Speaking(speeches={"EVENT": says(answer)}), timeout_s=timeout_s)
    assert (found.ok, found.accepted, found.cause) == (False, *expected)


@pytest.mark.slow
async def test_auth_is_answered_and_the_event_sent_again() -> None:
    signed_in = False

    async def event(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        if not signed_in:
            await say(websocket, "AUTH", "challenge")
        await say(websocket, "OK", message[1]["id"], signed_in, "" if signed_in else "auth-required: sign in")

    async def auth(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        nonlocal signed_in
        signed_in = True
        await say(websocket, "OK", message[1]["id"], True, "")

    speeches: dict[str, Speech] = {"EVENT": event, "AUTH": auth}
    relay = Speaking(speeches=speeches)
    found = await write(relay)
    assert found.accepted
    assert len(relay.of("EVENT")) == 2


async def test_a_connection_that_ends_meanwhile_is_told() -> None:
    async def leave(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        websocket.transport.abort()

    found = await write(Speaking(speeches={"EVENT": leave}))
    assert (found.ok, found.accepted) == (False, None)
    assert "ended" in (found.error or "")


@pytest.mark.parametrize(
    ("limits", "difference_s", "expected_s"),
    [
        (Limitation(), 0, 0),
        (Limitation(created_at_upper_limit=0), -100, -100),
        (Limitation(created_at_upper_limit=60), -100, -40),
        (Limitation(created_at_upper_limit=900), -100, 0),
        (Limitation(created_at_lower_limit=60), 100, 40),
        (Limitation(created_at_lower_limit=10**18), 100, 0),
    ],
)
def test_an_event_is_dated_within_the_limits(limits: Limitation, difference_s: float, expected_s: int) -> None:
    assert dated_s(Terms(limits, difference_s), NOW_S) == NOW_S + expected_s
