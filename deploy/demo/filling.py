"""Fills relays, our own or external ones: events are distributed, published over websockets (EVENT), and counted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from core.tasks import run_until_first
from deploy.demo.events import authors, live
from deploy.demo.offer import Offer, spread
from deploy.demo.plan import RELAY_CAPACITY, Plan
from deploy.demo.relay_feeder import RelayFeeder
from deploy.demo.scene import Signed

TICK_S = 0.2  # a trickle of a few events a second still looks continuous to a person
LAST_ANSWERS_S = 5.0  # relays answer in milliseconds, and container engines kill after ten seconds


class Filling:
    """Relays that are being filled, and the count of what they accepted; made by `filling`.

    Who holds what follows from the seed and from the order of the URLs, not from what they are.
    """

    def __init__(self, urls: Sequence[str], plan: Plan) -> None:
        self.offer = Offer(urls)
        self.doors = [RelayFeeder(url, authors(plan.seed), self.offer) for url in urls]
        self._plan = plan
        self._rng = Random(f"{plan.seed}/spread")  # noqa: S311 a seeded sequence is wanted, not a secret

    def deal(self, events: Sequence[Signed]) -> None:
        """Deal events to the relays; they are published meanwhile."""
        hands = spread(events, len(self.doors), self._plan.copies, self._rng)
        for door, hand in zip(self.doors, hands, strict=True):
            door.hand(hand)

    async def settled(self) -> None:
        """Wait until every relay has answered for all that it was dealt, however long it stays away."""
        for door in self.doors:
            await door.empty.wait()

    async def trickle(self, stop: asyncio.Event) -> None:
        """Publish new events at the planned rate until `stop` is set, the planned time is over or a relay is full.

        A relay that is away does not hold up the others.
        """
        plan = self._plan
        events = live(seed=plan.seed, clock=lambda: int(time.time()))
        started = time.monotonic()
        given = 0
        while not stop.is_set() and max(self.offer.per_relay.values(), default=0) < RELAY_CAPACITY:
            passed_s = time.monotonic() - started
            if plan.for_s is not None and passed_s >= plan.for_s:
                break
            due = int(passed_s * plan.trickle_per_s) - given
            if due:
                self.deal([next(events) for _ in range(due)])
                given += due
                await run_until_first(self._quiet(), stop.wait())
            await run_until_first(asyncio.sleep(TICK_S), stop.wait())

    async def last_answers(self) -> None:
        """Give the relays that are not away a moment to answer for what they were sent."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quiet(), LAST_ANSWERS_S)

    async def _quiet(self) -> None:
        for door in self.doors:
            await door.quiet.wait()


@asynccontextmanager
async def filling(urls: Sequence[str], plan: Plan) -> AsyncIterator[Filling]:
    """Fill relays for the length of a block; what they have not answered for by its end is given up."""
    filled = Filling(urls, plan)
    async with asyncio.TaskGroup() as group:
        doors = [group.create_task(door.run()) for door in filled.doors]
        yield filled
        for door in doors:
            door.cancel()
