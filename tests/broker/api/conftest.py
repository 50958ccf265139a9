"""An archive that a test fills with rows itself, and the API that serves it in the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import pytest

from api.service import ApiService
from core.archive.connection import Pool
from core.settings import Settings
from sinks.migrate import migrate

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.embedded.stack import Servers

from tests.broker.sinks.conftest import fresh_database


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[str]:
    """Run the service `api`; its address, `http://127.0.0.1:port`."""
    async with running_service(settings) as service:
        yield str(service.status()["url"])


@asynccontextmanager
async def running_service(settings: Settings) -> AsyncIterator[ApiService]:
    """Run the service `api`."""
    service = ApiService(settings)
    try:
        await service.start()
        running = asyncio.create_task(service.run())
        try:
            yield service
        finally:
            service.stopping.set()
            await running
            await service.drain()
    finally:
        await service.close()


@pytest.fixture
async def archive_settings(servers: Servers, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings with a migrated database of the test's own, and no topics."""
    async with fresh_database(servers, f"api_{tmp_path.name.lower()[-40:].replace('-', '_')}") as dsn:
        made = Settings(data_dir=tmp_path, kafka=servers.kafka_settings(), postgres={"dsn": dsn})
        connection = await asyncpg.connect(dsn.get_secret_value())
        await migrate(connection)
        await connection.close()
        yield made


@pytest.fixture
async def archive_pool(archive_settings: Settings) -> AsyncIterator[Pool]:
    """A pool that may write, to fill the archive with `tests.broker.sinks.archived.fill`."""
    assert archive_settings.postgres.dsn is not None
    async with asyncpg.create_pool(archive_settings.postgres.dsn.get_secret_value(), min_size=1, max_size=2) as pool:
        yield pool
