"""What a copy costs the processor: CPU-µs and copies a second, signatures and Kafka client included.

Run by `python -m tests.bench.bench_processor [EVENTS]` (default 50,000 events, held 2.4 times by three relays). Kafka
is that of `BIGBROTR_KAFKA__BOOTSTRAP_SERVERS`, or an embedded one. The CPU time of a processor that starts on empty
topics and stops is measured first, and taken off.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from core.kafka.topics import create_topics
from core.settings import Settings, load_settings
from deploy.demo.events import generate
from deploy.embedded.stack import ensure_servers
from tests.broker.processors.harness import Line, all_committed, bundles, line, processor, produce, records

EVENTS = 50_000
BASE_TIME_S = 1_700_000_000
APART = 300  # events between the copies of one from two relays: they meet in different bundles
RELAYS = 3


def copies(events: int) -> list[Line]:
    """2.4 copies of each event: three relays have the first two of five, two relays have the others."""
    placed = []
    for number, event in enumerate(generate(events, seed=1, base_time_s=BASE_TIME_S)):
        for relay in range(RELAYS if number % 5 < 2 else RELAYS - 1):
            seen_at_ms = BASE_TIME_S * 1000 + number // 10
            placed.append((number + relay * APART, line(event.id, event.wire, f"wss://r{relay}.example", seen_at_ms)))
    placed.sort(key=lambda pair: pair[0])
    return [made for _, made in placed]


async def run(settings: Settings, directory: Path, made: list[tuple[int, bytes]]) -> tuple[float, float]:
    """Judge bundles that are there already; return CPU seconds of the process, and seconds until all are committed."""
    settings = settings.model_copy(
        update={"kafka": settings.kafka.model_copy(update={"topic_prefix": f"bench{time.time_ns()}."})}
    )
    await create_topics(settings)
    await produce(settings, made)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with processor(settings, directory) as process:
        await process.ready()
        began = time.perf_counter()
        await all_committed(settings, made)
        took_s = time.perf_counter() - began
        assert await process.stop() == 0, process.log()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if made:
        print(f"events published: {len(await records(settings, 'events'))}, memory {after.ru_maxrss / 1024:.0f} MiB")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, took_s


async def main() -> None:
    """Measure and print."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    with tempfile.TemporaryDirectory() as name, ensure_servers(load_settings()) as settings:
        lines = copies(events)
        made = bundles(lines, settings.kafka.partitions)
        start_s, _ = await run(settings, Path(name), [])
        cpu_s, took_s = await run(settings, Path(name), made)
    cost = (cpu_s - start_s) / len(lines) * 1e6
    print(f"{len(lines)} copies of {events} events in {len(made)} bundles, {os.cpu_count()} cores")
    print(f"{cost:.1f} CPU-µs a copy ({start_s:.1f} s of CPU for start and stop taken off)")
    print(f"{len(lines) / took_s:,.0f} copies/s, {events / took_s:,.0f} distinct events/s")


if __name__ == "__main__":
    asyncio.run(main())
