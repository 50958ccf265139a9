"""Coverage as rows: the newest record of each relay, whatever the order in which records come."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import orjson
import pytest

from core.archive.connection import Connection, Pool
from core.archive.coverage import read_coverage
from core.settings import Settings
from schemas.nostr.filters import Filter
from schemas.records.coverage import Copies, Coverage, Fact, FilterCoverage, Gap, GapReason
from sinks.integrity.digest import digests
from sinks.migrate import migrate, migrations
from sinks.tables.topic_tables import coverage
from sinks.tables.topic_tables.coverage import Change
from tests.broker.sinks.conftest import fresh_database
from tests.broker.sinks.material import Feed, feed, running_sink
from tests.waiting import until

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

RELAYS = {f"wss://{name}.example": number for number, name in enumerate("abc", 1)}
EVERYTHING = Filter().filter_hash()
KEY = "ab" * 32
FACT = Fact(name="interval_s", value=6.3, evidence="rate-limited: slow down", at_s=9)
QUERIES = Path(__file__).parents[4] / "docs/how-to/query.md"


def some_coverage(rng: random.Random, relay: str, at_ms: int) -> Coverage:
    """A record with a few sets, some of them those of the record before."""
    keys = rng.sample([(EVERYTHING, None), ("f1", None), ("f1", KEY), ("f2", KEY)], rng.randrange(4))
    sets = []
    for name, identity in keys:
        bounds = sorted(rng.sample(range(100), 2 * rng.randrange(5)))
        read = [(since, until, rng.randrange(2)) for since, until in zip(bounds[::2], bounds[1::2], strict=True)]
        gaps = [
            Gap(since=since, until=since + 1, reason=rng.choice(list(GapReason)), tries=rng.randrange(1, 3))
            for since in rng.sample(range(50), rng.randrange(4))
        ]
        wire = {} if name == EVERYTHING else {"kinds": [rng.randrange(2)]}
        sets.append(FilterCoverage(filter=name, wire=wire, identity=identity, read=read, gaps=gaps))
    facts = [FACT.model_copy(update={"value": rng.randrange(3)})] * rng.randrange(2)
    copies = Copies(received=rng.choice([3, 2**70]), repeated=rng.randrange(3))
    cursor_s = rng.choice([None, 2**70, 77])
    return Coverage(relay=relay, cursor_s=cursor_s, sets=sets, facts=facts, copies=copies, updated_at_ms=at_ms)


async def test_records_converge_in_any_order_and_in_any_batches(settings: Settings, pool: Pool) -> None:
    await pool.executemany("INSERT INTO relays (url) VALUES ($1)", [(relay,) for relay in RELAYS])
    ids = {row["url"]: row["id"] for row in await pool.fetch("SELECT url, id FROM relays")}
    rng = random.Random(20)
    for _ in range(12):
        changes = [
            Change(relay, None if rng.random() < 0.2 else some_coverage(rng, relay, at_ms), at_ms)
            for relay in RELAYS
            for at_ms in rng.sample(range(1000), rng.randrange(1, 6))
        ]
        newest = {each.relay: each for each in sorted(changes, key=lambda change: change.at_ms)}
        expected = {relay: as_rows(each.coverage) for relay, each in newest.items() if each.coverage}
        for _ in range(3):
            async with pool.acquire() as connection:
                await connection.execute("TRUNCATE coverage_relays CASCADE")
                await replay(connection, rng.sample(changes * 2, 2 * len(changes)), ids, rng)
                assert await rows(connection) == {relay: sets for relay, sets in expected.items() if sets}
                stored = await read_coverage(connection)
                known = {relay: each.coverage for relay, each in newest.items() if each.coverage}
                assert {each.relay: each.facts for each in stored} == {name: it.facts for name, it in known.items()}
                assert {each.relay: (each.copies.received, each.copies.repeated) for each in stored} == {
                    name: (min(it.copies.received, 2**53), it.copies.repeated) for name, it in known.items()
                }
                assert await coverage.write(connection, changes, ids) == 0, "nothing is new"


async def replay(connection: Connection, changes: list[Change], ids: dict[str, int], rng: random.Random) -> None:
    while changes:
        size = rng.randrange(1, 6)
        async with connection.transaction():
            await coverage.write(connection, changes[:size], ids)
        changes = changes[size:]


def as_rows(record: Coverage) -> dict[tuple[str, str | None], tuple[object, ...]]:
    """What the tables must hold of a record, by filter and identity."""
    return {
        (each.filter, each.identity): (
            None if record.cursor_s is None else min(record.cursor_s, 2**53),
            each.wire,
            sorted(each.read),
            sorted((gap.since, gap.until, gap.reason.value, gap.tries) for gap in each.gaps),
        )
        for each in record.sets
    }


async def rows(connection: Connection) -> dict[str, dict[tuple[str, str | None], tuple[object, ...]]]:
    found: dict[str, dict[tuple[str, str | None], tuple[object, ...]]] = {}
    for row in await connection.fetch("SELECT * FROM coverage"):
        read = await connection.fetch(
            "SELECT since_s, until_s, read_at_s FROM coverage_ranges WHERE set_id = $1 ORDER BY 1", row["set_id"]
        )
        gaps = await connection.fetch(
            "SELECT since_s, until_s, reason, tries FROM coverage_gaps WHERE set_id = $1", row["set_id"]
        )
        found.setdefault(row["relay"], {})[row["filter"], row["identity"]] = (
            row["cursor_s"],
            orjson.loads(row["wire"]),
            [tuple(each) for each in read],
            sorted(tuple(each) for each in gaps),
        )
    return found


async def publish(fed: Feed, records: Iterable[Coverage]) -> None:
    for record in records:
        await fed.raw("coverage", len(record.relay) % 4, record.encode(), record.relay.encode())


async def test_a_group_that_knows_two_topics_reads_the_third_from_its_beginning(settings: Settings, pool: Pool) -> None:
    first = Coverage(relay="wss://a.example", sets=[FilterCoverage(filter="f1", read=[(0, 9, 1)])], updated_at_ms=1)
    second = first.model_copy(update={"relay": "wss://bb.example"})

    async with feed(settings) as fed:
        await publish(fed, [first, second])
        async with running_sink(settings):
            await until(lambda: has(pool, 2), "the record for 2")
        await pool.execute("DELETE FROM sink_offsets WHERE topic LIKE '%coverage'; TRUNCATE coverage_relays CASCADE")
        async with running_sink(settings):
            await until(lambda: has(pool, 2), "the record for 2")
            await fed.raw("coverage", len(second.relay) % 4, None, second.relay.encode())
            await until(lambda: has(pool, 1), "the record for 1")
    assert await pool.fetchval("SELECT relay FROM coverage") == first.relay


async def has(pool: Pool, relays: int) -> object:
    return await pool.fetchval("SELECT count(*) = $1 FROM coverage", relays)


async def test_offsets_of_a_database_without_coverage_stay_and_months_can_be_asked_for(servers: Servers) -> None:
    async with fresh_database(servers, "coverage_from_0003") as dsn:
        connection = await asyncpg.connect(dsn.get_secret_value())
        await migrate(connection, [each for each in migrations() if each.version <= 3])
        await connection.execute(
            "INSERT INTO sink_offsets VALUES ('g', 'nostr.events', 0, 5, 'c'); INSERT INTO relays (url) VALUES ('wss://a')"
        )
        await migrate(connection)
        assert await connection.fetchval("SELECT refused FROM sink_offsets WHERE next_offset = 5") == []
        may = (1_714_521_600, 1_717_199_999)
        halves = [(may[0] - 5, 1_715_000_000, 1), (1_715_000_001, may[1], 2)]
        record = Coverage(relay="wss://a", sets=[FilterCoverage(filter=EVERYTHING, read=halves)], updated_at_ms=1)
        await coverage.write(connection, [Change("wss://a", record, 1)], {"wss://a": 1})
        months, gaps = guide_queries()
        for ending, found in (("2024-06-01", ["wss://a"]), ("2024-06-01 00:00:01", [])):
            asked = months.replace("2024-06-01", ending)
            assert [row["relay"] for row in await connection.fetch(asked)] == found
        assert await connection.fetch(gaps) == []
        await connection.close()


async def test_facts_are_replaced_with_the_record_and_a_row_that_is_older_than_they_has_none(servers: Servers) -> None:
    async with fresh_database(servers, "coverage_from_0006") as dsn:
        connection = await asyncpg.connect(dsn.get_secret_value())
        await migrate(connection, [each for each in migrations() if each.version <= 6])
        await connection.execute(
            "INSERT INTO relays (url) VALUES ('wss://a'); INSERT INTO coverage_relays VALUES (1, 7, 1, false)"
        )
        await migrate(connection)
        found = [await read_coverage(connection)]
        record = Coverage(relay="wss://a", sets=[FilterCoverage(filter=EVERYTHING, read=[(0, 9, 1)])], updated_at_ms=2)
        nul = FACT.model_copy(update={"evidence": "a\0b"})
        for at_ms, facts in enumerate(([], [nul, FACT], [FACT], []), 2):
            newer = record.model_copy(update={"facts": facts, "updated_at_ms": at_ms})
            assert await coverage.write(connection, [Change("wss://a", newer, at_ms)], {"wss://a": 1}) == 1
            found.append(await read_coverage(connection))
        shown = FACT.model_copy(update={"evidence": "a\N{REPLACEMENT CHARACTER}b"})
        assert [state.facts for (state,) in found] == [[], [], [shown, FACT], [FACT], []]
        await connection.close()


async def test_facts_are_in_no_digest(settings: Settings, pool: Pool) -> None:
    relay_id = await pool.fetchval("INSERT INTO relays (url) VALUES ('wss://a') RETURNING id")
    record = Coverage(relay="wss://a", sets=[FilterCoverage(filter="f1", read=[(0, 9, 1)])], updated_at_ms=1)
    found = []
    for at_ms, facts in enumerate(([], [FACT]), 1):
        newer = record.model_copy(update={"facts": facts, "updated_at_ms": at_ms})
        async with pool.acquire() as connection, connection.transaction():
            assert await coverage.write(connection, [Change("wss://a", newer, at_ms)], {"wss://a": relay_id}) == 1
        found.append([each.digest() for each in await digests(settings, 1)])
    assert found[0] == found[1]


def guide_queries() -> list[str]:
    """What the guide tells people to ask of coverage."""
    (sql,) = re.findall(r"```sql\n(.*?)```", QUERIES.read_text(encoding="utf-8"), re.DOTALL)
    return [query for query in sql.split("\n\n") if "FROM coverage" in query]
