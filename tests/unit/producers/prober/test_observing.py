"""What a relay is seen to do beside answering."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from producers.prober.checks.observing import PAGE_LIMIT, observe
from producers.prober.checks.reading import QUESTIONS
from schemas.records.probe import Observed
from tests.relays.hostile import say
from tests.relays.local_relay import local_relay
from tests.relays.negentropy_server import NegentropyServer
from tests.unit.producers.prober.speaking import PROMPT, Speaking, Speech, dialogue_with, says, signed

NOW_S = 1_750_000_000.0
NOTES = [signed(created_at=1_700_000_000 + number) for number in range(3)]


async def seen(relay: Speaking, timeout_s: float = 1.0) -> Observed:
    async with relay, dialogue_with(relay) as dialogue:
        return await observe(dialogue, QUESTIONS[0], now_s=NOW_S, timeout_s=timeout_s)


def pages(*, hints: list[str] | None = None) -> Speech:
    async def req(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        assert message[2]["limit"] == PAGE_LIMIT
        for note in [*NOTES, NOTES[0]]:
            await say(websocket, "EVENT", message[1], note)
        await say(websocket, "EOSE", message[1], *([] if hints is None else [hints]))

    return req


async def reconciles(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
    answer = NegentropyServer([]).answer(bytes.fromhex(message[3]))
    await say(websocket, "NEG-MSG", message[1], answer.hex())


CASES: dict[str, tuple[dict[str, Speech], Observed]] = {
    "all of it": (
        {"REQ": pages(hints=["finish"]), "COUNT": says(["COUNT", None, {"count": 3}]), "NEG-OPEN": reconciles},
        Observed(counts=True, hints=True, reconciles=True, largest_page=3),
    ),
    "none of it, in silence": (
        {"REQ": pages()},
        Observed(counts=False, hints=False, reconciles=False, largest_page=3),
    ),
    "none of it, in words": (
        {
            "REQ": says(["CLOSED", None, "error: no"]),
            "COUNT": says(["CLOSED", None, "unsupported: COUNT"]),
            "NEG-OPEN": says(["NOTICE", "ERROR: bad msg: unknown cmd"]),
        },
        Observed(counts=False, reconciles=False),
    ),
    "too much to reconcile": (
        {"NEG-OPEN": says(["NEG-ERR", None, "blocked: too many query results"])},
        Observed(counts=False, hints=False, reconciles=True, largest_page=None),
    ),
    "a number that is none": (
        {"COUNT": says(["COUNT", None, {"count": "many"}])},
        Observed(counts=False, hints=False, reconciles=False, largest_page=None),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
async def test_what_is_optional_is_seen(name: str) -> None:
    speeches, expected = CASES[name]
    found = await seen(Speaking(speeches=speeches), 30.0 if expected.counts else 1.0)
    empty = expected.largest_page is None and expected.hints is not None
    assert found == (expected.model_copy(update={"largest_page": 0}) if empty else expected)


async def test_what_was_seen_before_the_connection_ended_holds() -> None:
    async def leave(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        websocket.transport.abort()

    found = await seen(Speaking(speeches={"NEG-OPEN": reconciles, "COUNT": leave}), timeout_s=60)
    assert found == Observed(reconciles=True)


@pytest.mark.slow
async def test_a_page_without_end_is_bounded_in_bytes_and_counted() -> None:
    async def flood(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        await say(websocket, "EVENT", message[1], NOTES[0])
        number = 0
        while True:
            number += 1
            await say(websocket, "EVENT", message[1], {**NOTES[0], "id": f"{number:064x}", "content": "x" * 30_000})

    found = await seen(Speaking(speeches={**PROMPT, "REQ": flood}), timeout_s=30)
    # Of those that are looked at one is genuine; of the others, some are within the budget.
    assert found.largest_page is not None
    assert 0 < found.largest_page < 150


@pytest.mark.slow
async def test_a_relay_that_drips_is_left_in_time() -> None:
    async def drip(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        for number in range(1000):
            await say(websocket, "EVENT", message[1], signed(content=str(number)))
            await asyncio.sleep(0.05)

    found = await seen(Speaking(speeches={**PROMPT, "REQ": drip}))
    assert found.largest_page is not None
    assert 0 < found.largest_page < 1000
    assert found.hints is None


async def test_a_relay_of_others_is_seen_as_it_is() -> None:
    async with local_relay() as url, dialogue_with(Speaking(url=url)) as dialogue:
        found = await observe(dialogue, QUESTIONS[0], now_s=time.time(), timeout_s=20)
    assert (found.counts, found.reconciles, found.largest_page) == (True, True, 0)
