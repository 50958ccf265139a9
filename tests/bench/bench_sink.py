"""What an event costs the sink: ways to write a batch compared, then the whole way from topic to committed row.

Run by `python -m tests.bench.bench_sink [EVENTS]` (default 50,000 events with 2.4 sightings each). Servers are those of
the settings, or embedded ones; a database of its own is made and dropped. Every figure is from this run on this
machine: compare the ratios.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from core.archive.connection import Connection
from core.archive.rows import EVENT_COLUMNS, EventRow
from core.kafka.topics import create_topics
from core.settings import Settings, load_settings
from deploy.embedded.stack import ensure_servers
from schemas.nostr.event import Event
from schemas.nostr.event_id import IdForm
from sinks.migrate import migrate
from sinks.rows import event_row
from sinks.tables import TABLES
from sinks.tables.topic_tables.binary_copy import copy_events
from sinks.tables.topic_tables.events import INSERT
from sinks.writing.writer import preparation
from tests.bench.own_database import own_database
from tests.broker.sinks.material import event, feed, running_sink
from tests.waiting import until

EVENTS = 50_000
BATCH = 5_000
WAYS_EVENTS = 30_000
"""Six batches each way: enough for the indexes to grow past their first pages."""
ROUNDS = 3
"""The best of three: other work on the machine only ever adds time."""
AUTHORS, WORDS = 2_000, 20
RELAYS = 3

_NAMES = ", ".join(EVENT_COLUMNS)
_TYPES = (
    "$1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::integer[], $6::smallint[], "
    "$7::bytea[], $8::bytea[], $9::text[], $10::jsonb[], $11::text[], $12::bytea[]"
)
_UNNEST = (
    f"INSERT INTO events ({_NAMES}) SELECT {_NAMES.replace('tag_hashes', 'tag_hashes::bigint[]')} "
    f"FROM unnest({_TYPES}) AS batch ({_NAMES}) ON CONFLICT DO NOTHING"
)
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})

Way = Callable[[Connection, list[EventRow]], Awaitable[object]]


def usual_event(number: int) -> Event:
    """An event of about the mean size on relays: a reply with a few tags and 20 words."""
    rng = random.Random(number)
    tags = [["e", rng.randbytes(32).hex(), "wss://relay.example.com", "reply"]] * rng.choice([0, 1, 1])
    tags += [["p", random.Random(rng.randrange(AUTHORS)).randbytes(32).hex()] for _ in range(rng.choice([0, 1, 2]))]
    return event(number, content="word " * rng.randrange(2 * WORDS), tags=tags, kind=rng.choice([1, 1, 7, 6, 0]))


async def by_copy(connection: Connection, rows: list[EventRow]) -> object:
    """The way in use: binary COPY to a temporary table, then INSERT … SELECT."""
    await copy_events(connection, sorted(rows))
    return await connection.execute(INSERT)


async def by_unnest(connection: Connection, rows: list[EventRow]) -> object:
    """One array a column; arrays of arrays cannot be ragged, so the hashes go as text."""
    columns: list[Any] = [list(column) for column in zip(*rows, strict=True)]
    place = EVENT_COLUMNS.index("tag_hashes")
    columns[place] = [_array(hashes) for hashes in columns[place]]
    return await connection.execute(_UNNEST, *columns)


async def by_text(connection: Connection, rows: list[EventRow]) -> object:
    """COPY of text that is put together here."""

    async def source() -> AsyncIterator[bytes]:
        yield "".join(_text(row) for row in rows).encode()

    await connection.copy_to_table("batch_events", source=source(), columns=EVENT_COLUMNS, format="text")
    return await connection.execute(INSERT)


def _array(numbers: Sequence[int]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"


def _text(row: EventRow) -> str:
    values = []
    for value in row:
        match value:
            case None:
                values.append("\\N")
            case bytes():
                values.append("\\\\x" + value.hex())
            case list():
                values.append(_array(value))
            case _:
                values.append(str(value).translate(_ESCAPES))
    return "\t".join(values) + "\n"


async def compare_ways(dsn: str) -> None:
    """Print the cost of each way of writing the same rows, for this process and for the server."""
    rows = [event_row(usual_event(number), IdForm.NIP01.value) for number in range(WAYS_EVENTS)]
    connection = await asyncpg.connect(dsn)
    ways: dict[str, Way] = {"COPY binary": by_copy, "UNNEST": by_unnest, "COPY text": by_text}
    best: dict[str, tuple[float, float]] = {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            cost = await _cost(connection, way, rows)
            best[name] = min(best.get(name, cost), cost, key=sum)
    await connection.execute("TRUNCATE events")
    await connection.close()
    reference = sum(best["COPY binary"])
    print(f"writing {len(rows)} events in batches of {BATCH}, CPU-µs an event")
    for name, (ours, servers) in best.items():
        print(f"  {name:12} client {ours:5.1f}  server {servers:5.1f}  ratio {(ours + servers) / reference:.2f}")


async def _cost(connection: Connection, way: Way, rows: list[EventRow]) -> tuple[float, float]:
    await connection.execute("TRUNCATE events")
    ours_s, servers_s = time.process_time(), await _server_cpu_s(connection)
    for first in range(0, len(rows), BATCH):
        async with connection.transaction():
            await connection.execute(preparation(TABLES))
            await way(connection, rows[first : first + BATCH])
    ours_s, servers_s = time.process_time() - ours_s, await _server_cpu_s(connection) - servers_s
    return ours_s / len(rows) * 1e6, servers_s / len(rows) * 1e6


async def _server_cpu_s(connection: Connection) -> float:
    """CPU seconds of the connection's server process, which must be on this machine."""
    pid = await connection.fetchval("SELECT pg_backend_pid()")
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()  # noqa: ASYNC240 - no disk behind it
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure_sink(settings: Settings, events: int) -> None:
    """Print what the whole sink costs: fetch, decode, fold, write, commit."""
    made = [usual_event(number) for number in range(events)]
    async with feed(settings) as fed:
        for first in range(0, events, BATCH):
            part = made[first : first + BATCH]
            await fed.events(part)
            for relay in range(RELAYS):
                for moment in range(0, len(part), 100):
                    held = [
                        each for n, each in enumerate(part[moment : moment + 100]) if relay < RELAYS - 1 or n % 5 < 2
                    ]
                    await fed.sightings(held, f"wss://relay{relay}.example", moment)
    assert settings.postgres.dsn is not None
    watcher = await asyncpg.connect(settings.postgres.dsn.get_secret_value())
    gc.freeze()  # the collector must not walk what this program made before
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    async with running_sink(settings):

        async def complete() -> object:
            await asyncio.sleep(0.1)  # looking is not to be part of the cost
            return (
                await watcher.fetchval("SELECT count(*) FROM events") == events
                and await watcher.fetchval("SELECT sum(cardinality(relay_ids)) FROM sightings") == events * 12 // 5
            )

        await until(complete, "the archive holds everything", 600)
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    await watcher.close()
    print(f"topic to row, {events} events with 2.4 sightings each, one instance, {os.cpu_count()} cores")
    print(f"  {cpu_s / events * 1e6:.1f} CPU-µs an event in the sink, {events / wall_s:,.0f} events/s")


async def main() -> None:
    """Measure and print."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    with ensure_servers(load_settings()) as given:
        async with own_database(given, "bench_sink") as settings:
            assert settings.postgres.dsn is not None
            dsn = settings.postgres.dsn.get_secret_value()
            connection = await asyncpg.connect(dsn)
            await migrate(connection)
            await connection.close()
            await compare_ways(dsn)
            await create_topics(settings)
            await measure_sink(settings, events)


if __name__ == "__main__":
    uvloop.run(main())
