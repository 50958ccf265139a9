"""A client publishes events and counts: each gets the answer that names it, or none in time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from producers.relay_client.client import RelayClient
from producers.relay_client.dialling import open_connection
from producers.relay_client.frames import FrameReader
from producers.relay_client.unasked import Unasked
from schemas.nostr.event import Event
from schemas.nostr.filters import Filter
from schemas.nostr.messages import Closed, Counted, Ok
from tests.relays.hostile import say
from tests.unit.producers.prober.speaking import DIALLING, KEY, Speaking, Speech, says, signed, target
from tests.unit.producers.relay_client.test_without_connector import Handler
from tests.unit.producers.unlimited import Unlimited

NOTES = [Event(**signed(content=text)) for text in ("one", "two")]
SHORT_S, LONG_S = 0.3, 30.0


async def conversing(relay: Speaking, handler: Handler | None = None) -> tuple[RelayClient, asyncio.Task[None]]:
    connection = await open_connection(*target(relay.url), DIALLING)
    client = RelayClient(
        connection.dialled_url, connection, FrameReader(handler or Handler()), Unlimited(), auth_key=KEY
    )
    return client, asyncio.create_task(client.read())


async def closed(client: RelayClient, reading: asyncio.Task[None]) -> None:
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await client.connection.close()


async def test_each_event_gets_its_own_answer_in_whatever_order() -> None:
    waiting: list[str] = []

    async def backwards(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        waiting.append(message[1]["id"])
        if len(waiting) == len(NOTES):
            for event_id in reversed(waiting):
                await say(websocket, "OK", event_id, event_id == NOTES[0].id, f"about {event_id}")

    async with Speaking(speeches={"EVENT": backwards}) as relay:
        client, reading = await conversing(relay)
        answers = await asyncio.gather(*(client.publish(note, LONG_S) for note in NOTES))
        await closed(client, reading)
    expected = [Ok(note.id, note is NOTES[0], f"about {note.id}") for note in NOTES]
    assert answers == expected


@pytest.mark.parametrize("answer", [["OK", "f" * 64, True, ""], ["NOTICE", "what?"]])
async def test_what_answers_something_else_is_no_answer(answer: list[Any]) -> None:
    async with Speaking(speeches={"EVENT": says(answer)}) as relay:
        client, reading = await conversing(relay)
        assert await client.publish(NOTES[0], SHORT_S) is None
        await closed(client, reading)


async def test_an_answer_that_is_late_or_the_second_is_charged() -> None:
    handler = Handler()
    twice: dict[str, Speech] = {"EVENT": says(["OK", None, True, ""], ["OK", None, False, ""])}
    async with Speaking(speeches=twice) as relay:
        client, reading = await conversing(relay, handler)
        answer = await client.publish(NOTES[0], LONG_S)
        assert answer == Ok(NOTES[0].id, accepted=True, text="")
        page = await client.request_page(Filter(limit=1))
        await client.wait_for(page, LONG_S)
        await closed(client, reading)
    assert [what for what, _ in handler.charged] == [Unasked.OK]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (["COUNT", None, {"count": 7, "approximate": True}], Counted("count-1", 7)),
        (["CLOSED", None, "unsupported: no"], Closed("count-1", "unsupported", "unsupported: no")),
        (["COUNT", None, {"count": -1}], None),
        (["COUNT", "another", {"count": 7}], None),
    ],
)
async def test_a_count_is_answered_by_a_number_or_closed(answer: list[Any], expected: object) -> None:
    async with Speaking(speeches={"COUNT": says(answer)}) as relay:
        client, reading = await conversing(relay)
        found = await client.count(Filter(kinds=(1,)), LONG_S if expected else SHORT_S)
        await closed(client, reading)
    assert found == expected
    assert relay.of("COUNT") == [["COUNT", "count-1", {"kinds": [1]}]]
