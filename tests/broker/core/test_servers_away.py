"""Clients that start before their servers do, and connections that end under them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import pytest
from aiokafka.admin import NewPartitions
from pydantic import SecretStr

from core import kafka, postgres, waiting
from core.kafka.topics import create_topics
from core.settings import Settings
from schemas.topics import physical
from tests.broker.core.away import free_port
from tests.proxy import proxy
from tests.waiting import until

pytestmark = pytest.mark.broker

PATIENCE_S = 60.0


@pytest.fixture
def later(settings: Settings) -> tuple[Settings, int, int]:
    """Settings whose broker listens at an address where none does yet, with that port and the real one."""
    real = int((settings.kafka.bootstrap_servers or "").rsplit(":", 1)[1])
    port = free_port()
    away = settings.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{port}"})
    return settings.model_copy(update={"kafka": away}), port, real


async def until_waiting() -> list[str]:
    await until(waiting.reasons, "a wait")
    return waiting.reasons()


@pytest.mark.parametrize(
    "open_client",
    [kafka.producer, kafka.consumer, kafka.admin],
    ids=["producer", "consumer", "admin"],
)
async def test_a_client_waits_for_the_broker_and_says_so(
    later: tuple[Settings, int, int], open_client: Callable[[Settings], Coroutine[Any, Any, Any]]
) -> None:
    settings, port, real = later
    opening = asyncio.create_task(open_client(settings))
    assert (await until_waiting())[0].startswith(f"waiting for Kafka at 127.0.0.1:{port} for ")
    async with proxy(("127.0.0.1", real), port), asyncio.timeout(PATIENCE_S):
        client = await opening
        assert waiting.reasons() == []
        assert await kafka.stop_client(client)


async def test_partitions_that_a_leader_did_not_know_are_shared_out_soon(settings: Settings) -> None:
    """As after a restart of the broker, which may tell of its topics later than a group is formed."""
    events = physical(settings.kafka.topic_prefix, "events")
    await create_topics(settings)
    admin = await kafka.admin(settings)
    consumer = await kafka.consumer(settings, events, group_id=f"{events}-group")
    try:
        assert {tp.partition for tp in consumer.assignment()} == {0, 1, 2, 3}
        await admin.create_partitions({events: NewPartitions(5)})
        async with asyncio.timeout(PATIENCE_S):
            while len(consumer.assignment()) < 5:
                await consumer.getmany(timeout_ms=100)
    finally:
        await kafka.stop_client(consumer)
        await kafka.stop_client(admin)


async def test_a_consumer_waits_for_its_topics_and_says_how_they_are_made(settings: Settings) -> None:
    events = physical(settings.kafka.topic_prefix, "events")
    opening = asyncio.create_task(kafka.consumer(settings, events, group_id="g", request_timeout_ms=200))
    assert "bigbrotr topics create" in (await until_waiting())[0]
    await create_topics(settings)
    async with asyncio.timeout(PATIENCE_S):
        client = await opening
    assert {pair.partition for pair in client.assignment()} == {0, 1, 2, 3}
    assert await kafka.stop_client(client)


async def test_a_wait_for_the_broker_can_be_cancelled(later: tuple[Settings, int, int]) -> None:
    opening = asyncio.create_task(kafka.producer(later[0]))
    await until_waiting()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert waiting.reasons() == []


def with_dsn(settings: Settings, **changes: object) -> Settings:
    assert settings.postgres.dsn is not None
    address = urlsplit(settings.postgres.dsn.get_secret_value())._replace(**changes)  # type: ignore[arg-type]  # names and text
    dsn = SecretStr(urlunsplit(address))
    return settings.model_copy(update={"postgres": settings.postgres.model_copy(update={"dsn": dsn})})


async def test_the_pool_waits_for_postgresql_and_says_so(settings: Settings) -> None:
    port = free_port()
    opening = asyncio.create_task(postgres.pool(with_dsn(settings, netloc=f"u:hidden@127.0.0.1:{port}")))
    reasons = await until_waiting()
    assert reasons[0].startswith(f"waiting for PostgreSQL at 127.0.0.1:{port}/")
    assert "hidden" not in " ".join(reasons)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening


async def test_a_database_that_does_not_exist_is_an_error(settings: Settings) -> None:
    with pytest.raises(postgres.UnusableServerError, match="no_such_database"):
        await postgres.pool(with_dsn(settings, path="/no_such_database"))


async def test_a_connection_that_the_server_ends_is_transient_and_the_pool_recovers(settings: Settings) -> None:
    pool = await postgres.pool(settings)
    try:
        async with pool.acquire() as connection:
            backend = await connection.fetchval("SELECT pg_backend_pid()")
            sleeping = asyncio.create_task(connection.execute("SELECT pg_sleep(3600)"))
            async with pool.acquire() as other:
                await other.execute("SELECT pg_terminate_backend($1)", backend)
            with pytest.raises(Exception) as caught:  # noqa: PT011 - which one it is, is the question
                await sleeping
            assert postgres.is_transient(caught.value)
            with pytest.raises(Exception) as caught:  # noqa: PT011
                await connection.execute("SELECT 1")
            assert postgres.is_transient(caught.value)
        assert await pool.fetchval("SELECT current_setting('application_name')") == "bigbrotr"
    finally:
        await pool.close()


async def test_a_statement_that_takes_too_long_is_transient(settings: Settings) -> None:
    pool = await postgres.pool(settings, command_timeout=0.1)
    try:
        with pytest.raises(TimeoutError) as caught:
            await pool.execute("SELECT pg_sleep(3600)")
        assert postgres.is_transient(caught.value)
    finally:
        await pool.close()


async def test_the_password_of_the_settings_is_the_one_that_the_server_is_given(settings: Settings) -> None:
    assert settings.postgres.dsn is not None
    address = urlsplit(settings.postgres.dsn.get_secret_value())
    assert address.password
    bare = with_dsn(settings, netloc=f"{address.username}@{address.hostname}:{address.port}")

    def with_password(password: str) -> Settings:
        change = {"password": SecretStr(password)}
        return bare.model_copy(update={"postgres": bare.postgres.model_copy(update=change)})

    await (await postgres.pool(with_password(unquote(address.password)))).close()
    with pytest.raises(postgres.UnusableServerError, match="password authentication failed"):
        await postgres.pool(with_password("another"))
