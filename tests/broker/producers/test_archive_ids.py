"""What a connector reads of the archive is what the filter matches there; without an archive it goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import pytest
import pytest_asyncio
from pydantic import SecretStr

from core.archive.bounded_reader import Patience
from core.archive.connection import Pool
from core.settings import Settings
from producers.connector.reconcile.archive_ids import ArchiveIds, ArchiveWindow, window_statement
from schemas.nostr.filters import Filter
from tests.broker.sinks.archived import AUTHORS, RELAYS, START_S, archive, fill, signed, some_events
from tests.waiting import until

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

DAY_S = 86_400
EVENTS = some_events(600)
SIGHTED = {event.id: {RELAYS[number % 3]: 1} for number, event in enumerate(EVENTS) if number % 4}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(servers: Servers) -> AsyncIterator[Pool]:
    """One archive for the module: nothing here writes events."""
    async with archive(servers, "archive_ids") as made:
        async with made.acquire() as connection:
            await fill(connection, EVENTS, SIGHTED)
        yield made


def settings_for(dsn: str | None) -> Settings:
    return Settings(data_dir=Path("unused"), postgres={"dsn": SecretStr(dsn) if dsn is not None else None})


def dsn_of(servers: Servers, database: str) -> str:
    assert servers.dsn is not None
    return urlunsplit(urlsplit(servers.dsn.get_secret_value())._replace(path=f"/{database}"))


@asynccontextmanager
async def reading(dsn: str | None, most_held: int = 10_000, **patience: float) -> AsyncIterator[ArchiveIds]:
    ids = ArchiveIds(settings_for(dsn), most_held=most_held, patience=Patience(**patience))
    try:
        yield ids
    finally:
        await ids.close()


@pytest.mark.parametrize(
    "base",
    [
        Filter(),
        Filter(kinds=(1, 5)),
        Filter(authors=(AUTHORS[0], AUTHORS[3])),
        Filter(ids=(EVENTS[3].id, EVENTS[4].id, "0" * 64)),
        Filter(tags={"t": ("nostr", "ä")}),
        Filter(tags={"t": ("a",), "p": ("b", AUTHORS[0])}),
        Filter(kinds=(0, 1), authors=(AUTHORS[1],), tags={"e": ("a", "b")}),
        Filter(since=1, until=2, limit=3),
    ],
)
@pytest.mark.parametrize(
    ("since", "until"), [(None, None), (START_S + 30 * DAY_S, START_S + 60 * DAY_S), (START_S, START_S), (None, 2**63)]
)
async def test_a_window_is_what_the_filter_matches_in_it(
    servers: Servers, pool: Pool, base: Filter, since: int | None, until: int | None
) -> None:
    whole = Filter(base.ids, base.authors, base.kinds, base.tags, since, until)
    expected = [event for event in EVENTS if whole.matches(event)]
    async with reading(dsn_of(servers, "archive_ids")) as ids:
        found = await ids.window(base, since, until, RELAYS[1])
    assert found is not None
    # The tables index the first value of a tag, and a filter of NIP-01 means that one.
    assert sorted(found.held) == sorted((event.created_at, event.id) for event in expected)
    assert found.sighted == {event.id for event in expected if RELAYS[1] in SIGHTED.get(event.id, {})}
    assert found.complete


async def test_more_than_can_be_compared_is_not_given_as_all(servers: Servers, pool: Pool) -> None:
    async with reading(dsn_of(servers, "archive_ids"), most_held=100) as ids:
        whole, part = [await ids.window(Filter(), None, until, "wss://unheard.of") for until in (None, START_S + DAY_S)]
    assert whole is not None
    assert not whole.complete
    assert part is not None
    assert part.complete
    assert part.held
    assert not whole.sighted | part.sighted


async def test_only_the_months_of_the_window_are_looked_at(pool: Pool) -> None:
    statement, values = window_statement(Filter(kinds=(1,)), START_S, START_S + DAY_S, RELAYS[0], 100)
    plan = "\n".join(row[0] for row in await pool.fetch(f"EXPLAIN {statement}", *values))
    assert plan.count(" on events_") == 1, plan
    assert plan.count(" on sightings_") == 1, plan


WRITES_WHEN_READ = """
CREATE FUNCTION written() RETURNS bigint LANGUAGE sql VOLATILE
    AS $$ INSERT INTO relays (url) VALUES ('wss://written.example') RETURNING 1::bigint $$;
ALTER TABLE events RENAME TO stored;
CREATE VIEW events AS SELECT stored.* FROM stored CROSS JOIN written();
"""


async def test_connectors_cannot_write(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    async with archive(servers, "read_only") as made, reading(dsn_of(servers, "read_only")) as ids:
        async with made.acquire() as connection:
            await fill(connection, [signed(START_S, 1, [], "held")])
        await made.execute(WRITES_WHEN_READ)
        assert await ask(ids) is None
        assert "ReadOnlySQLTransactionError" in caplog.text
        assert await made.fetchval("SELECT count(*) FROM relays WHERE url = 'wss://written.example'") == 0


async def ask(ids: ArchiveIds) -> ArchiveWindow | None:
    return await ids.window(Filter(), START_S, START_S + DAY_S, RELAYS[0])


async def test_without_a_database_there_is_no_answer() -> None:
    async with reading(None) as ids:
        assert not ids.configured
        assert await ask(ids) is None


async def test_a_database_that_is_not_there_is_not_asked_again_at_once() -> None:
    asked = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with reading(f"postgresql://me@127.0.0.1:{port}/nothing", left_alone_s=3600) as ids:
            assert await ask(ids) is None
            first = asked
            for _ in range(100):
                assert await ask(ids) is None
    assert asked == first > 0


async def test_a_database_without_the_tables_is_no_archive_and_that_is_said_once(
    servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    assert servers.dsn is not None
    async with reading(servers.dsn.get_secret_value(), left_alone_s=0) as ids:
        for _ in range(3):
            assert await ask(ids) is None
    assert [record.levelname for record in caplog.records if "the archive cannot be read" in record.message] == [
        "WARNING"
    ]


WAITING = """
SELECT count(*) FROM pg_locks
WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def test_giving_up_on_others_of_us_does_not_call_the_archive_away(servers: Servers, pool: Pool) -> None:
    async with reading(dsn_of(servers, "archive_ids"), turn_s=0.05, answer_s=60) as ids, pool.acquire() as other:
        assert await ask(ids) is not None
        async with other.transaction():
            await other.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            slow = [asyncio.create_task(ask(ids)) for _ in range(2)]

            async def all_wait() -> bool:
                return int(await other.fetchval(WAITING)) == len(slow)

            await until(all_wait, "both wait in the database")
            assert await ask(ids) is None
        assert None not in await asyncio.gather(*slow)
        assert await ask(ids) is not None


async def test_a_question_waits_for_seconds_at_most_and_is_answered_again_later(servers: Servers, pool: Pool) -> None:
    async with (
        reading(dsn_of(servers, "archive_ids"), answer_s=2, left_alone_s=0) as ids,
        pool.acquire() as other,
    ):
        await until(lambda: ask(ids), "an answer")
        async with other.transaction():
            await other.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            began = time.monotonic()
            assert await ask(ids) is None
            assert time.monotonic() - began < 10
        await until(lambda: ask(ids), "an answer")
