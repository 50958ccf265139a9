"""An archive with given events that the API serves, and its answers as tests look at them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg
import orjson
from yarl import URL

from core.settings import Settings
from schemas.nostr.event import Event
from sinks.migrate import migrate
from tests.broker.api.conftest import serving
from tests.broker.sinks.archived import fill
from tests.broker.sinks.conftest import fresh_database

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.embedded.stack import Servers


@asynccontextmanager
async def served(
    servers: Servers, name: str, events: Iterable[Event], folder: Path, api: Mapping[str, object]
) -> AsyncIterator[tuple[str, Settings]]:
    """Fill an archive and serve it by settings of the group `api`: its address, and all settings."""
    async with fresh_database(servers, name) as dsn:
        connection = await asyncpg.connect(dsn.get_secret_value())
        await migrate(connection)
        await fill(connection, events)
        await connection.close()
        made = Settings(data_dir=folder, kafka=servers.kafka_settings(), postgres={"dsn": dsn}, api=api)
        async with serving(made) as url:
            yield url, made


async def get(client: aiohttp.ClientSession, url: str, **headers: str) -> Any:
    """The JSON of an answer that is expected to be one."""
    async with client.get(url, headers=headers) as answer:
        body = await answer.read()
        assert answer.status == 200, body
        return orjson.loads(body)


async def pages(client: aiohttp.ClientSession, url: str) -> list[list[dict[str, Any]]]:
    """All pages from the first one on, as the header Link leads."""
    found: list[list[dict[str, Any]]] = []
    following: str | None = url
    while following is not None:
        async with client.get(URL(following, encoded=True)) as answer:
            page = orjson.loads(await answer.read())
            following = str(answer.links["next"]["url"]) if "next" in answer.links else None
        assert (following is None) is (page["next"] is None)
        found.append(page["events"])
    return found
