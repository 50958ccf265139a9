"""The bounds within which clients read: how many queries, how long, and what becomes of one whose client is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncpg
import pytest

from api.read_errors import AwayError, BusyError, ClientBusyError, TooSlowError
from api.reader import ArchiveReader
from core.archive.connection import Connection, Pool, reading_options
from core.archive.queries.cost import Deadline
from core.settings import Settings
from core.settings.serving import ApiSettings
from tests.clocks import Ticks

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

API = ApiSettings(database_connections=2, client_queries=2, queue_s=0.2)


@pytest.fixture
async def pool(servers: Servers, tmp_path: Path) -> AsyncIterator[Pool]:
    """Connections that only read, with more time than any test takes."""
    settings = Settings(data_dir=tmp_path, postgres={"dsn": servers.dsn})
    made = await asyncpg.create_pool(**reading_options(settings, patience_s=60.0), min_size=1, max_size=2)
    yield made
    made.terminate()


async def one(connection: Connection) -> int:
    found: int = await connection.fetchval("SELECT 1")
    return found


async def long(connection: Connection) -> None:
    await connection.execute("SELECT pg_sleep(60)")


async def beginning(reader: ArchiveReader, *clients: str) -> list[asyncio.Task[None]]:
    """Long queries that run, or wait for their turn."""
    tasks = [asyncio.create_task(reader.read(client, long)) for client in clients]
    for _ in range(3):  # until they have begun to wait
        await asyncio.sleep(0)
    return tasks


async def test_a_client_has_its_share_and_all_have_so_many_places(pool: Pool) -> None:
    reader = ArchiveReader(pool, API, lambda: False)
    assert await reader.read("a", one) == 1
    tasks = await beginning(reader, "a", "a")
    with pytest.raises(ClientBusyError, match="2 of your queries run already"):
        await reader.read("a", one)
    with pytest.raises(BusyError, match="the archive answers others"):
        await reader.read("b", one)
    pool.terminate()
    await reader.drain()
    assert {type(end) for end in await asyncio.gather(*tasks, return_exceptions=True)} == {AwayError}


async def test_a_client_that_is_gone_keeps_its_place_until_its_query_ends(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    reader = ArchiveReader(pool, API, lambda: False)
    running = await beginning(reader, "a", "a")
    waiting = await beginning(reader, "b")
    for task in running:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    with pytest.raises(ClientBusyError):
        await reader.read("a", one)
    waiting[0].cancel()
    pool.terminate()
    await reader.drain()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_statement_that_takes_too_long_is_told_and_its_place_is_free_again(pool: Pool) -> None:
    reader = ArchiveReader(pool, API, lambda: False)

    async def slow(connection: Connection) -> None:
        await connection.execute("SET statement_timeout = 20")
        await long(connection)

    for _ in range(3):
        with pytest.raises(TooSlowError, match="ask for less"):
            await reader.read("a", slow)
    assert await reader.read("a", one) == 1


async def test_work_whose_deadline_is_over_is_told_and_its_place_is_free_again(pool: Pool) -> None:
    reader = ArchiveReader(pool, API, lambda: False)

    async def late(_: Connection) -> None:
        Deadline(0, Ticks()).check()

    for _ in range(3):
        with pytest.raises(TooSlowError, match="fewer filters"):
            await reader.read("a", late)
    assert await reader.read("a", one) == 1


async def test_while_the_archive_is_behind_a_statement_has_a_second(pool: Pool) -> None:
    is_behind = True
    reader = ArchiveReader(pool, API, lambda: is_behind)

    async def limit(connection: Connection) -> str:
        found: str = await connection.fetchval("SHOW statement_timeout")
        return found

    assert await reader.read("a", limit) == "1s"
    with pytest.raises(TooSlowError, match="ask for less"):
        await reader.read("b", long)
    is_behind = False
    for _ in range(API.database_connections):
        assert await reader.read("c", limit) == "1min"


async def test_nothing_can_be_written(pool: Pool) -> None:
    reader = ArchiveReader(pool, API, lambda: False)
    with pytest.raises(AwayError, match="read-only transaction"):
        await reader.read("a", lambda connection: connection.execute("CREATE TABLE mine ()"))


async def test_all_statements_of_one_moment_see_the_same(pool: Pool, servers: Servers) -> None:
    assert servers.dsn is not None
    other = await asyncpg.connect(servers.dsn.get_secret_value())
    await other.execute("CREATE TABLE IF NOT EXISTS api_moments (number integer)")

    async def twice(connection: Connection) -> tuple[int, int]:
        before = await connection.fetchval("SELECT count(*) FROM api_moments")
        await other.execute("INSERT INTO api_moments VALUES (1)")
        return before, await connection.fetchval("SELECT count(*) FROM api_moments")

    reader = ArchiveReader(pool, API, lambda: False)
    assert await reader.read("a", twice, one_moment=True) == (0, 0)
    assert await reader.read("a", twice) == (1, 2)
    await other.execute("DROP TABLE api_moments")
    await other.close()
