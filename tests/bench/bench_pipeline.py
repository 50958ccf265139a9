"""The whole pipeline, from sockets to committed rows: `python -m tests.bench.bench_pipeline --events 100000`.

Generated events, held 2.4 times on average by four local relays, are read by one connector, judged by one processor and
written by one sink, each a process of its own, through the embedded Kafka and PostgreSQL. The clock starts when the
services are up and the relays are announced, and stops when every event and every sighting is committed. A run counts
only if the archive's digest is the one that the relays' own account gives.
"""

from __future__ import annotations

import asyncio
import json
import platform
import tempfile
import time
from pathlib import Path

import click
import psutil
from rich.console import Console
from rich.table import Table

from core.settings.model import Settings
from deploy.embedded.paths import DataPaths
from deploy.embedded.stack import running_stack
from deploy.embedded.state import read_state
from tests.bench.usage import Meter, Used
from tests.pipeline.archive import Archive
from tests.pipeline.services import NAMES, Services
from tests.pipeline.world import announce, connect, make_world, settings_for
from tests.relays.demo_process import DemoProcess, demo_relays
from tests.waiting import until

LIMIT_S = 1800.0  # ends a run that hangs; an honest one takes seconds per ten thousand events
POLL_S = 0.1
US = 1e6
MB = 1e6


@click.command()
@click.option("--events", default=100_000, show_default=True, help="Distinct events.")
@click.option("--relays", default=4, show_default=True, help="Local relays; each keeps at most 75,000 events.")
@click.option("--copies", default=2.4, show_default=True, help="Relays that hold an event, on average.")
@click.option("--seed", default=1, show_default=True, help="Of the generated events.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object instead of a table.")
def main(*, events: int, relays: int, copies: float, seed: int, as_json: bool) -> None:
    """Measure distinct events per second, CPU time per event and memory of each process."""
    say = Console(stderr=True).print
    with tempfile.TemporaryDirectory(prefix="bigbrotr-bench-") as folder:
        say("starting Kafka and PostgreSQL …")
        with running_stack(Path(folder)) as servers:
            settings = settings_for(servers, "bench", Path(folder))
            asyncio.run(make_world(servers, settings))
            say(f"filling {relays} relays with {events:,} events, {copies} copies of each …")
            with demo_relays(relays=relays, events=events, copies=copies, seed=seed) as demo:
                result = _measure(settings, demo)
    click.echo(json.dumps(result)) if as_json else _print(result)
    if not result["digest_equal"]:
        raise click.exceptions.Exit(1)


def _measure(settings: Settings, demo: DemoProcess) -> dict[str, object]:
    services = Services(settings)
    archive = Archive(settings, services)
    services.start(*NAMES)
    try:
        services.wait_until_ready()
        meter = Meter(_pids(settings, services, demo))
        meter.start()
        started = time.monotonic()
        asyncio.run(announce(settings, *demo.urls))
        asyncio.run(_wait(settings, archive, services, demo.offer["events"], demo.offer["pairs"]))
        seconds = time.monotonic() - started
        used = meter.stop()
        digest = asyncio.run(archive.digest())
    finally:
        codes = services.stop()
    return _result(demo, seconds, used, digest.hexdigest() == demo.offer["digest"]["all"], codes)


def _pids(settings: Settings, services: Services, demo: DemoProcess) -> dict[str, int]:
    state = read_state(DataPaths.of(settings.data_dir).run)
    assert state
    servers = {name: server.process.pid for name, server in state.servers.items() if server.process}
    return {"relays": demo.pid, **{name: services.pid(name) for name in NAMES}, **servers}


async def _wait(settings: Settings, archive: Archive, services: Services, events: int, pairs: int) -> None:
    """Wait for the last commit; the sink's offsets tell when to look, because counting rows would cost CPU time too."""
    topic = f"{settings.kafka.topic_prefix}events"
    query = "SELECT coalesce(sum(next_offset), 0) FROM sink_offsets WHERE topic = $1"
    connection = await connect(settings)
    try:

        async def all_read() -> bool:
            services.check()
            return int(await connection.fetchval(query, topic)) >= events

        await until(all_read, f"the sink has read {events} events", LIMIT_S, POLL_S)
    finally:
        await connection.close()
    await archive.until_counts(events, pairs, LIMIT_S)


def _result(
    demo: DemoProcess, seconds: float, used: dict[str, Used], equal: bool, codes: dict[str, int]
) -> dict[str, object]:
    events = demo.offer["events"]
    everything_s = sum(use.cpu_s for use in used.values())
    return {
        "events": events,
        "copies": demo.offer["pairs"],
        "seconds": round(seconds, 2),
        "events_per_s": round(events / seconds),
        "copies_per_s": round(demo.offer["pairs"] / seconds),
        "digest_equal": equal,
        "exit_codes": codes,
        "processes": {
            name: {
                "cpu_s": round(use.cpu_s, 2),
                "cpu_us_per_event": round(use.cpu_s / events * US, 1),
                "share": round(use.cpu_s / everything_s, 2),
                "cores": round(use.cpu_s / seconds, 2),
                "peak_mb": round(use.peak_bytes / MB),
            }
            for name, use in used.items()
        },
        "machine": {"cores": psutil.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
    }


def _print(result: dict[str, object]) -> None:
    processes = result["processes"]
    assert isinstance(processes, dict)
    table = Table("process", "CPU s", "CPU µs per event", "of all CPU", "cores", "peak MB")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, use in processes.items():
        table.add_row(name, *(f"{value:,}" for value in use.values()))
    ours = sum(processes[name]["cpu_us_per_event"] for name in NAMES)
    everything = sum(use["cpu_us_per_event"] for use in processes.values())
    console = Console()
    console.print(table)
    console.print(
        f"{result['events']:,} events, {result['copies']:,} copies in {result['seconds']} s: "
        f"[bold]{result['events_per_s']:,} distinct events/s[/bold]; "
        f"{ours:.0f} µs per event in our processes, {everything:.0f} in all; "
        f"digest {'equal' if result['digest_equal'] else 'NOT EQUAL'}"
    )


if __name__ == "__main__":
    main()
