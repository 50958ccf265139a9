"""Rebuild against bare writing: the rate of `bigbrotr rebuild` as a share of a COPY-and-insert of the same rows.

Run by `python -m tests.bench.bench_rebuild [EVENTS] [JOBS]`, and by `make bench` (default 200,000 events with 2.4
sightings each). Bare writing has its rows in memory, prepared, and does nothing but what a load must do: binary COPY
into a temporary table and INSERT … SELECT … ON CONFLICT into the same tables with the same indexes, in batches of the
same size, events and sightings, one pass over one connection. The rebuild reads Kafka, decodes, checks, folds, moves
offsets. Both run in the same minutes on the same servers, in turns, and the best of each counts: compare the ratio.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil
import uvloop
from pydantic import SecretStr

from core import kafka, postgres
from core.archive.connection import Connection
from core.archive.rows import EVENT_COLUMNS, EventRow
from core.kafka.topics import create_topics
from core.settings import Settings, load_settings
from deploy.embedded.stack import ensure_servers
from schemas.nostr.event import Event
from schemas.nostr.event_id import IdForm
from sinks.integrity.digest import archive_digest
from sinks.migrate import migrate
from sinks.rebuild.run import Plan, default_jobs, rebuild
from sinks.rows import event_row
from tests.bench.bench_sink import usual_event
from tests.bench.usage import Meter
from tests.broker.sinks.material import feed

EVENTS = 200_000
"""At the usual rates some seconds, and forty batches."""
ROUNDS = 3
"""The best of three: other work on the machine only ever adds time."""
RELAYS = 3
TARGET = 0.8
"""The share of the bare rate that a rebuild should reach."""

_NAMES = ", ".join(EVENT_COLUMNS)
_PREPARE = """
SET LOCAL synchronous_commit = off;
CREATE TEMPORARY TABLE IF NOT EXISTS bare_events (LIKE events) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS bare_sightings (LIKE sightings) ON COMMIT DELETE ROWS;
"""
_EVENTS = f"INSERT INTO events ({_NAMES}) SELECT {_NAMES} FROM bare_events ON CONFLICT DO NOTHING"
_SIGHTINGS = "INSERT INTO sightings SELECT * FROM bare_sightings ON CONFLICT DO NOTHING"

SightingRow = tuple[int, bytes, list[int], list[int]]


class Cost(NamedTuple):
    """Seconds on the clock, CPU seconds of clients and of servers, the memory of the rebuild's processes in bytes."""

    wall_s: float
    clients_s: float
    servers_s: float
    peak_bytes: int


class Silent:
    """A watcher that shows nothing: showing must not be part of the cost."""

    def progress(self, done: int, total: int) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""


def holders(number: int) -> list[int]:
    """The relays that have an event: all of them for two of five events, else all but the last; 2.4 in the mean."""
    return list(range(RELAYS if number % 5 < 2 else RELAYS - 1))


async def fill_topics(settings: Settings, events: list[Event], batch: int) -> None:
    """Publish the events and who had them as the processor would, bundle by bundle."""
    async with feed(settings) as fed:
        for first in range(0, len(events), batch):
            part = events[first : first + batch]
            await fed.events(part)
            for relay in range(RELAYS):
                for moment in range(0, len(part), 250):
                    held = [
                        each
                        for number, each in enumerate(part[moment : moment + 250], first + moment)
                        if relay in holders(number)
                    ]
                    await fed.sightings(held, f"wss://relay{relay}.example", moment)


def prepared(events: list[Event]) -> tuple[list[EventRow], list[SightingRow]]:
    """The rows in memory, in the order of arrival."""
    rows = [event_row(each, IdForm.NIP01.value) for each in events]
    sightings = [
        (row.created_at, row.id, held, [moment] * len(held))
        for moment, (held, row) in enumerate(zip(map(holders, range(len(rows))), rows, strict=True))
    ]
    return rows, sightings


async def write_bare(connection: Connection, rows: list[EventRow], sightings: list[SightingRow], batch: int) -> None:
    """Load the rows and do nothing else."""
    for first in range(0, len(rows), batch):
        async with connection.transaction():
            await connection.execute(_PREPARE)
            for table, part, statement in (
                ("bare_events", rows[first : first + batch], _EVENTS),
                ("bare_sightings", sightings[first : first + batch], _SIGHTINGS),
            ):
                await connection.copy_records_to_table(table, records=part)
                await connection.execute(statement)


def cpu_seconds(pids: list[int]) -> float:
    """What processes have used, with their children: those that ended, and those that live."""
    used = 0.0
    for root in map(psutil.Process, pids):
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used += times.user + times.system + times.children_user + times.children_system
    return used


def in_schema(settings: Settings, schema: str) -> Settings:
    """The same settings but for the schema."""
    return settings.model_copy(update={"postgres": settings.postgres.model_copy(update={"schema": schema})})


async def drop(settings: Settings, schema: str) -> None:
    """Remove a schema, and let the server finish what that leaves to do."""
    pool = await postgres.pool(settings, command_timeout=None)
    await pool.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    await pool.execute("CHECKPOINT")
    pool.terminate()


async def measure_bare(
    settings: Settings, servers: list[int], rows: list[EventRow], sightings: list[SightingRow], *, with_digest: bool
) -> tuple[Cost, str]:
    """Write into a schema of its own; also the digest of what is there then, if wanted."""
    pool = await postgres.pool(in_schema(settings, "bare"), min_size=1, max_size=1, command_timeout=None)
    async with pool.acquire() as connection:
        await migrate(connection)
        await connection.executemany(
            "INSERT INTO relays OVERRIDING SYSTEM VALUE VALUES ($1, $2)",
            [(relay, f"wss://relay{relay}.example") for relay in range(RELAYS)],
        )
        server_s, cpu_s, wall_s = cpu_seconds(servers), time.process_time(), time.perf_counter()
        await write_bare(connection, rows, sightings, settings.sink.batch_events)
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        cost = Cost(wall_s, cpu_s, cpu_seconds(servers) - server_s, 0)
    digest = (await archive_digest(pool)).hexdigest() if with_digest else ""
    pool.terminate()
    await drop(settings, "bare")
    return cost, digest


async def measure_rebuild(settings: Settings, servers: list[int], jobs: int, *, with_digest: bool) -> tuple[Cost, str]:
    """Rebuild into a schema of its own; also the digest of what is there then, if wanted."""
    filled = in_schema(settings, "rebuilt")
    pool = await postgres.pool(filled, min_size=1, max_size=1, command_timeout=None)
    async with pool.acquire() as connection:
        await migrate(connection)
    ours = Meter({"rebuild": os.getpid()})
    own = psutil.Process().memory_full_info().pss
    ours.start()
    server_s, client_s = cpu_seconds(servers), cpu_seconds([os.getpid()])
    done = await rebuild(settings, Plan(filled, None, again=False, jobs=jobs), Silent())
    server_s, client_s = cpu_seconds(servers) - server_s, cpu_seconds([os.getpid()]) - client_s
    peak_bytes = ours.stop()["rebuild"].peak_bytes - own
    digest = (await archive_digest(pool)).hexdigest() if with_digest else ""
    pool.terminate()
    await drop(settings, "rebuilt")
    return Cost(done.seconds, client_s, server_s, peak_bytes), digest


async def measure(settings: Settings, pids: list[int], events: int, jobs: int) -> float:
    """Print what both cost and the ratio of their rates; return that."""
    made = [usual_event(number) for number in range(events)]
    await fill_topics(settings, made, settings.sink.batch_events)
    rows, sightings = prepared(made)
    del made
    bare: list[Cost] = []
    rebuilt: list[Cost] = []
    for number in range(ROUNDS):
        # Equal rows are shown once: reading all of them takes longer than writing them.
        cost, expected = await measure_bare(settings, pids, rows, sightings, with_digest=not number)
        bare.append(cost)
        cost, digest = await measure_rebuild(settings, pids, jobs, with_digest=not number)
        rebuilt.append(cost)
        assert digest == expected, "the rebuilt archive is not the one that was written bare"
    print(f"{events:,} events with 2.4 sightings each, best of {ROUNDS}, {os.cpu_count()} cores, {jobs} jobs")
    for name, costs in (("bare", bare), ("rebuild", rebuilt)):
        best = min(costs)
        per_event = (best.clients_s / events * 1e6, best.servers_s / events * 1e6)
        print(
            f"  {name:8} {events / best.wall_s:8,.0f} events/s; CPU-µs an event: client {per_event[0]:5.1f}, "
            f"servers {per_event[1]:5.1f}" + (f"; memory {best.peak_bytes / 2**20:,.0f} MiB" if best.peak_bytes else "")
        )
    ratio = min(bare).wall_s / min(rebuilt).wall_s
    print(f"  rebuild / bare: {ratio:.2f} (asked for: {TARGET}); load of the machine {os.getloadavg()[0]:.1f}")
    return ratio


async def main() -> None:
    """Measure, on the servers of the settings or on embedded ones that are started for it."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else default_jobs()
    name = f"bench_rebuild_{os.getpid()}"
    with TemporaryDirectory(prefix="bigbrotr-bench-") as directory:
        given = load_settings(data_dir=Path(directory))  # of embedded servers: they and all that they hold go with it
        with ensure_servers(given) as settings:
            await _in_its_own(settings, name, events, jobs)


async def _in_its_own(settings: Settings, name: str, events: int, jobs: int) -> None:
    """Measure in a database and topics that are made for it and removed after it."""
    assert settings.postgres.dsn is not None
    url = urlsplit(settings.postgres.dsn.get_secret_value())
    dsn = SecretStr(urlunsplit(url._replace(path=f"/{name}")))
    mine = settings.model_copy(
        update={
            "kafka": settings.kafka.model_copy(update={"topic_prefix": f"{name}."}),
            "postgres": settings.postgres.model_copy(update={"dsn": dsn}),
            "sink": settings.sink.model_copy(update={"group_id": name}),
        }
    )
    owner = await asyncpg.connect(urlunsplit(url))
    admin = await kafka.admin(settings)
    await owner.execute(f"CREATE DATABASE {name}")
    try:
        await create_topics(mine)
        backend = psutil.Process(await owner.fetchval("SELECT pg_backend_pid()"))
        postmaster, guard = backend.parents()[:2]
        broker = next(each for each in guard.children() if each != postmaster)
        await measure(mine, [postmaster.pid, broker.pid], events, jobs)
    finally:
        await admin.delete_topics([topic for topic in await admin.list_topics() if topic.startswith(f"{name}.")])
        await kafka.stop_client(admin)
        await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await owner.close()


if __name__ == "__main__":
    uvloop.run(main())
