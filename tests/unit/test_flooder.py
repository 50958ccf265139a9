"""A relay that floods is one that a client of the library understands to the last byte, whatever it asks."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect

from tests.relays.attacks import Events, Repeated
from tests.relays.flooder import flooder
from tests.relays.liars import written
from tests.relays.padding import padded
from tests.relays.raw_frames import frame

FRAME_BYTES = 300_000
"""More than a socket takes at once."""
MESSAGES = 40
CLOSE_S = 0.1
"""The answer to a close stands behind the flood."""


async def test_answers_do_not_come_into_the_middle_of_what_is_flooded() -> None:
    events = [written(1_700_000_000 + number, 1, 0, number) for number in range(3)]
    attack = Events(events, encode=lambda event, number: padded(orjson.dumps(event), FRAME_BYTES, number))
    options: dict[str, Any] = {"max_size": None, "compression": None, "close_timeout": CLOSE_S}
    async with flooder(attack) as relay, connect(relay.urls[0], **options) as client:
        await _ask(client, "live-1")
        for number in range(MESSAGES):
            await client.recv()
            await _ask(client, f"page-{number}")
            await _say(client, "CLOSE", f"page-{number - 1}")
        seen = Counter(message[1] for message in [await _heard(client) for _ in range(MESSAGES)])
        assert seen["live-1"] > 0
        assert relay.account.requests == MESSAGES + 1


async def test_a_flood_begins_with_the_live_feed_and_ends_with_it() -> None:
    async with flooder(Repeated(frame(b'["NOTICE","so"]'))) as relay, connect(relay.urls[0]) as client:
        await _ask(client, "page-1")
        assert await _heard(client) == ["EOSE", "page-1"]
        await _ask(client, "live-1")
        assert await _heard(client) == ["EOSE", "live-1"]
        assert [await _heard(client) for _ in range(MESSAGES)] == [["NOTICE", "so"]] * MESSAGES
        await _say(client, "CLOSE", "live-1")
        await _ask(client, "page-2")
        async with asyncio.timeout(30):
            while await _heard(client) != ["EOSE", "page-2"]:
                pass


async def test_events_that_are_sent_once_are_stored_from_then_on() -> None:
    events = [written(1_700_000_000 + number, 1, 0, number) for number in range(3)]
    async with flooder(Events(events, per_s=1000.0, again=False)) as relay, connect(relay.urls[0]) as client:
        await _ask(client, "page-1")
        assert await _heard(client) == ["EOSE", "page-1"]
        await _ask(client, "live-1")
        assert await _heard(client) == ["EOSE", "live-1"]
        assert [await _heard(client) for _ in events] == [["EVENT", "live-1", event] for event in events]
        await _ask(client, "page-2")
        assert [await _heard(client) for _ in events] == [["EVENT", "page-2", event] for event in reversed(events)]


async def _ask(client: ClientConnection, subid: str) -> None:
    await _say(client, "REQ", subid, {})


async def _say(client: ClientConnection, *message: object) -> None:
    await client.send(json.dumps(message))


async def _heard(client: ClientConnection) -> list[object]:
    message = json.loads(await client.recv())
    assert isinstance(message, list)
    return message
