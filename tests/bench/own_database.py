"""A database and topics that a measurement has to itself, on servers that others may use too."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from pydantic import SecretStr

from core.settings import Settings


@asynccontextmanager
async def own_database(given: Settings, name: str) -> AsyncIterator[Settings]:
    """Settings with a new, empty database, dropped at the end, and names of topics and group of their own."""
    assert given.postgres.dsn is not None
    name = f"{name}_{os.getpid()}"
    url = urlsplit(given.postgres.dsn.get_secret_value())
    owner = await asyncpg.connect(urlunsplit(url))
    await owner.execute(f"CREATE DATABASE {name}")
    try:
        dsn = SecretStr(urlunsplit(url._replace(path=f"/{name}")))
        yield given.model_copy(
            update={
                "kafka": given.kafka.model_copy(update={"topic_prefix": f"{name}."}),
                "postgres": given.postgres.model_copy(update={"dsn": dsn}),
                "sink": given.sink.model_copy(update={"group_id": name}),
            }
        )
    finally:
        await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await owner.close()
