"""Relays that lie and misbehave beside the honest ones, and what of theirs an archive must hold all the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from websockets.asyncio.server import ServerConnection

from deploy.demo.events import generate
from deploy.demo.scene import Signed
from tests.relays.forgery import with_another_content, with_another_signature
from tests.relays.hostile import (
    Hostile,
    garbage,
    giant_frames,
    no_eose,
    say,
    silence,
    stored,
    wrong_subscription,
)
from tests.relays.scripted import scripted_relay

# Fewer than a page of `Hostile`: all of it is in reach of a client that gets one page and no EOSE.
EVENTS_EACH = 60
# Recent enough for a live feed, so that a relay that refuses pages has sent them too.
SPAN_S = 3_600
# As many as honest relays bring, and more than the budget of refused input in an hour.
FORGERIES_PER_S = 200

Pair = tuple[str, str]


@dataclass(frozen=True)
class Liars:
    """Their URLs, and the pairs of event id and URL that were really theirs to offer."""

    urls: tuple[str, ...]
    pairs: frozenset[Pair]


async def closes_mid_page(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    """Gives half a page and closes it, every other time; its live feed stays open."""
    page = stored(relay, asked)
    breaks_off = not subid.startswith("live") and len(relay.requests) % 2 == 1
    for event in page[: len(page) // 2] if breaks_off else page:
        await say(websocket, "EVENT", subid, event)
    if breaks_off:
        await say(websocket, "CLOSED", subid, "error: shutting down idle subscription")
    else:
        await say(websocket, "EOSE", subid)


async def forges_without_end(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    """Ids that were not signed, as long as the connection lasts; no faster than that the test itself goes on."""
    number = 0
    while True:
        for event in relay.events:
            number += 1
            await say(websocket, "EVENT", subid, event | {"id": f"{number:064x}"})
            await asyncio.sleep(1 / FORGERIES_PER_S)


TRUTHFUL = (garbage, no_eose, closes_mid_page)
"""They send what they have, in their way."""
USELESS = (silence, wrong_subscription, giant_frames, forges_without_end)
"""Nothing of theirs may be archived."""


@asynccontextmanager
async def liars(honest: Sequence[Signed], seed: int) -> AsyncIterator[Liars]:
    """Run them on this event loop; two of them forge copies of `honest` events, one of which has the true ones too."""
    now_s = int(time.time())
    forged = [raw for each in honest for raw in (with_another_signature(each.wire), with_another_content(each.wire))]
    own = _events(seed, now_s)
    mixed = [raw for each in own for raw in (with_another_content(each.wire), each.wire)]
    pairs: set[Pair] = set()
    async with AsyncExitStack() as stack:
        urls = [(await stack.enter_async_context(scripted_relay(forged))).url]
        urls.append((await stack.enter_async_context(scripted_relay(mixed))).url)
        pairs |= {(each.id, urls[-1]) for each in own}
        for number, behaviour in enumerate((*TRUTHFUL, *USELESS), start=1):
            events = _events(seed + number, now_s)
            relay = Hostile([orjson.loads(each.wire) for each in events], behaviour)
            urls.append((await stack.enter_async_context(relay)).url)
            if behaviour in TRUTHFUL:
                pairs |= {(each.id, relay.url) for each in events}
        yield Liars(tuple(urls), frozenset(pairs))


def _events(seed: int, now_s: int) -> list[Signed]:
    return generate(EVENTS_EACH, seed=seed, base_time_s=now_s, span_s=SPAN_S, workers=1)
