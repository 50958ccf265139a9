"""A database and topics of its own for each test, and the sink run in the test's own event loop."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from pydantic import SecretStr

from core.archive.connection import Pool
from core.kafka.topics import create_topics
from core.settings import KafkaSettings, PostgresSettings, Settings, SinkSettings
from sinks.migrate import migrate

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

_numbers = itertools.count()


@pytest.fixture
async def settings(servers: Servers, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings with a fresh migrated database and fresh topics of four partitions."""
    async with fresh_archive(servers, f"sink_{os.getpid()}_{next(_numbers)}", tmp_path) as made:
        yield made


@asynccontextmanager
async def fresh_archive(servers: Servers, name: str, folder: Path, **groups: Any) -> AsyncIterator[Settings]:
    """Settings with a migrated database and topics of this name, and groups of settings as given."""
    async with fresh_database(servers, name) as dsn:
        made = Settings(
            data_dir=folder,
            kafka=KafkaSettings(**servers.kafka_settings(), topic_prefix=f"{name}.", partitions=4, linger_ms=0),
            postgres=PostgresSettings(dsn=dsn),
            sink=SinkSettings(group_id=name, batch_age_ms=50),
            **groups,
        )
        await create_topics(made)
        connection = await asyncpg.connect(dsn.get_secret_value())
        await migrate(connection)
        await connection.close()
        yield made


@asynccontextmanager
async def fresh_database(servers: Servers, name: str) -> AsyncIterator[SecretStr]:
    """The address of a new, empty database, dropped at the end."""
    assert servers.dsn is not None
    url = urlsplit(servers.dsn.get_secret_value())
    await _as_owner(urlunsplit(url), f"CREATE DATABASE {name}")
    try:
        yield SecretStr(urlunsplit(url._replace(path=f"/{name}")))
    finally:
        await _as_owner(urlunsplit(url), f"DROP DATABASE {name} WITH (FORCE)")


async def _as_owner(dsn: str, statement: str) -> None:
    """On a connection of its own: a test may have killed the server meanwhile."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(statement)
    await connection.close()


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    """A pool of the test's own, to look at what the sink wrote."""
    assert settings.postgres.dsn is not None
    async with asyncpg.create_pool(settings.postgres.dsn.get_secret_value(), min_size=1, max_size=4) as made:
        yield made
