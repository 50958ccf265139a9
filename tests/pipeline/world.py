"""Topics and a database that belong to one test, on servers that all tests share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from pydantic import SecretStr

from core.kafka.topics import create_topics
from core.settings import (
    ConnectorSettings,
    KafkaSettings,
    PostgresSettings,
    ProcessorSettings,
    RegistrySettings,
    Settings,
    SinkSettings,
)
from deploy.embedded.stack import Servers
from schemas.relay_urls.relay_url import normalize
from sinks.migrate import Migration, migrate
from tests.pipeline.registry import publish_relays

PARTITIONS = 4  # as the embedded stack has
SESSION_TIMEOUT_S = 6.0  # the shortest that Kafka allows: what a killed service's successor waits for its partitions


def settings_for(servers: Servers, name: str, folder: Path) -> Settings:
    """Return settings whose topics, consumer groups and database are called after `name`."""
    assert servers.dsn
    dsn = urlsplit(servers.dsn.get_secret_value())._replace(path=f"/{name}").geturl()
    return Settings(
        data_dir=folder,
        kafka=KafkaSettings(**servers.kafka_settings(), topic_prefix=f"{name}.", partitions=PARTITIONS),
        postgres=PostgresSettings(dsn=SecretStr(dsn)),
        connector=ConnectorSettings(group_id=f"{name}-connector"),
        processor=ProcessorSettings(group_id=f"{name}-processor"),
        registry=RegistrySettings(group_id=f"{name}-registry"),
        sink=SinkSettings(group_id=f"{name}-sink"),
    )


async def make_world(servers: Servers, settings: Settings) -> None:
    """Create the database with its schema, and the topics."""
    await make_database(servers, settings)
    await create_topics(settings)


async def make_database(servers: Servers, settings: Settings, known: Sequence[Migration] | None = None) -> None:
    """Create the database with the schema that these migrations make; that of this version by default."""
    assert servers.dsn
    admin = await asyncpg.connect(servers.dsn.get_secret_value())
    await admin.execute(f'CREATE DATABASE "{settings.kafka.topic_prefix.rstrip(".")}"')
    await admin.close()
    connection = await connect(settings)
    await migrate(connection, known)
    await connection.close()


async def drop_world(servers: Servers, settings: Settings) -> None:
    """Remove the database, whose sessions are ended. The topics go with the broker of the test run."""
    assert servers.dsn
    admin = await asyncpg.connect(servers.dsn.get_secret_value())
    await admin.execute(f'DROP DATABASE "{settings.kafka.topic_prefix.rstrip(".")}" WITH (FORCE)')
    await admin.close()


async def connect(settings: Settings) -> asyncpg.Connection[asyncpg.Record]:
    """Connect to the world's database."""
    assert settings.postgres.dsn
    return await asyncpg.connect(settings.postgres.dsn.get_secret_value())


async def announce(settings: Settings, *urls: str) -> None:
    """Put relays on this machine into the registry, as it writes them itself."""
    await publish_relays(settings, [normalize(url, allow_private=True) for url in urls], allow_private=True)
