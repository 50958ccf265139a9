"""Many relays on one connector: `python -m tests.bench.bench_many --idle 3000 --busy 300`.

What the connector takes of memory and processor time for relays that have nothing, and for relays that send one new
event a second each, once all of them are followed live. The relays are one process, and a processor takes the bundles.
"""

from __future__ import annotations

import asyncio
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import click
import psutil
from rich.console import Console
from rich.table import Table

from core.settings.model import Settings
from deploy.embedded.stack import Servers, running_stack
from producers.relay_client.page_subscription import RELEASED_S
from tests.bench.hostile.child import child
from tests.bench.usage import Meter
from tests.pipeline.services import Services
from tests.pipeline.world import announce, make_world, settings_for
from tests.waiting import until

MB = 1e6
_LIVE_S = 600.0
"""Until all are followed: a visit holds its first question for ten seconds, and 3,000 handshakes take some too."""
_LIVE = 'bigbrotr_relays{state="live"}'
"""The status of 3,000 relays is 3 MB, and the connector makes it."""
_POLL_S = 2.0
_SETTLED_S = RELEASED_S + 5
"""For so long the last questions of a crawl are kept."""
_PLACES = 2
"""Connections allowed for each relay: a quarter of them is for the priority lane."""


@click.command()
@click.option("--idle", default=3_000, show_default=True, help="Relays that send nothing.")
@click.option("--busy", default=300, show_default=True, help="Relays that send one event a second each.")
@click.option("--seconds", default=30.0, show_default=True, help="To measure for, once all are followed.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object instead of a table.")
def main(*, idle: int, busy: int, seconds: float, as_json: bool) -> None:
    """Measure memory and CPU time of one connector with many relays."""
    say = Console(stderr=True).print
    rows = []
    with tempfile.TemporaryDirectory(prefix="bigbrotr-bench-") as folder, running_stack(Path(folder)) as servers:
        for name, count, rate in (("none", 0, 0.0), ("idle", idle, 0.0), ("busy", busy, 1.0)):
            say(f"{name}: {count:,} relays, {rate:g} events/s each …")
            measured = _measure(servers, Path(folder) / name, _Load(count, rate), seconds)
            rows.append({"relays": count, "events_per_s": rate, **measured})
            say(f"{name}: {measured}")
    machine = {"cores": psutil.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    click.echo(json.dumps({"connector": rows, "machine": machine})) if as_json else _print(rows)


class _Load(NamedTuple):
    relays: int
    rate: float


def _measure(servers: Servers, folder: Path, load: _Load, seconds: float) -> dict[str, float]:
    folder.mkdir()
    settings = settings_for(servers, folder.name, folder)
    asyncio.run(make_world(servers, settings))
    services = Services(settings, BIGBROTR_CONNECTOR__MAX_CONNECTIONS=str(max(4, _PLACES * load.relays)))
    services.start("connector", "processor")
    try:
        with child("relays", load.relays, load.rate, _LIVE_S + seconds, package="tests.bench.many") as relays:
            services.wait_until_ready()
            began = time.monotonic()
            asyncio.run(_follow(settings, services, relays.urls))
            followed_s = time.monotonic() - began
            time.sleep(_SETTLED_S if load.relays else 0.0)
            before = services.metric("connector", "bigbrotr_received_copies_total") or 0.0
            meter = Meter({"connector": services.pid("connector")})
            meter.start()
            time.sleep(seconds)
            used = meter.stop()["connector"]
            copies = (services.metric("connector", "bigbrotr_received_copies_total") or 0.0) - before
    finally:
        services.stop()
    return {
        "followed_after_s": round(followed_s, 1),
        "copies_per_s": round(copies / seconds, 1),
        "cores": round(used.cpu_s / seconds, 3),
        "peak_mb": round(used.peak_bytes / MB),
        "end_mb": round(used.end_bytes / MB),
    }


async def _follow(settings: Settings, services: Services, urls: list[str]) -> None:
    await announce(settings, *urls)
    if not urls:
        return

    async def all_live() -> bool:
        services.check()
        return await asyncio.to_thread(services.metric, "connector", _LIVE) == len(urls)

    await until(all_live, f"all of {len(urls)} relays are followed", _LIVE_S, _POLL_S)


def _print(rows: list[dict[str, float]]) -> None:
    table = Table("relays", "events/s each", "followed after s", "copies/s", "cores", "peak MB", "at the end MB")
    for column in table.columns:
        column.justify = "right"
    for row in rows:
        table.add_row(*(f"{value:,}" for value in row.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
