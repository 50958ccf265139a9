"""A relay is asked for the difference; every way in which it can refuse ends in pages, and none of them costs much."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from producers.connector.reconcile.reconcile import UNTIL_END_S, ReconcileRefused, Refusal, fetch, reconcile
from producers.relay_client.names import Names
from producers.relay_client.negentropy_session import Exchanges
from producers.relay_client.refusals import RelayError
from schemas.negentropy.wire import varint
from schemas.nostr.filters import Filter
from schemas.nostr.messages import NegMsg, Notice
from schemas.records.bundle import HeldLine
from tests.relays.hostile import Hostile, say
from tests.relays.reconciling import Conversation, Reconciling, Speech, conversation, refusal

START_S = 1_700_000_000
IDLE_S = 5.0
"""Longer than any answer takes; silence is waited for with less."""


def events(count: int, *, ties: int = 4) -> list[dict[str, Any]]:
    return [
        {
            "id": sha256(b"%d" % number).hexdigest(),
            "created_at": START_S + number // ties,
            "kind": number % 3,
            "tags": [],
        }
        for number in range(count)
    ]


def keys(some: Sequence[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(event["created_at"], event["id"]) for event in some]


async def silent(relay: Reconciling, websocket: ServerConnection, message: list[Any]) -> None:
    """Say nothing."""


async def by_id(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    for event in relay.events:
        if event["id"] in asked["ids"]:
            await say(websocket, "EVENT", subid, event)
    await say(websocket, "EOSE", subid)


async def refused(relay: Reconciling, held: Sequence[tuple[int, str]], idle_s: float = IDLE_S) -> ReconcileRefused:
    async with relay, conversation(relay.url) as talk:
        with pytest.raises(ReconcileRefused) as error:
            await reconcile(talk.client, Filter(), START_S, START_S + 10_000, held, idle_s=idle_s)
        # The same connection can be paged through.
        page = await talk.client.request_page(Filter(limit=5))
        await talk.client.wait_for(page, IDLE_S)
        assert page.usable
    return error.value


@pytest.mark.parametrize("frame_limit_bytes", [0, 4096])
async def test_what_only_the_relay_has_is_found_and_what_both_have_is_told(frame_limit_bytes: int) -> None:
    everything = events(1_500)
    ours, theirs = everything[:1_300] + everything[1_310:], everything[20:]
    async with (
        Reconciling(theirs, frame_limit_bytes=frame_limit_bytes) as relay,
        conversation(relay.url) as talk,
    ):
        base = Filter(since=3, until=5, limit=7)
        found = await reconcile(talk.client, base, None, START_S + 10_000, keys(ours), idle_s=IDLE_S)
        assert list(found.need) == sorted(event["id"] for event in everything[1_300:1_310])
        assert set(found.shared) == set(keys(everything[20:1_300] + everything[1_310:]))
        assert relay.opened == [{"until": START_S + 10_000}]
        # A page behind it: what was sent before has arrived.
        await talk.client.wait_for(await talk.client.request_page(Filter(limit=1)), IDLE_S)
        assert relay.closed == ["neg-1"]
        assert found.rounds > 1
        assert found.received_bytes < 2 * 32 * len(theirs)


CLOSED = ("CLOSED", "SUBID")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("NEG-ERR", "SUBID", "blocked: this query is too big"), Refusal.TOO_MANY),
        (("NEG-ERR", "SUBID", "blocked: too many query results", 1_000_000), Refusal.TOO_MANY),
        (("NEG-ERR", "SUBID", "RESULTS_TOO_BIG", 5), Refusal.TOO_MANY),
        (("NEG-ERR", "SUBID", "blocked: not you"), Refusal.BLOCKED),
        (("NEG-ERR", "SUBID", "restricted: members only"), Refusal.BLOCKED),
        (("NEG-ERR", "SUBID", "closed: you took too long"), Refusal.CLOSED),
        (("NEG-ERR", "SUBID", "auth-required: who are you"), Refusal.AUTH_REQUIRED),
        (("NEG-ERR", "SUBID", "rate-limited: too many requests"), Refusal.RATE_LIMITED),
        (("NEG-ERR", "SUBID", "PROTOCOL-ERROR"), Refusal.UNSUPPORTED),
        (("NEG-ERR", "SUBID"), Refusal.UNSUPPORTED),
        (("NEG-ERROR", "SUBID", "error: no"), Refusal.UNSUPPORTED),
        ((*CLOSED, "unsupported: negentropy"), Refusal.UNSUPPORTED),
        ((*CLOSED, "auth-required: who are you"), Refusal.AUTH_REQUIRED),
        (CLOSED, Refusal.UNSUPPORTED),
        (("NOTICE", "ERROR: negentropy disabled"), Refusal.UNSUPPORTED),
        (("NOTICE", "could not parse command"), Refusal.UNSUPPORTED),
        (("NOTICE", "bad msg: unknown cmd"), Refusal.UNSUPPORTED),
        (("NOTICE", "invalid: value does not match any of the allowed types"), Refusal.UNSUPPORTED),
        (("NOTICE", "Unknown envelope label"), Refusal.UNSUPPORTED),
        (("NEG-MSG", "SUBID", "no hex"), Refusal.MALFORMED),
        (("NEG-MSG", "SUBID", ""), Refusal.MALFORMED),
        (("NEG-MSG", "SUBID", "62"), Refusal.MALFORMED),
        (("NEG-MSG", "SUBID", "6100000205"), Refusal.MALFORMED),
    ],
)
async def test_every_refusal_is_told_by_its_reason(words: tuple[object, ...], reason: Refusal) -> None:
    error = await refused(Reconciling(events(10), speech=refusal(*words)), keys(events(3)))
    assert error.reason is reason
    assert error.at_most == (words[3] if len(words) > 3 else None)


@pytest.mark.parametrize(
    "words",
    [
        ("NOTICE", "welcome to this relay"),
        ("NEG-MSG", "another", "6100000200"),
        ("NEG-ERR", "another", "blocked: no"),
        ("CLOSED", "another", ""),
        ("OK", "0" * 64, True, ""),
    ],
)
async def test_what_answers_something_else_is_no_answer(words: tuple[object, ...]) -> None:
    error = await refused(Reconciling(speech=refusal(*words)), keys(events(3)), idle_s=0.1)
    assert error.reason is Refusal.SILENT


async def test_a_relay_that_talks_out_of_turn_is_not_listened_to() -> None:
    async with Reconciling(speech=silent) as relay, conversation(relay.url) as talk:
        exchanges = Exchanges(talk.client.say, talk.client.connection, Names())
        async with exchanges.opened(Filter(), b"\x61") as exchange:
            first, second = NegMsg(exchange.subid, "61"), NegMsg(exchange.subid, "6162")
            assert exchanges.hear(first)
            assert not exchanges.hear(second)
            exchanges.notice(Notice("unknown error"))
            assert await exchange.next(IDLE_S) == first
            # After the first answer a notice is about something else.
            exchanges.notice(Notice("unknown error"))
            assert await exchange.next(0.01) is None
        assert not exchanges.hear(first)


@pytest.mark.slow
async def test_what_is_not_waited_for_is_charged() -> None:
    async def flood(relay: Reconciling, websocket: ServerConnection, message: list[Any]) -> None:
        for _ in range(5):
            await say(websocket, "NEG-MSG", "another", "00" * 30_000)

    async with Reconciling(speech=flood) as relay, conversation(relay.url, refused_bytes=250_000) as talk:
        with pytest.raises(ReconcileRefused):
            await reconcile(talk.client, Filter(), None, START_S, [], idle_s=0.2)
        with pytest.raises(RelayError) as error:
            await talk.client.read()
        assert error.value.state == "over_budget"


def inventing(count: int) -> Speech:
    async def invent(relay: Reconciling, websocket: ServerConnection, message: list[Any]) -> None:
        ids = b"".join(sha256(b"invented %d" % number).digest() for number in range(count))
        payload = b"\x61" + varint(0) + varint(0) + varint(2) + varint(count) + ids
        await say(websocket, "NEG-MSG", message[1], payload.hex())

    return invent


async def test_a_relay_with_far_more_than_we_have_is_asked_for_fewer_seconds() -> None:
    assert (await refused(Reconciling(speech=inventing(10_001)), [])).reason is Refusal.TOO_MANY


@pytest.mark.slow
async def test_times_that_relays_misread_are_not_asked_for() -> None:
    async with Reconciling() as relay, conversation(relay.url) as talk:
        with pytest.raises(ValueError, match="until"):
            await reconcile(talk.client, Filter(), None, UNTIL_END_S, [], idle_s=IDLE_S)
        assert relay.opened == []


async def test_a_lost_connection_is_no_refusal() -> None:
    async def leave(relay: Reconciling, websocket: ServerConnection, message: list[Any]) -> None:
        websocket.transport.abort()

    async with Reconciling(speech=leave) as relay, conversation(relay.url) as talk:
        # The reader hears of it first, and cancels what waits for an answer.
        with contextlib.suppress(RelayError, ReconcileRefused):
            await reconcile(talk.client, Filter(), None, START_S, [], idle_s=0.2)
        with pytest.raises(RelayError):
            await fetch(talk.client, Filter(), ["0" * 64], limit=5, idle_s=0.2)


async def fetched(relay: Hostile, base: Filter, ids: Sequence[str], limit: int) -> tuple[list[str], Conversation]:
    async with relay, conversation(relay.url) as talk:
        missing = await fetch(talk.client, base, ids, limit=limit, idle_s=IDLE_S)
        assert sorted(missing) == sorted(set(ids) - {event["id"] for event in relay.events})
        taken = await talk.lines()
        assert len(taken) == len(ids) - len(missing)
    return missing, talk


async def test_needed_events_are_asked_for_by_id_in_slices_and_what_is_withheld_is_told() -> None:
    everything = events(130)
    ids = [event["id"] for event in everything]
    relay = Reconciling(everything[7:], by_id)
    missing, _ = await fetched(relay, Filter(), ids, limit=500)
    assert missing == ids[:7]
    assert [len(asked["ids"]) for asked in relay.requests] == [50, 50, 30, 7]
    assert [asked["limit"] for asked in relay.requests] == [50, 50, 30, 7]


async def test_no_more_is_asked_for_than_a_page_of_the_relay_holds() -> None:
    everything = events(40)
    relay = Reconciling(everything, by_id)
    await fetched(relay, Filter(), [event["id"] for event in everything], limit=15)
    assert [len(asked["ids"]) for asked in relay.requests] == [15, 15, 10]


async def test_an_event_that_the_filter_does_not_want_is_not_taken_because_the_relay_named_it() -> None:
    everything = events(30)
    async with Reconciling(everything, by_id) as relay, conversation(relay.url) as talk:
        missing = await fetch(
            talk.client, Filter(kinds=(1,)), [event["id"] for event in everything], limit=500, idle_s=IDLE_S
        )
        assert sorted(missing) == sorted(event["id"] for event in everything if event["kind"] != 1)
        assert len(await talk.lines()) == 10
        assert all(asked["kinds"] == [1] for asked in relay.requests)


async def test_a_relay_that_refuses_to_be_asked_by_id_is_paged_through() -> None:
    async def limited(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
        await say(websocket, "CLOSED", subid, "rate-limited: slower")

    async with Reconciling(answer=limited) as relay, conversation(relay.url) as talk:
        with pytest.raises(ReconcileRefused) as error:
            await fetch(talk.client, Filter(), ["0" * 64], limit=500, idle_s=IDLE_S)
        assert error.value.reason is Refusal.RATE_LIMITED


async def test_what_a_relay_was_shown_to_hold_travels_as_lines_without_events() -> None:
    held = keys(events(2_500))
    async with Reconciling() as relay, conversation(relay.url) as talk:
        await talk.held.report(held)
        lines = await talk.lines()
    assert len(lines) == len(held)
    assert {(line.created_at, line.id) for line in lines if isinstance(line, HeldLine)} == set(held)
    assert {line.relay for line in lines} == {relay.url}
