"""Hostile clients of one API process: `python -m tests.bench.bench_api_hostile --requests 100000`.

An archive of some thousand events is served while a sink goes on to fill it. An honest client reads throughout, over
REST and over a websocket. Measured without and beside the attackers (`tests.broker.api.attackers`): how long the honest
client waits, how fast the sink is, and what memory the API takes. Attackers are a process of their own with a low
priority: elsewhere they would not take the processor from what they attack. Compare the figures of one run.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import click
import psutil
import uvloop

from core.settings import Settings
from deploy.embedded.stack import running_stack
from tests.bench.usage import Meter
from tests.broker.api.attackers import attack
from tests.broker.api.relay.client import connected
from tests.broker.sinks.material import Feed, all_read, event, feed
from tests.pipeline.services import Services
from tests.pipeline.world import make_world, settings_for
from tests.waiting import until

ROUND = 5_000
"""Events that the sink is given at once: a second or two of its time."""
PAUSE_S = 0.2
"""Between requests of the honest client, which keeps to its rate limit."""
HONEST_S = 20.0
"""An answer that takes longer counts as none."""
MB = 1e6
_NICE = 10
"""Of the attackers."""
_SHOWN = 20_000
"""Characters of the log, from its first traceback."""


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
                self.failed[type(error).__name__] += 1

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
    """Gives the sink events, and times it."""

    def __init__(self, settings: Settings, topics: Feed, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._settings = settings
        self._topics = topics
        self._pool = pool
        self._given = 0

    async def round(self) -> float:
        """Events a second."""
        events = [event(number) for number in range(self._given, self._given + ROUND)]
        self._given += ROUND
        began = time.perf_counter()
        await self._topics.events(events)
        await all_read(self._settings, self._pool)
        return ROUND / (time.perf_counter() - began)


@click.command()
@click.option("--requests", default=100_000, show_default=True, help="Of all attackers.")
@click.option("--at-once", default=100, show_default=True, help="Attackers.")
@click.option("--rounds", default=4, show_default=True, help="Of the sink before the attack.")
@click.option("--attack-port", hidden=True, type=int, help="Attack this port, and do nothing else.")
def main(*, requests: int, at_once: int, rounds: int, attack_port: int | None) -> None:
    """Measure what hostile clients do to the API, to an honest client and to the sink."""
    if attack_port is not None:
        os.nice(_NICE)
        click.echo(json.dumps(uvloop.run(attack(attack_port, requests, at_once=at_once))))
        return
    with tempfile.TemporaryDirectory(prefix="bigbrotr-bench-") as folder, running_stack(Path(folder)) as servers:
        settings = settings_for(servers, "hostile_clients", Path(folder) / "data")
        settings.data_dir.mkdir()
        asyncio.run(make_world(servers, settings))
        services = Services(settings)
        services.start("sink", "api")
        try:
            services.wait_until_ready()
            measured = uvloop.run(_measure(settings, services, requests, at_once, rounds))
            log = services.log("api").read_text()
        finally:
            services.stop()
        measured["log_lines"] = len(log.splitlines())
        measured["tracebacks"] = log.count("Traceback")
        if measured["tracebacks"]:
            click.echo(log[log.index("Traceback") :][:_SHOWN], err=True)
    machine = {"cores": psutil.cpu_count(), "python": platform.python_version(), "load": round(os.getloadavg()[0], 1)}
    click.echo(json.dumps({"hostile_clients": measured, "machine": machine}, indent=2))


async def _measure(settings: Settings, services: Services, requests: int, at_once: int, rounds: int) -> dict[str, Any]:
    url = str(services.details("api")["url"])
    assert settings.postgres.dsn
    async with (
        asyncpg.create_pool(settings.postgres.dsn.get_secret_value(), min_size=1, max_size=2) as pool,
        feed(settings) as topics,
    ):
        ingest, honest = Ingest(settings, topics, pool), Honest(url)
        await ingest.round()
        await until(lambda: services.details("api").get("live_trouble", "") is None, "the API follows new events")
        reading = asyncio.create_task(honest.read())
        alone = Meter({"api": services.pid("api")})
        alone.start()
        rates = [await ingest.round() for _ in range(rounds)]
        before, used_before = honest.take(), alone.stop()["api"]
        beside = Meter({"api": services.pid("api")})
        beside.start()
        began = time.perf_counter()
        made, attacked = await _attacked(url, requests, at_once, ingest)
        took_s = time.perf_counter() - began
        during, used = honest.take(), beside.stop()["api"]
        await until(lambda: services.details("api")["connections"] <= 2, "the attackers' connections are gone")
        await ingest.round()
        after = honest.take()
        reading.cancel()
        ingest_before, ingest_during = sum(rates) / len(rates), sum(attacked) / max(1, len(attacked))
        return {
            "requests": sum(number for name, number in made.items() if name != "cut"),
            "attacks": made,
            "seconds": round(took_s, 1),
            "honest": {"before": before, "during": during, "after": after},
            "ingest_before_per_s": round(ingest_before),
            "ingest_during_per_s": round(ingest_during),
            "ingest_ratio": round(ingest_during / ingest_before, 2),
            "api_before_mb": round(used_before.peak_bytes / MB),
            "api_peak_mb": round(used.peak_bytes / MB),
            "api_end_mb": round(used.end_bytes / MB),
            "api_cores": round(used.cpu_s / took_s, 2),
        }


async def _attacked(url: str, requests: int, at_once: int, ingest: Ingest) -> tuple[dict[str, int], list[float]]:
    """Have attackers attack, and the sink work meanwhile; the last round may end after them and is not counted."""
    command = ["--attack-port", url.rpartition(":")[2], "--requests", str(requests), "--at-once", str(at_once)]
    attackers = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.bench_api_hostile", *command, stdout=asyncio.subprocess.PIPE
    )
    assert attackers.stdout is not None
    said = asyncio.create_task(attackers.stdout.read())
    rates: list[float] = []
    while attackers.returncode is None:
        rate = await ingest.round()
        if attackers.returncode is None or not rates:
            rates.append(rate)
    made: dict[str, int] = json.loads(await said)
    return made, rates


if __name__ == "__main__":
    main()
