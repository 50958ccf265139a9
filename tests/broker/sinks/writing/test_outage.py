"""A database that dies in the middle of a batch, or is away, costs repeated work and never a row."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import asyncpg
import pytest
from pydantic import SecretStr

from core import metrics, waiting
from core.service import UndrainedError
from core.settings import Settings
from sinks.integrity.digest import archive_digest
from tests.broker.sinks.material import event, feed, running_sink
from tests.proxy import Proxy, proxy
from tests.waiting import until

pytestmark = pytest.mark.broker

_BLOCKED = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'bigbrotr' AND wait_event_type = 'Lock'
"""


async def test_kill_9_of_the_database_in_the_middle_of_a_batch(settings: Settings) -> None:
    assert settings.postgres.dsn is not None
    dsn = settings.postgres.dsn.get_secret_value()
    watcher = await asyncpg.connect(dsn)
    async with feed(settings) as fed, running_sink(settings):
        await fed.events(event(number) for number in range(100))
        await until(lambda: holds(dsn, 100), "100 events")
        rebalances = metrics.values()["bigbrotr_rebalances_total"]
        # The batch has moved its offsets and waits for the table: it is killed there.
        lock = watcher.transaction()
        await lock.start()
        await watcher.execute("LOCK TABLE events IN SHARE MODE")
        await fed.events(event(number) for number in range(100, 300))
        await fed.sightings([event(number) for number in range(300)], "wss://a.example", 5)
        found: list[int] = []

        async def blocked() -> bool:
            found[:] = [row["pid"] for row in await watcher.fetch(_BLOCKED)]
            return bool(found)

        await until(blocked, "a process of PostgreSQL waits for the table")
        # PostgreSQL answers the death of one of its processes by ending all and recovering from the log.
        os.kill(found[0], signal.SIGKILL)
        await until(lambda: holds(dsn, 300), "300 events")

        async def complete() -> bool:
            async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
                return await archive_digest(pool) == fed.digest()

        await until(complete, "the archive holds everything")
        assert metrics.values()["bigbrotr_rebalances_total"] == rebalances, "the sink lost its place in the group"
    watcher.terminate()


async def test_a_database_that_is_away_is_waited_for(settings: Settings) -> None:
    assert settings.postgres.dsn is not None
    dsn = settings.postgres.dsn.get_secret_value()
    async with remote(settings) as (before, through), feed(settings) as fed, running_sink(through):
        await fed.events(event(number) for number in range(50))
        await until(lambda: holds(dsn, 50), "50 events")
        rebalances = metrics.values()["bigbrotr_rebalances_total"]
        await before.refuse()
        await fed.events(event(number) for number in range(50, 500))

        async def waits() -> bool:
            return any("PostgreSQL" in reason for reason in waiting.reasons())

        await until(waits, "a wait for PostgreSQL")
        assert await holds(dsn, 50)
        await before.restore()
        await until(lambda: holds(dsn, 500), "500 events")

        async def nothing_is_waited_for() -> bool:
            return not waiting.reasons()

        await until(nothing_is_waited_for, "the end of every wait")
        assert metrics.values()["bigbrotr_rebalances_total"] == rebalances, "the sink lost its place in the group"


async def test_a_sink_with_nothing_to_write_tells_an_outage_of_its_database_within_seconds(settings: Settings) -> None:
    async with remote(settings) as (before, through), feed(settings), running_sink(through) as sink:

        async def is_ready() -> bool:
            return sink.ready() is None

        async def says_why() -> bool:
            return "PostgreSQL" in (sink.ready() or "")

        async def hang() -> None:
            before.hold()

        await until(is_ready, "a sink that is ready")
        for lose in (before.refuse, hang):
            await lose()
            await until(says_why, "a sink that is not ready", limit_s=10)
            await before.restore()
            await until(is_ready, "a sink that is ready again")


async def test_a_stop_while_the_database_is_away_ends_in_time_and_says_that_a_batch_is_left(settings: Settings) -> None:
    assert settings.postgres.dsn is not None
    dsn = settings.postgres.dsn.get_secret_value()
    impatient = settings.model_copy(update={"sink": settings.sink.model_copy(update={"drain_s": 1.0})})
    async with remote(impatient) as (before, through), feed(settings) as fed:

        async def waits() -> bool:
            return bool(waiting.reasons())

        async def lose_the_database() -> None:
            async with asyncio.timeout(60), running_sink(through):
                await fed.events(event(number) for number in range(50))
                await until(lambda: holds(dsn, 50), "50 events")
                await before.refuse()
                await fed.events(event(number) for number in range(50, 100))
                await until(waits, "a wait for PostgreSQL")

        with pytest.raises(UndrainedError):
            await lose_the_database()
        async with running_sink(settings):
            await until(lambda: holds(dsn, 100), "100 events")


async def holds(dsn: str, events: int) -> object:
    """Whether the archive has so many events; not while it recovers."""
    try:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval("SELECT count(*) FROM events") == events
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return False


@asynccontextmanager
async def remote(settings: Settings) -> AsyncIterator[tuple[Proxy, Settings]]:
    """A proxy before the database, and the settings that lead through it."""
    assert settings.postgres.dsn is not None
    url = urlsplit(settings.postgres.dsn.get_secret_value())
    query = parse_qs(url.query)
    host, port = query.get("host", [url.hostname or "127.0.0.1"])[0], url.port or int(query.get("port", ["5432"])[0])
    async with proxy(Path(host) / f".s.PGSQL.{port}" if host.startswith("/") else (host, port)) as before:
        user = f"{quote(url.username or 'postgres')}:{quote(url.password or '')}"
        dsn = urlunsplit(("postgresql", f"{user}@127.0.0.1:{before.port}", url.path, "sslmode=disable", ""))
        change = {"postgres": settings.postgres.model_copy(update={"dsn": SecretStr(dsn)})}
        yield before, settings.model_copy(update=change)
