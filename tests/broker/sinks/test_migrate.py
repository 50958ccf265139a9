"""One command brings any older database to this version, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg
import pytest

from core import postgres
from core.archive.rows import EVENT_COLUMNS
from core.archive.schema import VERSION, SchemaError
from core.settings import Settings
from schemas.lookup import key_prefix, tag_hash
from schemas.nostr.event_id import IdForm
from sinks.migrate import MONTHS_AHEAD, MigrationError, check_schema, migrate, migrations, months_ahead
from sinks.rows import event_row
from tests.broker.sinks.conftest import fresh_database
from tests.broker.sinks.material import event

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

JANUARY = datetime(2026, 1, 15, tzinfo=UTC)


@pytest.fixture
async def empty(servers: Servers) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    async with fresh_database(servers, "migrate_test") as dsn:
        connection = await asyncpg.connect(dsn.get_secret_value())
        yield connection
        await connection.close()


async def test_migrating_twice_changes_nothing_the_second_time(empty: asyncpg.Connection[asyncpg.Record]) -> None:
    with pytest.raises(SchemaError, match="bigbrotr migrate"):
        await check_schema(empty)
    first = await migrate(empty)
    assert first.applied == [migration.name for migration in migrations()]
    assert await months_ahead(empty) == MONTHS_AHEAD
    assert await migrate(empty) == ([], 0, "")
    await check_schema(empty)


async def test_an_old_database_with_rows_gets_what_it_lacks(empty: asyncpg.Connection[asyncpg.Record]) -> None:
    await migrate(empty, migrations()[:2], JANUARY)
    row = event_row(event(1), IdForm.NIP01)
    await empty.copy_records_to_table("events", records=[row], columns=EVENT_COLUMNS)
    with pytest.raises(SchemaError, match=f"of version 2, and {VERSION} is needed: run `bigbrotr migrate`"):
        await check_schema(empty)
    assert (await migrate(empty)).applied == [migration.name for migration in migrations()[2:]]
    assert await empty.fetchval("SELECT event_json(events) ->> 'id' FROM events") == event(1).id


async def test_two_migrations_at_once_wait_for_each_other(
    empty: asyncpg.Connection[asyncpg.Record], servers: Servers
) -> None:
    assert servers.dsn is not None
    database = await empty.fetchval("SELECT current_database()")
    other = await asyncpg.connect(servers.dsn.get_secret_value(), database=database)
    done = await asyncio.gather(migrate(empty), migrate(other))
    await other.close()
    assert sorted(len(each.applied) for each in done) == [0, len(migrations())]


async def test_a_schema_of_its_own_is_made_and_nothing_outside_is_seen(settings: Settings) -> None:
    """The fixture has migrated `public` of the same database: what lacks in the schema must not be found there."""
    other = settings.model_copy(update={"postgres": settings.postgres.model_copy(update={"schema": "rebuilt"})})
    async with await postgres.pool(other, max_size=1) as pool, pool.acquire() as connection:
        with pytest.raises(SchemaError, match="bigbrotr migrate"):
            await check_schema(connection)
        assert (await migrate(connection)).applied == [migration.name for migration in migrations()]
        await check_schema(connection)
        assert await months_ahead(connection) == MONTHS_AHEAD
        assert await migrate(connection) == ([], 0, "")
        row = event_row(event(1), IdForm.NIP01)
        await connection.copy_records_to_table("events", records=[row], columns=EVENT_COLUMNS)
        assert await connection.fetchval("SELECT count(*) FROM event_by_id($1)", event(1).id) == 1
        assert await connection.fetchval("SELECT count(*) FROM rebuilt.events") == 1
        assert await connection.fetchval("SELECT count(*) FROM public.events") == 0


async def test_a_changed_file_is_refused(empty: asyncpg.Connection[asyncpg.Record]) -> None:
    await migrate(empty)
    changed = [migration._replace(sql=migration.sql + " ") for migration in migrations()[:1]]
    with pytest.raises(MigrationError, match="was changed after it had been applied"):
        await migrate(empty, changed + migrations()[1:])


async def test_a_newer_database_is_refused(empty: asyncpg.Connection[asyncpg.Record]) -> None:
    await migrate(empty)
    with pytest.raises(MigrationError, match="does not know"):
        await migrate(empty, migrations()[:-1])


async def test_a_failing_file_leaves_nothing_behind(empty: asyncpg.Connection[asyncpg.Record]) -> None:
    broken = migrations()[0]._replace(sql="CREATE TABLE half (a int); SELECT no_such_function()")
    with pytest.raises(MigrationError, match="rolled back"):
        await migrate(empty, [broken])
    assert await empty.fetchval("SELECT to_regclass('half')") is None


async def test_months_are_added_and_rows_of_the_future_move_into_theirs(
    empty: asyncpg.Connection[asyncpg.Record],
) -> None:
    await migrate(empty, as_of=JANUARY)
    moments = [0, 2**40 - 1, *(int(datetime(year, 3, 1, tzinfo=UTC).timestamp()) for year in (2019, 2026, 2029))]
    rows = [event_row(event(n)._replace(created_at=moment), IdForm.NIP01) for n, moment in enumerate(moments)]
    await empty.copy_records_to_table("events", records=rows, columns=EVENT_COLUMNS)
    assert await empty.fetchval("SELECT count(*) FROM events_future") == 2
    counted = await empty.fetch("SELECT month, amount FROM month_counts ORDER BY month")
    assert [str(row["month"]) for row in counted[-2:]] == ["2029-03-01", "9999-12-01"]
    later = datetime(2028, 1, 31, 23, 59, tzinfo=UTC)
    assert (await migrate(empty, as_of=later)).months == 2 * 24
    assert await empty.fetchval("SELECT count(*) FROM events_2029_03") == 1
    assert await empty.fetchval("SELECT count(*) FROM events_future") == 1
    assert await empty.fetchval("SELECT count(*) FROM events_past") == 2
    assert await empty.fetchval("SELECT count(*) FROM events") == len(moments)
    assert await empty.fetch("SELECT month, amount FROM month_counts ORDER BY month") == counted
    assert await empty.fetch("SELECT * FROM count_differences") == []
    assert await empty.fetchval("SELECT months_ahead($1)", later) == MONTHS_AHEAD
    assert (await migrate(empty, as_of=JANUARY)).months == 0


async def test_sql_and_python_hash_tags_and_prefixes_alike(empty: asyncpg.Connection[asyncpg.Record]) -> None:
    await migrate(empty)
    for value in ("", "abc", "straße", "x" * 100_000):
        assert await empty.fetchval("SELECT tag_hash('t', $1)", value) == tag_hash("t", value)
        key = hashlib.sha256(value.encode()).digest()
        assert await empty.fetchval("SELECT key_prefix($1)", key) == key_prefix(key)


async def test_tags_authors_and_ids_are_found_through_their_indexes(empty: asyncpg.Connection[asyncpg.Record]) -> None:
    await migrate(empty)
    made = event(1, tags=[["p", "somebody"], ["t", "topic"]])
    await empty.copy_records_to_table("events", records=[event_row(made, IdForm.NIP01)], columns=EVENT_COLUMNS)
    await empty.execute("SET enable_seqscan = off")
    for condition, index in (
        ("tag_hashes @> ARRAY[tag_hash('p', 'somebody')]", "tag_hashes"),
        (f"id_prefix = key_prefix('\\x{made.id}')", "id_prefix"),
        (f"pubkey_prefix = key_prefix('\\x{made.pubkey}')", "pubkey_prefix_kind"),
    ):
        plan = await empty.fetch(f"EXPLAIN SELECT * FROM events WHERE {condition}")
        assert index in str(plan), plan
        assert await empty.fetchval(f"SELECT count(*) FROM events WHERE {condition}") == 1
