"""Relays for demo, tests and benchmarks, in a process of their own: several of nostr-sdk's LocalRelay, filled.

    python -m deploy.embedded.demo_relays --relays 3 --events 2000 --copies 2.4 --trickle-per-s 20

The relays are not ours, and they are filled through their front door, so they have checked every signature themselves.
Standard output gets one JSON line when the stored events are there (`"ready": true`) and one when the trickle has ended
(`"ended": true`), both as `deploy.embedded.demo_offer` counts them. A line on standard input ends the trickle; its end
ends the process, so that relays never outlive who started them.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

import click
import orjson
from nostr_sdk import LocalRelay, LocalRelayBuilder, RateLimit

from deploy.embedded.demo_events import DEFAULT_SPAN_S, authors, generate, live
from deploy.embedded.demo_offer import Offer, spread
from deploy.embedded.demo_publisher import Publisher
from deploy.embedded.demo_scene import Signed
from deploy.embedded.lifeline import Lifeline
from schemas.relay_url import normalize

RELAY_CAPACITY = 75_000  # LocalRelay's store in memory drops its oldest events beyond this
PAGE_LIMIT = 500  # what strfry, the most common relay, gives per request
NO_LIMIT = 1_000_000  # LocalRelay wants numbers: more than anybody here will send
TICK_S = 0.2  # a trickle of a few events a second still looks continuous to a person


@dataclass(frozen=True)
class Plan:
    """What the relays are to hold. Times are Unix seconds; `copies` is the mean number of relays that hold an event."""

    relays: int
    events: int
    copies: float
    seed: int
    base_time_s: int
    span_s: int
    trickle_per_s: float
    for_s: float | None


class DemoRelays:
    """Running relays and the account of what they offer."""

    def __init__(self, relays: Sequence[LocalRelay], urls: Sequence[str], plan: Plan) -> None:
        self._relays = relays  # a LocalRelay stops when nobody holds it any more
        self._plan = plan
        self._rng = Random(f"{plan.seed}/spread")  # noqa: S311 a seeded sequence is wanted, not a secret
        self._publishers = [Publisher(url, authors(plan.seed)) for url in urls]
        self.offer = Offer(urls)

    @classmethod
    async def start(cls, plan: Plan) -> DemoRelays:
        """Start empty relays on free loopback ports."""
        relays = [build_relay() for _ in range(plan.relays)]
        for relay in relays:
            await relay.run()
        urls = [normalize(str(await relay.url()), allow_private=True).url for relay in relays]
        return cls(relays, urls, plan)

    async def give(self, events: Sequence[Signed]) -> None:
        """Deal events to the relays and publish them."""
        hands = spread(events, self._plan.relays, self._plan.copies, self._rng)
        async with asyncio.TaskGroup() as group:
            for url, publisher, hand in zip(self.offer.urls, self._publishers, hands, strict=True):
                group.create_task(publisher.publish(hand, partial(self._account, url)))

    async def trickle(self, stop: asyncio.Event) -> None:
        """Publish new events at the planned rate until `stop` is set, the planned time is over or a relay is full."""
        plan = self._plan
        events = live(seed=plan.seed, clock=lambda: int(time.time()))
        started = time.monotonic()
        given = 0
        while not stop.is_set() and max(self.offer.per_relay.values(), default=0) < RELAY_CAPACITY:
            passed_s = time.monotonic() - started
            if plan.for_s is not None and passed_s >= plan.for_s:
                return
            due = int(passed_s * plan.trickle_per_s) - given
            if due:
                await self.give([next(events) for _ in range(due)])
                given += due
            await _wait(stop, TICK_S)

    def _account(self, url: str, event_id: str, refusal: str | None) -> None:
        if refusal is None:
            self.offer.add(event_id, url)
        else:
            self.offer.refuse(event_id, url, refusal)


async def serve(plan: Plan, say: Callable[[dict[str, object]], None]) -> None:
    """Run relays as planned until the starter closes standard input or is gone."""
    starter = Lifeline()
    events = await asyncio.to_thread(
        generate, plan.events, seed=plan.seed, base_time_s=plan.base_time_s, span_s=plan.span_s
    )
    relays = await DemoRelays.start(plan)
    await relays.give(events)
    say({"ready": True, **relays.offer.report()})
    del events
    if plan.trickle_per_s > 0:
        await relays.trickle(starter.line)
    else:
        await starter.line.wait()
    say({"ended": True, **relays.offer.report()})
    await starter.closed.wait()


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return


def build_relay() -> LocalRelay:
    """Return an empty relay with every limit raised that a busy client could meet."""
    builder = LocalRelayBuilder()
    builder = builder.addr("127.0.0.1").auth_dm(enable=False).max_filter_limit(PAGE_LIMIT)
    return builder.rate_limit(RateLimit(max_reqs=NO_LIMIT, notes_per_minute=NO_LIMIT)).build()


def _say(line: dict[str, object]) -> None:
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()


@click.command()
@click.option("--relays", default=3, show_default=True, type=click.IntRange(1), help="How many relays.")
@click.option("--events", default=2000, show_default=True, type=click.IntRange(0), help="Distinct stored events.")
@click.option("--copies", default=2.4, show_default=True, help="Relays that hold an event, on average.")
@click.option("--seed", default=1, show_default=True, help="Same seed and base time, same events.")
@click.option("--base-time-s", default=None, type=int, help="Newest time of a stored event; the present by default.")
@click.option("--span-s", default=DEFAULT_SPAN_S, show_default=True, help="Seconds that stored events are spread over.")
@click.option("--trickle-per-s", default=0.0, show_default=True, help="New events a second, once all are stored.")
@click.option("--for-s", default=None, type=float, help="End the trickle after so many seconds.")
def main(*, base_time_s: int | None, **options: float) -> None:
    """Run filled relays on this machine.

    Example: python -m deploy.embedded.demo_relays --relays 4 --events 100000 < /dev/tty
    """
    plan = Plan(base_time_s=int(time.time()) if base_time_s is None else base_time_s, **options)  # type: ignore[arg-type]
    if not 1 <= plan.copies <= plan.relays:
        raise click.BadParameter(f"must lie between 1 and the number of relays, {plan.relays}", param_hint="--copies")
    if plan.events * plan.copies / plan.relays > RELAY_CAPACITY:
        raise click.BadParameter(
            f"LocalRelay keeps {RELAY_CAPACITY} events, and each would have to hold more: use more --relays",
            param_hint="--events",
        )
    if not sys.stdin.isatty():  # Ctrl-C goes to the starter too, which drains before it closes our input
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(serve(plan, _say))


if __name__ == "__main__":
    main()
