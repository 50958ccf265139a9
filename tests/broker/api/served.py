"""An archive that a sink fills from its topics and goes on to, and the API that serves it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

from api.service import ApiService
from core.archive.connection import Pool
from core.postgres import dsn
from core.settings import Settings
from schemas.nostr.event import Event
from tests.broker.api.conftest import running_service
from tests.broker.sinks.conftest import fresh_archive
from tests.broker.sinks.material import Feed, all_read, feed, running_sink
from tests.waiting import until

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers


class Served(NamedTuple):
    """An archive and the address at which it is served.

    Attributes:
        url: of the API.
        settings: with which it is served.
        pool: to look at the archive.
        topics: takes more events, which the sink writes.
        service: that serves it.
    """

    url: str
    settings: Settings
    pool: Pool
    topics: Feed
    service: ApiService

    async def add(self, *events: Event) -> None:
        """Archive events, and wait until they are there."""
        await self.topics.events(events)
        await all_read(self.settings, self.pool)


@asynccontextmanager
async def served_archive(
    servers: Servers, folder: Path, name: str, events: Iterable[Event], **groups: Any
) -> AsyncIterator[Served]:
    """Archive events and serve them, with groups of settings as given."""
    async with (
        fresh_archive(servers, f"{name}_{os.getpid()}", folder, **groups) as settings,
        asyncpg.create_pool(dsn(settings), min_size=1, max_size=2) as pool,
        running_sink(settings),
        feed(settings) as topics,
    ):
        await topics.events(events)
        await all_read(settings, pool)
        async with running_service(settings) as service:
            await follows(service)
            yield Served(str(service.status()["url"]), settings, pool, topics, service)


async def follows(service: ApiService) -> None:
    """Wait until new events are read."""
    await until(lambda: service.status()["live_trouble"] is None, lambda: str(service.status()["live_trouble"]))
