"""A stop takes as long as our own work, whatever relays do: the process that operators run, against real sockets."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from core.kafka.topics import create_topics
from core.settings import Settings
from tests.broker.producers.harness import coverage, lines, signed
from tests.pipeline.services import Services
from tests.pipeline.world import announce
from tests.relays.hostile import Hostile
from tests.relays.stubborn import SILENT, Stubborn, Way, stubborn
from tests.waiting import until

pytestmark = pytest.mark.broker

DRAIN_S = 1.9
"""Shorter than the two seconds that a relay has for a closing handshake, longer than everything else takes."""


def listened_to(services: Services) -> set[str]:
    """The relays of which the live feed is open and has brought something, up to a time that is certain."""
    relays = services.details("connector").get("relays", [])
    return {
        relay["url"]
        for relay in relays
        if relay["state"] in {"crawling", "live"} and relay["received"] and relay["cursor_s"] is not None
    }


@pytest.mark.parametrize(
    ("ways", "paths"),
    [*(([way], 3) for way in Way), (list(Way), 5), ([Way.NO_CLOSE], 200)],
    ids=[*(way.name.lower() for way in Way), "all at once", "many"],
)
async def test_relays_that_do_not_let_go_do_not_use_up_the_drain(
    settings: Settings, ways: list[Way], paths: int
) -> None:
    await create_topics(settings)
    settings.data_dir.mkdir(parents=True)
    services = Services(settings, BIGBROTR_DRAIN_S=str(DRAIN_S))
    event = signed(int(time.time()) - 50)
    async with AsyncExitStack() as stack:
        relays: list[Stubborn] = [await stack.enter_async_context(stubborn(way, event)) for way in ways]
        honest = await stack.enter_async_context(Hostile([event]))
        urls = [f"{relay.url}/{path}" for relay in relays for path in range(paths)]
        await announce(settings, honest.url, *urls)
        spoken_to = {
            honest.url,
            *(f"{relay.url}/{path}" for relay in relays if relay.way not in SILENT for path in range(paths)),
        }
        services.start("connector")
        try:
            await until(lambda: all(relay.live >= paths for relay in relays), "every relay has its connections")

            async def all_have_answered() -> bool:
                services.check()
                return spoken_to <= await asyncio.to_thread(listened_to, services)

            await until(all_have_answered, "every relay that answers has answered")
        finally:
            codes = await asyncio.to_thread(services.stop)
    assert codes == {"connector": 0}, services.tail("connector")
    assert {line.relay for line in await lines(settings)} == spoken_to
    covered = await coverage(settings)
    assert all(covered[url].cursor_s is not None for url in spoken_to)
