"""Hostile clients of one API process: `python -m tests.bench.bench_api_hostile --requests 100000`.

An archive of some thousand events is served while a sink goes on to fill it. An honest client reads throughout, over
REST and over a websocket. Measured without and beside the attackers (`tests.broker.api.attackers`): how long the honest
client waits, how fast the sink is, and what memory the API takes. Attackers are a process of their own with a low
priority: elsewhere they would not take the processor from what they attack. Compare the figures of one run.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import asyncpg
import click
import psutil
import uvloop

from core.settings import Settings
from deploy.embedded.stack import running_stack
from schemas.topics import physical
from sinks.writing.stored_offsets import stored_offsets
from tests.bench.usage import Meter
from tests.broker.api.attackers import attack
from tests.broker.api.relay.client import connected
from tests.broker.sinks.material import Feed, event, feed
from tests.pipeline.services import Services
from tests.pipeline.world import make_world, settings_for
from tests.waiting import until

T = TypeVar("T")

ROUND_S = 0.25
"""Between two times that events are sent."""
ROUND = 5_000
"""Events that are sent at once."""
PAUSE_S = 0.2
"""Between requests of the honest client, which keeps to its rate limit."""
HONEST_S = 20.0
"""An answer that takes longer counts as none."""
SETTLE_S = 5.0
"""Until what was asked at first is done."""
MB = 1e6
SERVING_NICE = 5
"""Of the API, as `run` and `demo` start it."""
_NICE = 10
"""Of the attackers."""
_SHOWN = 20_000
"""Characters of the log, from its first traceback."""


@dataclass(frozen=True)
class Load:
    """What is to be measured: the options of the command."""

    requests: int
    at_once: int
    events_per_s: float
    backlog: int
    quiet_s: float


class Honest:
    """A client that reads the newest events of a kind, by both ways in turn."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.waited_s: list[float] = []
        self.failed: Counter[str] = Counter()

    async def read(self) -> None:
        """Go on until cancelled."""
        while True:
            try:
                async with aiohttp.ClientSession(self._url) as http, connected(self._url) as relay:
                    while True:
                        await self._once(http.get("/v1/events", params={"kinds": 1, "limit": 20}))
                        began = time.perf_counter()
                        async with asyncio.timeout(HONEST_S):
                            await relay.events({"kinds": [1], "limit": 20})
                        self.waited_s.append(time.perf_counter() - began)
                        await asyncio.sleep(PAUSE_S)
            except (OSError, TimeoutError, aiohttp.ClientError, AssertionError) as error:
                self.failed[f"{type(error).__name__}: {error}"[:90]] += 1
                await asyncio.sleep(PAUSE_S)

    async def _once(self, asked: Any) -> None:
        began = time.perf_counter()
        async with asyncio.timeout(HONEST_S), asked as response:
            await response.read()
            if response.status == 200:
                self.waited_s.append(time.perf_counter() - began)
            else:
                self.failed[str(response.status)] += 1

    def take(self) -> dict[str, Any]:
        """What it saw since it was last asked."""
        waited, self.waited_s = sorted(self.waited_s), []
        failed, self.failed = dict(self.failed), Counter()
        return {
            "answers": len(waited),
            "failed": failed,
            "p50_ms": round(waited[len(waited) // 2] * 1000, 1) if waited else None,
            "p99_ms": round(waited[len(waited) * 99 // 100] * 1000, 1) if waited else None,
        }


class Ingest:
    """Gives a sink events at a steady rate, and tells how many it wrote."""

    def __init__(
        self, settings: Settings, topics: Feed, pool: asyncpg.Pool[asyncpg.Record], events_per_s: float
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._pool = pool
        self._events_per_s = events_per_s
        self.given = 0

    async def give(self, number: int) -> None:
        """Give so many."""
        for begin in range(self.given, self.given + number, ROUND):
            end = min(begin + ROUND, self.given + number)
            await self._topics.events([event(each) for each in range(begin, end)])
        self.given += number

    async def go_on(self) -> None:
        """Give events until cancelled."""
        first, began = self.given, time.perf_counter()
        while True:
            due = first + int((time.perf_counter() - began) * self._events_per_s)
            await self.give(due - self.given)
            await asyncio.sleep(ROUND_S)

    async def written(self) -> int:
        """How many events the archive has."""
        async with self._pool.acquire() as connection:
            stored = await stored_offsets(connection, self._settings.sink.group_id)
        topic = physical(self._settings.kafka.topic_prefix, "events")
        return sum(each.next_offset for tp, each in stored.items() if tp.topic == topic)

    async def measured(self, work: Awaitable[T]) -> tuple[T, dict[str, float]]:
        """What work gives, and how many events were given and written in a second of it."""
        given, written, began = self.given, await self.written(), time.perf_counter()
        result = await work
        took_s = time.perf_counter() - began
        more_given, more_written = self.given - given, await self.written() - written
        return result, {
            "given_per_s": round(more_given / took_s),
            "written_per_s": round(more_written / took_s),
            "waiting": self.given - written - more_written,
        }


@click.command()
@click.option("--requests", default=100_000, show_default=True, help="Of all attackers.")
@click.option("--at-once", default=100, show_default=True, help="Attackers.")
@click.option("--events-per-s", default=4_000.0, show_default=True, help="That the sink is given.")
@click.option("--backlog", default=0, show_default=True, help="Events that wait for the sink at first: its top rate.")
@click.option("--quiet-s", default=30.0, show_default=True, help="Seconds that are measured before and after.")
@click.option("--attack-port", hidden=True, type=int, help="Attack this port, and do nothing else.")
def main(*, attack_port: int | None, **options: Any) -> None:
    """Measure what hostile clients do to the API, to an honest client and to the sink."""
    load = Load(**options)
    if attack_port is not None:
        os.nice(_NICE)
        click.echo(json.dumps(uvloop.run(attack(attack_port, load.requests, at_once=load.at_once))))
        return
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # warns of each connection that the password is not encrypted
    with tempfile.TemporaryDirectory(prefix="bigbrotr-bench-") as folder, running_stack(Path(folder)) as servers:
        settings = settings_for(servers, "hostile_clients", Path(folder) / "data")
        settings.data_dir.mkdir()
        asyncio.run(make_world(servers, settings))
        services = Services(settings)
        services.start("sink", "api")
        try:
            services.wait_until_ready()
            measured = uvloop.run(_measure(settings, services, load))
            log = services.log("api").read_text()
        finally:
            services.stop()
        measured["log_lines"] = len(log.splitlines())
        measured["tracebacks"] = log.count("Traceback")
        if measured["tracebacks"]:
            click.echo(log[log.index("Traceback") :][:_SHOWN], err=True)
    machine = {"cores": psutil.cpu_count(), "python": platform.python_version(), "load": round(os.getloadavg()[0], 1)}
    click.echo(json.dumps({"hostile_clients": measured, "machine": machine}, indent=2))


async def _measure(settings: Settings, services: Services, load: Load) -> dict[str, Any]:
    url = str(services.details("api")["url"])
    assert settings.postgres.dsn
    async with (
        asyncpg.create_pool(settings.postgres.dsn.get_secret_value(), min_size=1, max_size=2) as pool,
        feed(settings) as topics,
    ):
        ingest, honest = Ingest(settings, topics, pool, load.events_per_s), Honest(url)
        await ingest.give(ROUND)
        await until(lambda: services.details("api").get("live_trouble", "") is None, "the API follows new events")
        services.stop_one("sink")
        await ingest.give(load.backlog)
        services.start("sink")
        services.wait_until_ready()
        giving = asyncio.create_task(ingest.go_on())
        reading = asyncio.create_task(honest.read())
        await asyncio.sleep(SETTLE_S)
        honest.take()
        psutil.Process(services.pid("api")).nice(SERVING_NICE)
        alone = Meter({"api": services.pid("api")})
        alone.start()
        _, ingest_before = await ingest.measured(asyncio.sleep(load.quiet_s))
        before, used_before = honest.take(), alone.stop()["api"]
        beside = Meter({"api": services.pid("api")})
        beside.start()
        began = time.perf_counter()
        made, ingest_during = await ingest.measured(_attacked(url, load))
        took_s = time.perf_counter() - began
        during, used = honest.take(), beside.stop()["api"]
        await until(lambda: services.details("api")["connections"] <= 2, "the attackers' connections are gone")
        _, ingest_after = await ingest.measured(asyncio.sleep(load.quiet_s))
        after = honest.take()
        for task in (giving, reading):
            task.cancel()
        return {
            "requests": sum(number for name, number in made.items() if name != "cut"),
            "attacks": made,
            "seconds": round(took_s, 1),
            "honest": {"before": before, "during": during, "after": after},
            "ingest": {"before": ingest_before, "during": ingest_during, "after": ingest_after},
            "api_before_mb": round(used_before.peak_bytes / MB),
            "api_peak_mb": round(used.peak_bytes / MB),
            "api_end_mb": round(used.end_bytes / MB),
            "api_cores": round(used.cpu_s / took_s, 2),
        }


async def _attacked(url: str, load: Load) -> dict[str, int]:
    """Attack from another process; how many requests were made, by attack."""
    numbers = ["--requests", str(load.requests), "--at-once", str(load.at_once)]
    command = ["--attack-port", url.rpartition(":")[2], *numbers]
    attackers = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.bench_api_hostile", *command, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await attackers.communicate()
    made: dict[str, int] = json.loads(said)
    return made


if __name__ == "__main__":
    main()
