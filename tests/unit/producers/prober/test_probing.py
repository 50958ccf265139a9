"""Probes under way: their places, what they wait for, and their end; over real websockets of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from core.clock import CLOCK
from core.settings import Settings
from core.tasks import running
from producers.prober.means import open_means
from producers.prober.probing import Probing
from producers.prober.schedule import Schedule
from schemas.records.probe import ProbeRecord
from schemas.records.relay_document import RelayDocumentRecord
from schemas.relay_urls.relay_url import RelayUrl
from tests.relays.many_hosts import ManyHosts, many_hosts
from tests.unit.producers.prober.speaking import target
from tests.waiting import until


@dataclass
class Held:
    """Takes what is written, and says that it is durable once `free` is set; or that it cannot be."""

    free: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None
    taken: list[ProbeRecord] = field(default_factory=list)
    waiting: int = 0
    most: int = 0

    async def publish(self, url: RelayUrl, probe: ProbeRecord, document: RelayDocumentRecord | None) -> None:
        self.taken.append(probe)
        if self.error is not None:
            raise self.error
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.free.wait()
        self.waiting -= 1

    def check(self) -> None:
        """Nothing fails meanwhile."""


@asynccontextmanager
async def probing(
    relays: ManyHosts, outlet: Held, count: int, **changes: Any
) -> AsyncIterator[tuple[Probing, Schedule]]:
    settings = Settings.model_validate({"prober": {"retry_s": 0.1, "dns_timeout_s": 1} | changes})
    schedule = Schedule(settings.prober)
    for url in relays.urls(count):
        schedule.put(target(url), CLOCK.now_ms())
    async with open_means(settings) as means:
        made = Probing(schedule, means, outlet)
        try:
            yield made, schedule
        finally:
            await made.drop_all()


async def test_probing_rests_while_nothing_is_taken_and_goes_on_then() -> None:
    outlet = Held()
    async with many_hosts() as relays, probing(relays, outlet, 20, at_once=5) as (made, schedule), running(made.run()):
        await until(lambda: len(outlet.taken) == 5, "as many as are probed at once")
        await until(lambda: not relays.open.total(), "their sockets are closed")
        assert (schedule.under_way, relays.opened.total()) == (5, 5)
        outlet.free.set()
        await until(lambda: len(outlet.taken) == 20, "the others")
        await until(lambda: not schedule.under_way, "all places are free")
        assert relays.opened.total() == 20
    assert outlet.most == 5
    assert relays.most <= 5 * 2, "a websocket and the document"
    assert len({probe.url for probe in outlet.taken}) == 20


async def test_probes_that_are_dropped_close_their_sockets_and_free_their_places() -> None:
    async with many_hosts() as relays, probing(relays, Held(), 3, at_once=2) as (made, schedule):
        relays.holding = True
        async with running(made.run()):
            await until(lambda: sum(relays.opened.values()) == 2, "two are probed")
            gone = schedule.keep(lambda host: host == "127.1.0.3")
            await made.drop(gone)
            await until(lambda: relays.opened["127.1.0.3"], "the third has a place")
            assert schedule.under_way == 1
        await made.drop_all()
        await until(lambda: not relays.open.total(), "all sockets are closed")


async def test_what_cannot_be_written_ends_it() -> None:
    async with (
        many_hosts() as relays,
        probing(relays, Held(error=RuntimeError("refused for good")), 1) as (made, _),
    ):
        with pytest.raises(RuntimeError, match="refused for good"):
            await made.run()
