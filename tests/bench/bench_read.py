"""How long reading takes in an archive of a million events, idle and while events are written at half the top rate.

Run by `make bench-read`, or `python -m tests.bench.bench_read [EVENTS] [ROUNDS]`. Servers are those of the settings, or
embedded ones; a database of its own is made and dropped. The sink and what feeds it are a process of their own, as in
use; all share the machine, so compare the figures of one run.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from multiprocessing import get_context
from typing import NamedTuple

import asyncpg
import uvloop

from core import postgres
from core.archive.connection import Pool, reading_options
from core.archive.queries.cost import Deadline
from core.archive.queries.newest import newest
from core.archive.queries.view import View
from core.archive.selection import Hide
from core.kafka.topics import create_topics
from core.settings import Settings, load_settings
from deploy.embedded.stack import ensure_servers
from schemas.nostr.filters import Filter
from sinks.migrate import migrate
from tests.bench.bench_sink import usual_event
from tests.bench.own_database import own_database
from tests.broker.core.queries.explained import cost
from tests.broker.sinks.material import feed, running_sink
from tests.waiting import until

EVENTS = 1_000_000
ROUNDS = 300
"""Readings of each sort: the third largest time is the p99."""
CLIENTS = 2
"""Which read at once, each the next when it has the last. More would measure how they wait for two cores."""
PORTION = 20_000
FIRST_S, END_S = 1_640_995_200, 1_796_083_200
"""59 months, from January 2022 to November 2026: what is written meanwhile is within the last of them."""
TOP_EVENTS = 30_000
"""Six batches of the sink, to find its top rate."""
BURST_S = 0.1
AUTHORS = 20_000

# Not signed: nothing here looks at that. Authors and tags are as unequal as people are.
_FILL = f"""
INSERT INTO events
SELECT at, id, key_prefix(id), key_prefix(pubkey), kind, 0, pubkey, sha512(id),
    ARRAY(SELECT tag_hash(tag ->> 0, tag ->> 1) FROM jsonb_array_elements(tags) AS tag), tags,
    repeat('word ', (number % 40)::int), NULL
FROM (
    SELECT number, {FIRST_S} + number * 2654435761 % {END_S - FIRST_S} AS at, sha256(number::text::bytea) AS id,
        sha256(('author' || floor({AUTHORS} * power(random(), 3)))::bytea) AS pubkey,
        (ARRAY[1,1,1,1,7,7,7,6,0,3,4,1059,1059,30023,10002,9735])[1 + floor(16 * random())::int] AS kind,
        jsonb_build_array(
            jsonb_build_array('p', encode(sha256(('author' || floor({AUTHORS} * power(random(), 3)))::bytea), 'hex')),
            jsonb_build_array('t', 'topic' || floor(1000 * power(random(), 2))),
            jsonb_build_array('e', encode(sha256(floor(1000000 * random())::text::bytea), 'hex'))
        ) AS tags
    FROM generate_series($1::bigint, $1::bigint + {PORTION - 1}) AS number
) AS made
"""


class Sort(NamedTuple):
    """A sort of readings: the filters are made of a random number, and the p99 should be within `target_ms`."""

    name: str
    target_ms: float
    limit: int
    filters: Callable[[random.Random], Filter]


class Asked(NamedTuple):
    """What exists and can be asked for."""

    ids: list[str]
    authors: list[str]

    def sorts(self) -> list[Sort]:
        """The sorts of the requirements, each as programs ask."""
        return [
            Sort("look-up of an id", 20, 1, lambda rng: Filter(ids=(rng.choice(self.ids),))),
            Sort("page of a kind", 100, 100, lambda rng: Filter(kinds=(rng.choice([0, 1, 3, 6, 7, 30_023]),))),
            Sort("page of an author", 100, 100, lambda rng: Filter(authors=(rng.choice(self.authors),))),
            Sort("page of a tag", 100, 100, lambda rng: Filter(tags={"t": (f"topic{rng.randrange(1000)}",)})),
            Sort(
                "page of mentions",
                100,
                100,
                lambda rng: Filter(tags={"p": (rng.choice(self.authors),)}, kinds=(1, 6, 7, 9735)),
            ),
            Sort(
                "REQ of 100 authors, 3 kinds",
                150,
                500,
                lambda rng: Filter(authors=tuple(rng.sample(self.authors, 100)), kinds=(1, 6, 30_023)),
            ),
            Sort("REQ of a kind", 150, 500, lambda rng: Filter(kinds=(rng.choice([1, 7]),))),
            Sort("REQ of everything", 150, 500, lambda _rng: Filter()),
        ]


VIEW = View(frozenset(Hide))


async def fill(dsn: str, events: int) -> Asked:
    """Write the archive, and say what there is to ask for."""
    connection = await asyncpg.connect(dsn)
    await migrate(connection)
    for first in range(0, events, PORTION):
        await connection.fetch(_FILL, first)
    await connection.execute("VACUUM ANALYZE")
    ids = await connection.fetch("SELECT encode(id, 'hex') AS id FROM events TABLESAMPLE SYSTEM (5) LIMIT 5000")
    authors = await connection.fetch(
        "SELECT DISTINCT encode(pubkey, 'hex') AS pubkey FROM events TABLESAMPLE SYSTEM (5) LIMIT 2000"
    )
    await connection.close()
    return Asked([row["id"] for row in ids], [row["pubkey"] for row in authors])


async def times_ms(pool: Pool, sort: Sort, rounds: int) -> list[float]:
    """How long each of some readings of a sort took, in milliseconds, sorted."""
    rng = random.Random(sort.name)
    wanted = [sort.filters(rng) for _ in range(rounds)]
    taken = []

    async def client() -> None:
        async with pool.acquire() as connection:
            while wanted:
                started = time.perf_counter()
                await newest(connection, wanted.pop(), VIEW, limit=sort.limit, deadline=Deadline(math.inf))
                taken.append((time.perf_counter() - started) * 1000)

    await asyncio.gather(*[client() for _ in range(CLIENTS)])
    return sorted(taken)


async def top_rate(settings: Settings) -> float:
    """Events that the sink writes in a second when all of them wait for it."""
    assert settings.postgres.dsn is not None
    watcher = await asyncpg.connect(settings.postgres.dsn.get_secret_value())
    before = await watcher.fetchval("SELECT sum(amount) FROM month_counts WHERE relation = 'events'")
    async with feed(settings) as fed:
        await fed.events(usual_event(number) for number in range(TOP_EVENTS))
    started = time.perf_counter()
    async with running_sink(settings):

        async def complete() -> bool:
            counted = await watcher.fetchval("SELECT sum(amount) FROM month_counts WHERE relation = 'events'")
            return bool(counted - before >= TOP_EVENTS)

        await until(complete, "the sink has written all", 600)
    await watcher.close()
    return TOP_EVENTS / (time.perf_counter() - started)


def write(settings: Settings, rate: float) -> None:
    """Feed the sink so many events a second until the process is ended."""
    uvloop.run(_write(settings, rate))


async def _write(settings: Settings, rate: float) -> None:
    async with feed(settings) as fed, running_sink(settings):
        started = time.perf_counter()
        for burst in count():
            first = TOP_EVENTS + int(burst * BURST_S * rate)
            await fed.events(usual_event(number) for number in range(first, first + int(BURST_S * rate)))
            await asyncio.sleep(max(0.0, started + (burst + 1) * BURST_S - time.perf_counter()))


@contextmanager
def writing(settings: Settings, rate: float) -> Iterator[None]:
    """A process of its own writes for the length of the block."""
    process = get_context("spawn").Process(target=write, args=(settings, rate))
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


async def measure(settings: Settings, events: int, rounds: int) -> None:
    """Fill, measure, print."""
    assert settings.postgres.dsn is not None
    started = time.perf_counter()
    asked = await fill(settings.postgres.dsn.get_secret_value(), events)
    print(f"{events} events in {time.perf_counter() - started:.0f} s; {os.cpu_count()} cores, load {os.getloadavg()}")
    # As the service `api` has them.
    options = reading_options(settings, patience_s=settings.api.query_timeout_s)
    async with await postgres.pool(settings, **options, min_size=1, max_size=CLIENTS) as pool:
        async with pool.acquire() as connection:
            for sort in asked.sorts():
                wanted = sort.filters(random.Random(1))
                reading = partial(newest, wanted=wanted, view=VIEW, limit=sort.limit, deadline=Deadline(math.inf))
                spent = await cost(connection, reading)
                print(f"  {sort.name:28} {spent.statements:3} statements {spent.buffers:6} pages")
        idle = await _all(pool, asked, rounds)
        await create_topics(settings)
        rate = await top_rate(settings)
        with writing(settings, rate / 2):
            await asyncio.sleep(5)
            before = await _count(pool)
            started = time.perf_counter()
            busy = await _all(pool, asked, rounds)
            written = (await _count(pool) - before) / (time.perf_counter() - started)
    print(f"the sink writes {rate:.0f} events/s at most, and {written:.0f} while this is read; load {os.getloadavg()}")
    print(f"  {'ms':28} idle p50    p99   writing p50    p99   bound")
    for sort, one, other in zip(asked.sorts(), idle, busy, strict=True):
        p99_idle, p99 = one[-1 - len(one) // 100], other[-1 - len(other) // 100]
        verdict = "" if p99 <= sort.target_ms or p99 <= 3 * p99_idle else "  MISSED"
        print(
            f"  {sort.name:28} {one[len(one) // 2]:8.1f} {p99_idle:6.1f} {other[len(other) // 2]:13.1f} {p99:6.1f}"
            f" {sort.target_ms:7.0f}{verdict}"
        )


async def _all(pool: Pool, asked: Asked, rounds: int) -> list[list[float]]:
    for sort in asked.sorts():
        await times_ms(pool, sort, 10)
    return [await times_ms(pool, sort, rounds) for sort in asked.sorts()]


async def _count(pool: Pool) -> int:
    return int(await pool.fetchval("SELECT sum(amount) FROM month_counts WHERE relation = 'events'"))


async def main() -> None:
    """Make a database, measure in it, drop it."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    with ensure_servers(load_settings()) as given:
        async with own_database(given, "bench_read") as settings:
            await measure(settings, events, rounds)


if __name__ == "__main__":
    uvloop.run(main())
