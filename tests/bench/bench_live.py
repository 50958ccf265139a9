"""New events for many subscriptions of one API process: `python -m tests.bench.bench_live --seconds 60`.

A few subscriptions without conditions, the others by authors or by a kind, over websockets on loopback. Events are
written to Kafka at a steady rate, as the processor would, and a sink archives them meanwhile. Measured is the time from
before an event is given to Kafka to its receipt, and that each subscription gets each of its events once. Clients and
writer are one process, so that the latency has their work in it.

Large events for many connections, of which each is to be sent all of them:
`--subscriptions 1000 --unfiltered 1000 --per-connection 1 --event-bytes 1000000 --rate 0.1`.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import click
import orjson
import psutil
import uvloop
from rich.console import Console
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from core.settings import Settings
from deploy.embedded.stack import running_stack
from schemas.nostr.event import Event
from schemas.nostr.event_id import compute_id
from tests.bench.usage import Meter
from tests.broker.sinks.material import Feed as Topics
from tests.broker.sinks.material import feed
from tests.pipeline.services import Services
from tests.pipeline.world import make_world, settings_for
from tests.waiting import until

AUTHORS = 2_000
FOLLOWED = 20
"""Authors of a subscription: one event of a hundred is for it."""
KINDS = 100
PER_CONNECTION = 20
"""Subscriptions: as many as the API allows by default."""
MB = 1e6
_SETTLED_S = 3.0
"""Without a delivery for so long after the last event, nothing is on its way any more."""
_DRAINED_S = 120.0
"""For what large events leave on its way."""


class Wanted(NamedTuple):
    """What a subscription asks for: everything, or events of these authors, or of this kind."""

    authors: tuple[int, ...] = ()
    kind: int | None = None

    def filter(self) -> dict[str, Any]:
        """As a client sends it. Of stored events one at most: the seam is passed, and little is read."""
        if self.authors:
            return {"authors": [_key(each) for each in self.authors], "limit": 1}
        return {"limit": 1} if self.kind is None else {"kinds": [self.kind], "limit": 1}


class Plan(NamedTuple):
    """What is written, and how many subscriptions share a connection."""

    rate: float
    seconds: float
    event_bytes: int
    per_connection: int


class Received:
    """What came, for which subscription, and how late."""

    def __init__(self) -> None:
        self.sent_at: dict[str, float] = {}
        self.latencies_s: list[float] = []
        self.deliveries: Counter[tuple[str, str]] = Counter()
        self.closed: list[str] = []
        self.last_at = time.perf_counter()

    def take(self, message: list[Any]) -> None:
        """Note a message that came just now."""
        self.last_at = now = time.perf_counter()
        if message[0] != "EVENT":
            self.closed.append(str(message))
            return
        event_id = message[2]["id"]
        if (sent_at := self.sent_at.get(event_id)) is not None:
            self.latencies_s.append(now - sent_at)
            self.deliveries[message[1], event_id] += 1


@click.command()
@click.option("--subscriptions", default=2_000, show_default=True, help="Of one process.")
@click.option("--unfiltered", default=10, show_default=True, help="Of these, subscriptions to everything.")
@click.option("--rate", default=100.0, show_default=True, help="New events a second.")
@click.option("--seconds", default=60.0, show_default=True, help="To write events for.")
@click.option("--event-bytes", default=140, show_default=True, help="Of the content of an event.")
@click.option("--per-connection", default=PER_CONNECTION, show_default=True, help="Subscriptions of a connection.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
def main(
    *,
    subscriptions: int,
    unfiltered: int,
    rate: float,
    seconds: float,
    event_bytes: int,
    per_connection: int,
    as_json: bool,
) -> None:
    """Measure how late new events reach subscriptions, and what the process takes."""
    say = Console(stderr=True).print
    with tempfile.TemporaryDirectory(prefix="bigbrotr-bench-") as folder, running_stack(Path(folder)) as servers:
        settings = settings_for(servers, "live", Path(folder) / "live")
        settings.data_dir.mkdir()
        asyncio.run(make_world(servers, settings))
        connections = -(-subscriptions // per_connection)
        services = Services(
            settings,
            BIGBROTR_API__CLIENT_CONNECTIONS=str(connections + 1),
            BIGBROTR_API__REQUESTS_PER_MINUTE=str(10 * subscriptions),
        )
        services.start("sink", "api")
        try:
            services.wait_until_ready()
            wanted = made_up(subscriptions, unfiltered)
            say(f"{subscriptions:,} subscriptions, {rate:g} events/s for {seconds:g} s …")
            plan = Plan(rate, seconds, event_bytes, per_connection)
            measured = uvloop.run(_measure(settings, services, wanted, plan))
        finally:
            services.stop()
    machine = {"cores": psutil.cpu_count(), "python": platform.python_version(), "load": round(os.getloadavg()[0], 1)}
    click.echo(json.dumps({"live": measured, "machine": machine}, indent=None if as_json else 2))


def made_up(subscriptions: int, unfiltered: int) -> list[Wanted]:
    """The same subscriptions in every run: half of those with a condition by authors, half by a kind."""
    rng = random.Random(1)
    wanted = [Wanted()] * unfiltered
    while len(wanted) < subscriptions:
        by_kind = Wanted(kind=_kind(rng.randrange(KINDS)))
        wanted.append(by_kind if len(wanted) % 2 else Wanted(tuple(rng.sample(range(AUTHORS), FOLLOWED))))
    rng.shuffle(wanted)
    return wanted


async def _measure(settings: Settings, services: Services, wanted: list[Wanted], plan: Plan) -> dict[str, Any]:
    async with feed(settings) as topics, AsyncExitStack() as stack:
        await topics.events([_event(0, random.Random(0), 0)])
        await until(lambda: services.details("api").get("live_trouble", "") is None, "the API follows new events")
        received = Received()
        before = Meter({"api": services.pid("api")})
        before.start()
        await asyncio.sleep(1)
        alone = before.stop()["api"]
        began = time.perf_counter()
        url = services.details("api")["url"].replace("http", "ws", 1)
        for first in range(0, len(wanted), plan.per_connection):
            client = await stack.enter_async_context(connect(url, compression=None, proxy=None, max_size=None))
            await _subscribe(client, wanted[first : first + plan.per_connection], first)
            reading = asyncio.create_task(_read(client, received))
            stack.callback(reading.cancel)
        subscribed_s = time.perf_counter() - began
        meter = Meter({"api": services.pid("api"), "client": os.getpid()})
        meter.start()
        meter_began = time.perf_counter()
        events = await _write(topics, received, plan)
        received.last_at = time.perf_counter()
        await until(lambda: time.perf_counter() - received.last_at > _SETTLED_S, "nothing comes any more", _DRAINED_S)
        used = meter.stop()
        took_s = received.last_at - meter_began
        expected = _expected(wanted, events)
        latencies = sorted(received.latencies_s)
        return {
            "subscriptions": len(wanted),
            "events": len(events),
            "deliveries": received.deliveries.total(),
            "took_s": round(took_s, 1),
            "closed": len(received.closed),
            "missing": (expected - received.deliveries).total(),
            "surplus": (received.deliveries - expected).total(),
            "latency_p50_ms": round(latencies[len(latencies) // 2] * 1000, 1),
            "latency_p99_ms": round(latencies[len(latencies) * 99 // 100] * 1000, 1),
            "latency_max_ms": round(latencies[-1] * 1000, 1),
            "subscribed_after_s": round(subscribed_s, 1),
            "api_alone_mb": round(alone.end_bytes / MB),
            "api_peak_mb": round(used["api"].peak_bytes / MB),
            "api_end_mb": round(used["api"].end_bytes / MB),
            "api_cores": round(used["api"].cpu_s / took_s, 3),
            "client_cores": round(used["client"].cpu_s / took_s, 3),
        }


async def _subscribe(client: ClientConnection, wanted: Iterable[Wanted], first: int) -> None:
    """Ask for each, and wait until the stored events have come."""
    for number, each in enumerate(wanted, first):
        await client.send(json.dumps(["REQ", str(number), each.filter()]))
        while (message := json.loads(await client.recv()))[0] != "EOSE":
            assert message[0] in ("EVENT", "AUTH"), message


async def _read(client: ClientConnection, received: Received) -> None:
    try:
        async for message in client:
            received.take(orjson.loads(message))
    except ConnectionClosedError as error:
        received.closed.append(str(error))


async def _write(topics: Topics, received: Received, plan: Plan) -> list[Event]:
    """Write events at a steady rate, each without waiting for the one before."""
    rng = random.Random(2)
    written: list[Event] = []
    writing: set[asyncio.Task[None]] = set()
    began = time.perf_counter()
    while (due := len(written) / plan.rate) < plan.seconds:
        await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
        event = _event(len(written) + 1, rng, plan.event_bytes)
        received.sent_at[event.id] = time.perf_counter()
        task = asyncio.create_task(topics.events([event]))
        writing.add(task)
        task.add_done_callback(writing.discard)
        written.append(event)
    await asyncio.gather(*writing)
    return written


def _expected(wanted: list[Wanted], events: list[Event]) -> Counter[tuple[str, str]]:
    """Every event for every subscription that asks for it."""
    takers: defaultdict[str | int | None, list[str]] = defaultdict(list)
    for number, each in enumerate(wanted):
        for key in map(_key, each.authors) if each.authors else (each.kind,):
            takers[key].append(str(number))
    return Counter(
        (taker, event.id) for event in events for key in (None, event.pubkey, event.kind) for taker in takers[key]
    )


def _event(number: int, rng: random.Random, content_bytes: int) -> Event:
    """An event with a right id and no right signature, which neither sink nor API looks at."""
    unnamed = Event(
        "",
        _key(rng.randrange(AUTHORS)),
        int(time.time()),
        _kind(rng.randrange(KINDS)),
        [["p", rng.randbytes(32).hex()], ["e", rng.randbytes(32).hex(), "wss://relay.example", "reply"]],
        f"event {number} ".ljust(content_bytes, "."),
        rng.randbytes(64).hex(),
    )
    return unnamed._replace(id=compute_id(unnamed))


def _key(author: int) -> str:
    return random.Random(author).randbytes(32).hex()


def _kind(number: int) -> int:
    """Regular ones, none of them private."""
    return 1_100 + number


if __name__ == "__main__":
    main()
