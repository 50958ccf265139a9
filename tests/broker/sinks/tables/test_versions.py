"""Every replaceable and addressable event is a version of its address, whatever wrote it, and the newest is current."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio

from core import kafka, postgres
from core.archive.connection import Connection, Pool
from core.archive.queries.versions import has_all_versions
from core.settings import Settings
from schemas.nostr.deletion import address_sha256
from schemas.nostr.event import Event
from schemas.nostr.facts import address_of
from schemas.records.erasure import Cause, Erasure
from sinks.archive_lock import EXCLUSIVE
from sinks.backfill import list_versions
from sinks.erasure import open_erasures
from sinks.migrate import migrate, migrations
from sinks.rebuild.source import identities
from sinks.rebuild.worker import fill
from sinks.tables import TABLES
from tests.broker.sinks.archived import START_S, archive, signed
from tests.broker.sinks.conftest import fresh_database
from tests.broker.sinks.forgetting import Scribe, made, world
from tests.broker.sinks.material import all_read, feed, running_sink
from tests.broker.sinks.rebuilding import in_schema
from tests.waiting import until

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

QUERIES = Path(__file__).parents[4] / "docs/how-to/query.md"
VERSIONS = 14
BARRIER = f"""
ALTER TABLE address_versions ADD CONSTRAINT barrier CHECK (created_at <> {START_S + 6} OR id >= '\\x80') NOT VALID
"""
WAITS_FOR_LOCK = """
SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
    WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted)
"""
AUTHOR = "a1" * 32
IN_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")


def listed(events: Iterable[Event]) -> set[tuple[int, bytes, bytes]]:
    """What the table must hold."""
    addresses = [(event, address_of(event)) for event in events]
    return {
        (event.created_at, bytes.fromhex(event.id), address_sha256(address))
        for event, address in addresses
        if address is not None
    }


def newest(events: Iterable[Event]) -> dict[bytes, str]:
    """NIP-01: the newest version of each address, of equal times the one with the lowest id."""
    current: dict[bytes, Event] = {}
    for event in sorted(events, key=lambda each: (-each.created_at, each.id)):
        if (address := address_of(event)) is not None:
            current.setdefault(address_sha256(address), event)
    return {address: event.id for address, event in current.items()}


async def stored(connection: Connection | Pool) -> set[tuple[int, bytes, bytes]]:
    rows = await connection.fetch("SELECT created_at, id, address_sha256 FROM address_versions")
    assert len(set(rows)) == len(rows)
    return {tuple(row) for row in rows}


async def current(connection: Connection | Pool) -> dict[bytes, str]:
    rows = await connection.fetch("SELECT address_sha256, id FROM current_versions")
    assert len({row["address_sha256"] for row in rows}) == len(rows)
    return {row["address_sha256"]: row["id"].hex() for row in rows}


@pytest.fixture
async def unmigrated(servers: Servers) -> AsyncIterator[Pool]:
    async with (
        fresh_database(servers, "versions_test") as dsn,
        asyncpg.create_pool(dsn.get_secret_value(), min_size=1, max_size=3) as pool,
    ):
        yield pool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def migrated(servers: Servers) -> AsyncIterator[Pool]:
    """One archive for several tests, each of which begins by emptying it."""
    async with archive(servers, "versions_migrated") as pool:
        yield pool


async def write(connection: Connection, events: Iterable[Event], group_id: str) -> None:
    scribe = Scribe(connection, group_id)
    await scribe.begin()
    await scribe.write(events)


@IN_ONE_LOOP
async def test_the_newest_is_current_in_any_order_of_arrival_until_it_is_erased(migrated: Pool) -> None:
    events = world(14, 300)
    assert {event.content[-1] == "\0" for event in events if event.kind == 30_023} == {True, False}
    async with migrated.acquire() as connection:
        await connection.execute("TRUNCATE events")
        for part, seed in enumerate((1, 2, 3)):
            some = random.Random(seed).sample(events, 200)
            await write(connection, some, f"group {part}")
        rows = await connection.fetch("SELECT encode(id, 'hex') AS id FROM events")
        held = [event for event in events if event.id in {row["id"] for row in rows}]
        assert await stored(connection) == listed(held)
        assert await current(connection) == newest(held)
        shown = "SELECT encode(id, 'hex') FROM events WHERE is_current_version(created_at, id) AND has_address(kind)"
        assert {row[0] for row in await connection.fetch(shown)} == set(newest(held).values())
        assert await connection.fetchval(
            "SELECT bool_and(is_current_version(created_at, id)) FROM events WHERE kind = 1"
        )
        # Also what a person deletes was never received.
        gone = set(newest(held).values())
        await connection.execute("DELETE FROM events WHERE encode(id, 'hex') = ANY ($1::text[])", list(gone))
        left = [event for event in held if event.id not in gone]
        assert await current(connection) == newest(left) != newest(held)
        await connection.execute("TRUNCATE events")
        assert await stored(connection) == set()


@IN_ONE_LOOP
async def test_of_equal_times_the_lowest_id_is_current_and_a_hidden_one_stays(migrated: Pool) -> None:
    rng = random.Random(3)
    older = made(rng, 10_002, [], pubkey=AUTHOR, at=START_S)
    tied = sorted((made(rng, 10_002, [["n", str(n)]], pubkey=AUTHOR, at=START_S + 1) for n in range(5)), key=_id)
    async with migrated.acquire() as connection:
        await connection.execute("TRUNCATE events")
        await write(connection, [*tied[1:], older], "one")
        (address,) = newest([older])
        assert await current(connection) == {address: tied[1].id}
        await write(connection, [tied[0]], "two")
        assert await current(connection) == {address: tied[0].id}
        await write(connection, [made(rng, 5, [["e", tied[0].id]], pubkey=AUTHOR)], "three")
        hidden = "SELECT deleted_by IS NOT NULL FROM event_flags JOIN current_versions USING (created_at, id)"
        assert await connection.fetchval(hidden)
        assert await current(connection) == {address: tied[0].id}


@IN_ONE_LOOP
async def test_the_questions_of_the_guide_are_answered(migrated: Pool) -> None:
    (sql,) = re.findall(r"```sql\n(.*?)```", QUERIES.read_text(encoding="utf-8"), re.DOTALL)
    profile, articles, lists = (query for query in sql.split("\n\n") if re.search("current_version|address_v", query))
    (key,) = set(re.findall(r"[0-9a-f]{64}", profile + articles))
    rng = random.Random(4)
    profiles = [made(rng, 0, [], pubkey=key, at=START_S + n) for n in range(3)]
    texts = [made(rng, 30_023, [["d", "a-title"]], pubkey=key, at=START_S + n) for n in range(3)]
    relays = [made(rng, 10_002, [], pubkey=key, at=START_S + n) for n in range(3)]
    async with migrated.acquire() as connection:
        await connection.execute("TRUNCATE events")
        await write(connection, [*profiles, *texts, *relays], "guide")
        assert [json.loads(row[0])["id"] for row in await connection.fetch(profile)] == [profiles[-1].id]
        assert [row["id"] for row in await connection.fetch(articles)] == [each.id for each in reversed(texts)]
        assert [json.loads(row[0])["id"] for row in await connection.fetch(lists)] == [relays[-1].id]


def _id(event: Event) -> str:
    return event.id


async def test_a_sink_of_the_version_before_and_one_that_erases_keep_the_list(settings: Settings, pool: Pool) -> None:
    """As an upgrade has it: its tables have no projection of versions, and its erasures do not name the list."""
    tables = TABLES.__class__(TABLES.topics, TABLES.projections, (), TABLES.rules)
    first, second = (signed(START_S + n, 30_023, [["d", "x\0y"]], str(n)) for n in range(2))
    async with pool.acquire() as connection:
        scribe = Scribe(connection, "older", tables)
        await scribe.begin()
        await scribe.write([second, first])
        assert set((await current(connection)).values()) == {second.id}
    publisher = await kafka.open_publisher(settings)
    try:
        erasures = await open_erasures(settings, pool, publisher, tables)
        await erasures.eraser.apply([Erasure(id=second.id, cause=Cause.OPERATOR, erased_at_ms=1)])
    finally:
        await publisher.close()
    assert set((await current(pool)).values()) == {first.id}


async def test_older_events_are_listed_while_a_sink_writes_and_after_an_interruption(unmigrated: Pool) -> None:
    events = [*world(5, 400), *world(6, 400)]
    (versions,) = (each for each in migrations() if each.version == VERSIONS)
    async with unmigrated.acquire() as connection, unmigrated.acquire() as other:
        await migrate(connection, migrations()[: VERSIONS - 1])
        scribe = Scribe(other, "sink")
        await scribe.begin()
        await scribe.write(events[:300])

        async def write(first: int, end: int) -> None:
            for place in range(first, end, 20):
                await scribe.write(events[place : place + 20])

        # The sink of before goes on through the migration.
        await asyncio.gather(write(300, 500), connection.execute(versions.sql))
        # A step cannot be written: the search ends there, and goes on from where it was.
        await connection.execute(BARRIER)
        with pytest.raises(asyncpg.CheckViolationError):
            await list_versions(connection, 30)
        reached = await connection.fetchval("SELECT created_at FROM unlisted_versions")
        assert START_S <= reached <= START_S + 6
        assert not await has_all_versions(connection)
        await connection.execute("ALTER TABLE address_versions DROP CONSTRAINT barrier")
        await asyncio.gather(list_versions(connection, 30), write(500, 800))
        assert await has_all_versions(connection)
        assert await stored(connection) == listed(events)


@IN_ONE_LOOP
async def test_an_event_that_is_erased_while_it_is_listed_leaves_no_row(migrated: Pool) -> None:
    events = [event for event in world(7, 60) if address_of(event)]
    victim = events[-1]
    async with migrated.acquire() as connection, migrated.acquire() as other, migrated.acquire() as third:
        await connection.execute("TRUNCATE events")
        await write(connection, events, "erased")
        await connection.execute("INSERT INTO unlisted_versions VALUES (-1, '')")
        await connection.execute("DELETE FROM address_versions")
        async with other.transaction():
            await other.execute(EXCLUSIVE)  # as for a rule of erasure
            await other.execute("DELETE FROM events WHERE id = $1", bytes.fromhex(victim.id))
            listing = asyncio.create_task(list_versions(connection))

            async def waits_or_is_done() -> bool:
                return listing.done() or bool(await third.fetchval(WAITS_FOR_LOCK))

            await until(waits_or_is_done, "the search waits for the rule")
        await listing
        assert await stored(connection) == listed(event for event in events if event is not victim)


async def test_a_rebuild_lists_the_same_versions(settings: Settings, pool: Pool) -> None:
    events = world(9, 120)
    async with feed(settings) as fed:
        await fed.events(events)
    async with running_sink(settings):
        await all_read(settings, pool)
    assert await stored(pool) == listed(events)
    target = in_schema(settings, "rebuilt")
    async with await postgres.pool(target, max_size=1) as rebuilt, rebuilt.acquire() as connection:
        await migrate(connection)
        ends = {tp: found.end for tp, found in (await identities(settings)).items() if found.end}
        await fill(target, ends, lambda: None, lambda _: None)
        assert await stored(connection) == listed(events)
