"""The service `api` from its start to its end: what it waits for, what it refuses, and what it goes on without."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import aiohttp
import asyncpg
import pytest
from pydantic import SecretStr
from yarl import URL

from api.rest.table import ENDPOINTS
from api.service import ApiService
from core.archive.schema import SchemaError
from core.errors import OperatorError
from core.settings import Settings
from sinks.migrate import migrate, migrations
from sinks.roles import READER
from tests.broker.api.conftest import serving
from tests.broker.api.relay.client import connected
from tests.broker.core.away import free_port
from tests.broker.sinks.archived import RELAYS, START_S, fill, signed, some_events
from tests.broker.sinks.as_roles import as_role, let_in
from tests.broker.sinks.conftest import fresh_database
from tests.pipeline.services import Services
from tests.proxy import proxy
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

SERVICE_RESTART = 1012
"""The code by which a websocket is told that its server ends, and may be back soon."""
STOP_S = 5.0
"""Far below what a service has for its drain."""


def changed(settings: Settings, group: str, **values: Any) -> Settings:
    """Settings with other values in one group."""
    return settings.model_copy(update={group: getattr(settings, group).model_copy(update=values)})


@pytest.fixture
async def empty(servers: Servers, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings with a database that nothing was done with."""
    async with fresh_database(servers, "api_empty") as dsn:
        yield Settings(data_dir=tmp_path, kafka=servers.kafka_settings(), postgres={"dsn": dsn})


async def test_tables_of_another_version_are_refused_with_the_remedy(empty: Settings) -> None:
    async def refusal() -> str:
        service = ApiService(empty)
        try:
            with pytest.raises(SchemaError) as refused:
                await service.start()
        finally:
            await service.close()
        return str(refused.value)

    assert await refusal() == "the database has no tables of the archive yet: run `bigbrotr migrate`"
    assert empty.postgres.dsn is not None
    connection = await asyncpg.connect(empty.postgres.dsn.get_secret_value())
    before, newest = (migration.version for migration in migrations()[-2:])
    await migrate(connection, migrations()[:-1])
    assert f"of version {before}, and {newest} is needed: run `bigbrotr migrate`" in await refusal()
    await migrate(connection)
    await connection.execute("INSERT INTO unread_requests VALUES (-1, '')")
    assert "not searched to the end for what they delete: run `bigbrotr migrate`" in await refusal()
    await migrate(connection)
    await connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, 'later.sql', '')", newest + 1
    )
    assert f"knows {newest}: install a newer version" in await refusal()
    await connection.close()


async def test_it_serves_without_kafka_and_a_second_one_is_told_that_its_port_is_in_use(
    archive_settings: Settings,
) -> None:
    without = changed(archive_settings, "kafka", bootstrap_servers=f"127.0.0.1:{free_port()}")
    service = ApiService(without)
    await service.start()
    running = asyncio.create_task(service.run())
    url = urlsplit(str(service.status()["url"]))
    async with aiohttp.ClientSession() as client, client.get(f"{url.geturl()}/no-such-path") as answer:
        assert answer.status == HTTPStatus.NOT_FOUND
    assert service.ready() is None
    assert service.status()["live_trouble"]

    second = ApiService(changed(without, "api", port=url.port))
    words = f"port {url.port}: address already in use; set api.port \\(BIGBROTR_API__PORT\\) to another port, or to 0"
    with pytest.raises(OperatorError, match=words):
        await second.start()
    await second.close()

    service.stopping.set()
    await running
    await service.close()


async def test_it_is_not_ready_while_the_database_is_away_and_ready_again_after(archive_settings: Settings) -> None:
    assert archive_settings.postgres.dsn is not None
    url = urlsplit(archive_settings.postgres.dsn.get_secret_value())
    async with proxy((url.hostname or "", url.port or 0)) as way:
        dsn = SecretStr(url._replace(netloc=f"{url.netloc.rpartition('@')[0]}@127.0.0.1:{way.port}").geturl())
        service = ApiService(changed(archive_settings, "postgres", dsn=dsn))
        await service.start()
        assert service.ready() is None
        await way.refuse()
        await until(service.ready, "it is told that the database is away")
        assert (service.ready() or "").startswith("PostgreSQL does not answer: ")
        await way.restore()
        await until(lambda: service.ready() is None, "it is ready again")
        await service.close()


async def test_it_ends_drained_and_soon_while_clients_are_connected(archive_settings: Settings) -> None:
    services = Services(archive_settings)
    services.start("api")
    services.wait_until_ready()
    url = urlsplit(services.details("api")["url"])
    with socket.create_connection((url.hostname, url.port)) as idle, idle.makefile("rb") as answers:
        idle.sendall(b"GET /no-such-path HTTP/1.1\r\nHost: archive\r\n\r\n")
        assert answers.readline().startswith(b"HTTP/1.1 404")
        async with connected(url.geturl()) as client:
            began_s = time.monotonic()
            code = await asyncio.to_thread(services.stop_one, "api")
            assert time.monotonic() - began_s < STOP_S
            assert code == 0, services.tail("api")
            await client.socket.wait_closed()
            assert client.socket.close_code == SERVICE_RESTART


async def test_as_the_role_that_only_reads_it_answers_everything(archive_settings: Settings) -> None:
    await let_in(archive_settings)
    assert archive_settings.postgres.dsn is not None
    connection = await asyncpg.connect(archive_settings.postgres.dsn.get_secret_value())
    article = signed(START_S, 30_023, [["d", "one"], ["t", "a"]], "text")
    await fill(connection, [article, *some_events(30)], {article.id: {RELAYS[0]: 1}})
    await connection.close()
    named = {
        "id": article.id,
        "pubkey": article.pubkey,
        "address:path": f"30023:{article.pubkey}:one",
        "url:path": RELAYS[0],
    }
    filters = ({"ids": [article.id]}, {"kinds": [30_023], "#t": ["a"]}, {"authors": [article.pubkey], "until": START_S})
    async with serving(as_role(archive_settings, READER)) as url, aiohttp.ClientSession() as client:
        for endpoint in ENDPOINTS:
            path = re.sub(r"\{([^}]+)\}", lambda match: quote(named[match[1]], safe=""), endpoint.path)
            async with client.get(URL(url + path, encoded=True)) as answer:
                assert answer.status == HTTPStatus.OK, (path, await answer.text())
        for each in filters:
            async with connected(url) as reader:  # its own: without topics, each subscription is closed after its EOSE
                (counted,) = await reader.ask("COUNT", "count", each)
                assert counted[2]["count"] >= 1
                assert article.id in [event["id"] for event in await reader.events(each)]
