"""Relays that misbehave in every way at once harm only themselves."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from itertools import islice

import orjson
import pytest

from deploy.demo.events import generate, live
from tests.pipeline.fixtures import Pipeline
from tests.pipeline.world import announce
from tests.relays.client import fill
from tests.relays.hostile import Hostile, garbage, giant_frames, outside_filter, silence, wrong_subscription
from tests.relays.local_relay import local_relay

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BEHAVIOURS = (garbage, wrong_subscription, outside_filter, giant_frames, silence)


async def test_a_good_relay_is_read_while_others_misbehave(running: Pipeline) -> None:
    now_s = int(time.time())
    good = generate(300, seed=40, base_time_s=now_s, workers=1)
    bait = [orjson.loads(event.wire) for event in generate(50, seed=41, base_time_s=now_s, workers=1)]
    connector = running.services.pid("connector")
    async with AsyncExitStack() as stack:
        relays = [await stack.enter_async_context(Hostile(bait, behaviour)) for behaviour in BEHAVIOURS]
        url = await stack.enter_async_context(local_relay())
        await announce(running.settings, *(relay.url for relay in relays))

        async def all_asked() -> bool:
            return all(relay.requests for relay in relays)

        await running.archive.until("every hostile relay was asked something", all_asked)
        assert await fill(url, good, seed=40) == {}
        await announce(running.settings, url)
        await running.archive.until("the good relay's stored events", lambda: running.archive.has(good))
        new = list(islice(live(seed=42, clock=lambda: int(time.time())), 20))
        assert await fill(url, new, seed=42) == {}
        await running.archive.until("the good relay's live events", lambda: running.archive.has(new))
        # What the noisy one serves between its noise is taken as well.
        noisy = relays[BEHAVIOURS.index(garbage)]

        async def noisy_was_read() -> bool:
            return {(event["id"], noisy.url) for event in bait} <= await running.archive.sightings()

        await running.archive.until("what the noisy relay serves", noisy_was_read)
    running.services.check()
    assert running.services.pid("connector") == connector
    liars = {relays[BEHAVIOURS.index(behaviour)].url for behaviour in (wrong_subscription, giant_frames, silence)}
    assert not {pair for pair in await running.archive.sightings() if pair[1] in liars}
