"""An archive with topics and a sink of its own, and the feed that follows them."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import pytest
from pydantic import SecretStr

from api.live.feed import Feed
from api.live.tail import LOOK_S, SINK_S, Tail
from core.archive.connection import Connection, Pool
from core.archive.queries.positions import written_offsets
from core.kafka.topics import create_topics
from core.settings import KafkaSettings, PostgresSettings, Settings, SinkSettings
from core.tasks import cancel
from schemas.topics import physical
from sinks.migrate import migrate
from tests.broker.sinks.conftest import fresh_database
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.embedded.stack import Servers

PARTITIONS = 4
_numbers = itertools.count()


@pytest.fixture(scope="module")
def database(servers: Servers) -> Iterator[SecretStr]:
    """The address of a migrated database that the tests of a file share."""
    name = f"live_{os.getpid()}_{next(_numbers)}"

    async def fill(dsn: SecretStr) -> None:
        connection = await asyncpg.connect(dsn.get_secret_value())
        await migrate(connection)
        await connection.close()

    with asyncio.Runner() as runner:
        made = fresh_database(servers, name)
        dsn = runner.run(made.__aenter__())
        runner.run(fill(dsn))
        yield dsn
        runner.run(made.__aexit__(None, None, None))


@pytest.fixture
async def settings(servers: Servers, database: SecretStr, tmp_path: Path) -> Settings:
    """Settings with topics of four partitions and a sink of the test's own."""
    name = f"live_{os.getpid()}_{next(_numbers)}"
    made = Settings(
        data_dir=tmp_path,
        kafka=KafkaSettings(**servers.kafka_settings(), topic_prefix=f"{name}.", partitions=PARTITIONS, linger_ms=0),
        postgres=PostgresSettings(dsn=database),
        sink=SinkSettings(group_id=name, batch_age_ms=50),
    )
    await create_topics(made)
    return made


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    """A pool of the test's own, to look at what the archive holds."""
    assert settings.postgres.dsn is not None
    async with asyncpg.create_pool(settings.postgres.dsn.get_secret_value(), min_size=1, max_size=4) as made:
        yield made


@asynccontextmanager
async def following(
    settings: Settings, feed: Feed, *, look_s: float = LOOK_S, sink_s: float = SINK_S
) -> AsyncIterator[Tail]:
    """Read new events into a feed; the archive must have been written by a sink."""
    tail = Tail(settings, feed, look_s=look_s, sink_s=sink_s)
    running = asyncio.create_task(tail.run())
    try:
        await until(lambda: running.done() or tail.trouble is None, lambda: f"new events: {tail.trouble}")
        yield tail
    finally:
        await cancel(running)
        await tail.close()


class Snapshot:
    """What the archive has at a moment: ids of events, and how far it was written, by partition."""

    def __init__(self, ids: Sequence[str], offsets: dict[int, int]) -> None:
        self.ids = ids
        self.offsets = offsets


async def snapshot(connection: Connection, settings: Settings) -> Snapshot:
    """Read the archive in one transaction."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        topic = physical(settings.kafka.topic_prefix, "events")
        rows = await connection.fetch("SELECT id FROM events")
        return Snapshot(
            [row["id"].hex() for row in rows], await written_offsets(connection, settings.sink.group_id, topic)
        )
