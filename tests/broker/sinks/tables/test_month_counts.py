"""The counts by month are what the rows give, whatever writes at once and however it ends; nothing waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio

from core import kafka
from core.archive.connection import Connection, Pool
from core.archive.counts import ArchiveCounts, counts
from core.settings import Settings
from schemas.records.erasure import Cause, Erasure
from sinks.erasure import open_erasures
from sinks.integrity.audit import audit
from sinks.integrity.audit_counts import Miscount
from sinks.integrity.audit_report import Scope
from sinks.integrity.digest import digests
from sinks.migrate import migrate, migrations
from sinks.tables.month_counts import MONTH_COUNTS
from tests.broker.sinks.archived import START_S, archive, signed
from tests.broker.sinks.conftest import fresh_database
from tests.broker.sinks.forgetting import Scribe
from tests.waiting import until

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

MONTH_S = 31 * 86_400
EVENTS = [signed(START_S + n % 5 * MONTH_S + n, 1, [], "") for n in range(60)]
ONE, TWO = "wss://one.example", "wss://two.example"
FIRST = 10
"""The migration that makes the counts."""
BEFORE = [each for each in migrations() if each.version < FIRST]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(servers: Servers) -> AsyncIterator[Pool]:
    """One archive for what needs no Kafka; `emptied` begins each test."""
    async with archive(servers, "counts_test") as made:
        yield made


@pytest.fixture
async def older(servers: Servers) -> AsyncIterator[Pool]:
    """An archive of a version that had no counts, with some rows."""
    async with (
        fresh_database(servers, "counts_older") as dsn,
        asyncpg.create_pool(dsn.get_secret_value(), min_size=1, max_size=4) as made,
    ):
        async with made.acquire() as connection:
            await migrate(connection, BEFORE)
            await (await sink(connection, "older")).write(EVENTS[:20], ONE)
            await connection.execute("ANALYZE")
            assert await counts(connection) == ArchiveCounts(20, None, exact=False)
        yield made


async def sink(connection: Connection, name: str) -> Scribe:
    """A sink with partitions that no other one has."""
    made = Scribe(connection, name)
    await made.begin()
    return made


async def exact(connection: Connection) -> tuple[int, int | None]:
    """Events and pairs, as they are counted; in each month they are what the rows give."""
    assert await connection.fetch("SELECT * FROM count_differences") == []
    found = await counts(connection)
    assert found.exact
    return found.events, found.pairs


async def emptied(connection: Connection) -> None:
    await connection.execute("DELETE FROM events; DELETE FROM sightings; DELETE FROM sink_offsets")
    assert await exact(connection) == (0, 0)


async def has_ended(connection: Connection, pid: int) -> bool:
    return not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", pid)


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_new_counts_and_no_duplicate_or_replay_does(shared: Pool) -> None:
    async with shared.acquire() as connection:
        await emptied(connection)
        first = await sink(connection, "first")
        await first.write(EVENTS[:40], ONE)
        assert await exact(connection) == (40, 40)
        await first.write(EVENTS[30:], TWO)
        assert await exact(connection) == (60, 70)
        for relay in (ONE, TWO, ONE):
            replaying = await sink(connection, f"again at {relay}")
            await replaying.write(EVENTS, relay)
            await connection.execute("DELETE FROM sink_offsets")
        assert await exact(connection) == (60, 120)
        months = await connection.fetch("SELECT month FROM month_counts GROUP BY month HAVING sum(amount) > 0")
        assert len(months) == 5


@pytest.mark.asyncio(loop_scope="module")
async def test_two_sinks_count_the_same_months_at_once_and_neither_waits(shared: Pool) -> None:
    async with shared.acquire() as one, shared.acquire() as other:
        await emptied(one)
        first, second = await sink(one, "first"), await sink(other, "second")
        transaction = one.transaction()
        await transaction.start()
        await first.write(EVENTS[:20], ONE)
        # The first has counted and has not committed: waiting for it would be without end.
        await second.write(EVENTS[20:40], TWO)
        assert (await counts(other)).events == 20
        await transaction.commit()
        assert await exact(other) == (40, 40)

        async def write(which: Scribe, relay: str) -> None:
            for begin in range(0, len(EVENTS), 6):
                await which.write(EVENTS[begin : begin + 12], relay)

        await asyncio.gather(write(first, ONE), write(second, TWO))
        assert await exact(one) == (60, 120)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_sink_that_is_killed_in_the_middle_counts_nothing(shared: Pool) -> None:
    async with shared.acquire() as connection, shared.acquire() as victim:
        await emptied(connection)
        await (await sink(connection, "first")).write(EVENTS[:10], ONE)
        other = await sink(victim, "victim")
        await victim.transaction().start()
        await other.write(EVENTS, ONE)
        pid = victim.get_server_pid()
        await connection.execute("SELECT pg_terminate_backend($1)", pid)
        await until(lambda: has_ended(connection, pid), "the victim's transaction is rolled back")
        assert await exact(connection) == (10, 10)
        await (await sink(connection, "after")).write(EVENTS, ONE)
        assert await exact(connection) == (60, 60)


async def test_what_is_erased_is_taken_away_with_and_without_a_known_date(settings: Settings, pool: Pool) -> None:
    async with pool.acquire() as connection:
        writing = await sink(connection, "first")
        await writing.write(EVENTS[:50], ONE)
        await writing.write(EVENTS[:10], TWO)
        lone = EVENTS[3].id, EVENTS[7].id
        await connection.execute("DELETE FROM events WHERE id = ANY ($1)", [bytes.fromhex(each) for each in lone])
        assert await exact(connection) == (48, 60)
    publisher = await kafka.open_publisher(settings)
    try:
        eraser = (await open_erasures(settings, pool, publisher)).eraser
        # The date of those that only relays are known of is in no event: their sightings are looked for.
        gone = [*lone, *(each.id for each in EVENTS[20:25])]
        await eraser.apply([Erasure(id=each, cause=Cause.OPERATOR, erased_at_ms=1) for each in gone])
    finally:
        await publisher.close()
    async with pool.acquire() as connection:
        assert await exact(connection) == (43, 60 - 4 - 5)


async def test_an_older_archive_is_counted_beside_a_sink_that_writes(older: Pool) -> None:
    async with older.acquire() as connection, older.acquire() as other:
        writing = await sink(other, "beside")
        enough = asyncio.Event()

        async def write() -> None:
            """From before the triggers to after the counting, and erase meanwhile."""
            begin = 0
            while not enough.is_set() or begin < 2 * len(EVENTS):
                some = EVENTS[begin % len(EVENTS) :][:7]
                await writing.write(some, TWO)
                await other.execute("DELETE FROM events WHERE id = $1", bytes.fromhex(some[0].id))
                begin += 7

        beside = asyncio.create_task(write())
        await migrate(connection)
        enough.set()
        await beside
        events, pairs = await exact(connection)
        assert 0 < events < len(EVENTS)
        assert pairs == len(EVENTS) + 20


async def test_until_older_rows_are_counted_the_number_is_an_estimate(older: Pool) -> None:
    async with older.acquire() as connection:
        # As if `migrate` had been killed behind the files and before the counting.
        ledger = "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)"
        for each in migrations():
            if each.version >= FIRST:
                await connection.execute(each.sql)
                await connection.execute(ledger, each.version, each.name, each.checksum)
        await (await sink(connection, "after")).write(EVENTS[10:40], TWO)
        assert await counts(connection) == ArchiveCounts(20, None, exact=False)
        assert (await audit(older, Scope(), jobs=1)).miscounts == []
        await migrate(connection)
        assert await exact(connection) == (40, 50)


async def test_audit_and_digest_tell_the_month_that_is_wrong_and_it_is_counted_again(
    settings: Settings, pool: Pool
) -> None:
    async with pool.acquire() as connection:
        await (await sink(connection, "first")).write(EVENTS, ONE)
        right = (await digests(settings, 1)).archive
        assert right.table(MONTH_COUNTS.name).count == 10
        assert (await audit(pool, Scope(), jobs=1)).miscounts == []
        # Under the name of its partition no trigger sees it.
        month = f"{datetime.fromtimestamp(START_S, UTC):%Y-%m}"
        partition = f"events_{month.replace('-', '_')}"
        await connection.execute(f"DELETE FROM {partition} WHERE id = $1", bytes.fromhex(EVENTS[0].id))
        report = await audit(pool, Scope(), jobs=1)
        (wrong,) = report.miscounts
        assert wrong == Miscount("events", month, wrong.stored + 1, wrong.stored)
        await connection.execute(
            "UPDATE month_counts SET amount = amount + 1 WHERE relation = 'sightings' AND amount > 0"
        )
        changed = (await digests(settings, 1)).archive
        assert (MONTH_COUNTS.name, month) in right.differences(changed)
        assert len((await audit(pool, Scope(), jobs=1)).miscounts) == 6
        await connection.execute("INSERT INTO uncounted_rows DEFAULT VALUES")
        await migrate(connection)
        assert await exact(connection) == (59, 60)
        await connection.execute("TRUNCATE events")
        assert await exact(connection) == (0, 60)
